from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lobule.data.manifest import Manifest
from lobule.features.engines import open_engine
from lobule.features.spec import EncoderSpec
from lobule.model.image_source import open_images
from lobule.starter import teacher
from lobule.starter.teacher import MAP_SIDE, lessons_of


def test_maps_are_means_over_equal_areas() -> None:
    maps = np.random.default_rng(0).uniform(-1, 1, (2, 28, 28, 3)).astype(np.float32)
    halved = maps.reshape(2, 14, 2, 14, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(teacher._resized(maps), halved, atol=1e-3)
    odd = np.random.default_rng(1).uniform(-1, 1, (2, 8, 20, 3)).astype(np.float32)
    resized = teacher._resized(odd)
    assert resized.shape == (2, MAP_SIDE, MAP_SIDE, 3)
    np.testing.assert_allclose(resized.mean(axis=(1, 2)), odd.mean(axis=(1, 2)), atol=1e-3)


def test_lessons_are_what_the_engine_gives_and_are_kept(
    noise: Manifest, tiny_teacher: EncoderSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons = lessons_of(noise, tiny_teacher)
    engine = open_engine(tiny_teacher)
    pixels = open_images(noise.paths, size=engine.input_size).take(np.arange(len(noise)))
    features, maps = engine.maps(pixels)
    np.testing.assert_array_equal(lessons.means, features)
    np.testing.assert_allclose(lessons.maps.mean(axis=(1, 2)), maps.mean(axis=(1, 2)), rtol=1e-2, atol=1e-2)
    monkeypatch.setattr(teacher, "open_engine", lambda *_, **__: pytest.fail("the teacher was asked again"))
    np.testing.assert_array_equal(lessons_of(noise, tiny_teacher).maps, lessons.maps)


def test_a_damaged_record_of_lessons_is_made_again(noise: Manifest, tiny_teacher: EncoderSpec, cache: Path) -> None:
    lessons = lessons_of(noise, tiny_teacher)
    (kept,) = (cache / "starter").glob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(lessons_of(noise, tiny_teacher).means, lessons.means)


def test_lessons_of_some_images_are_theirs_alone(noise: Manifest, tiny_teacher: EncoderSpec) -> None:
    lessons = lessons_of(noise, tiny_teacher)
    rows = np.arange(len(noise)) % 2 == 0
    np.testing.assert_array_equal(lessons.of(rows).means, lessons.means[rows])
    assert len(lessons.of(rows).maps) == rows.sum()
