from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lobule.errors import DataError, VerificationError
from lobule.features.openvino_engine import OpenVINOEngine, load_graph
from tests.features.conftest import noise
from tests.tiny_backbone import TINY, write_tiny_graph


@pytest.fixture
def engine(tmp_path: Path) -> OpenVINOEngine:
    write_tiny_graph(tmp_path / "backbone.xml")
    return load_graph(tmp_path / "backbone.xml")


def _images(count: int) -> list[NDArray[np.uint8]]:
    return [noise(TINY.input_size, TINY.input_size, seed=number) for number in range(count)]


def test_an_engine_knows_its_sizes(engine: OpenVINOEngine) -> None:
    assert (engine.name, engine.precision) == ("openvino", "f32")
    assert (engine.feature_size, engine.input_size) == (8, 32)


def test_results_come_in_order_and_depend_on_their_image_alone(engine: OpenVINOEngine) -> None:
    images = _images(40)
    together = engine.encode(images)
    assert together.shape == (40, 8)
    assert len(np.unique(together, axis=0)) == 40
    alone = np.concatenate([engine.encode([image]) for image in images])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[::-1], engine.encode(images[::-1]))


def test_the_features_are_the_averages_of_the_map(engine: OpenVINOEngine) -> None:
    images = np.stack(_images(5))
    features, maps = engine.maps(images)
    assert maps.shape == (5, 8, 8, 8)
    np.testing.assert_allclose(maps.mean((1, 2)), features, rtol=1e-5)
    np.testing.assert_array_equal(features, engine.encode(images))


def test_no_images_give_no_rows(engine: OpenVINOEngine) -> None:
    assert engine.encode([]).shape == (0, 8)
    features, maps = engine.maps(np.empty((0, 32, 32, 3), np.uint8))
    assert (features.shape, maps.shape) == ((0, 8), (0, 8, 8, 8))


def test_only_a_few_images_are_held_at_a_time(engine: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lobule.features.openvino_engine.usable_cores", lambda: 2)
    taken = 0

    def source() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for image in _images(30):
            taken += 1
            yield image

    for given, _ in enumerate(engine.stream(source())):
        assert taken <= given + 6
    assert taken == 30


def test_an_error_of_the_source_reaches_the_caller(engine: OpenVINOEngine) -> None:
    def source() -> Iterator[NDArray[np.uint8]]:
        yield from _images(3)
        raise DataError("broken file")

    with pytest.raises(DataError, match="broken file"):
        engine.encode(source())


@pytest.mark.parametrize("image", [np.zeros((31, 32, 3), np.uint8), np.zeros((32, 32, 3), np.float32)])
def test_an_image_of_the_wrong_kind_is_refused(engine: OpenVINOEngine, image: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match=r"expected \(32, 32, 3\) of uint8"):
        engine.encode([image])


def test_a_graph_that_cannot_be_read_fails_verification(tmp_path: Path) -> None:
    broken = tmp_path / "backbone.xml"
    with pytest.raises(VerificationError, match="cannot be read"):
        load_graph(broken)
    broken.write_text("<net")
    with pytest.raises(VerificationError, match="cannot be read"):
        load_graph(broken)


def test_a_graph_without_its_weights_fails_verification(tmp_path: Path) -> None:
    write_tiny_graph(tmp_path / "backbone.xml")
    (tmp_path / "backbone.bin").write_bytes(b"")
    with pytest.raises(VerificationError, match="cannot be read"):
        load_graph(tmp_path / "backbone.xml")


def test_a_graph_with_other_outputs_fails_verification(tmp_path: Path) -> None:
    write_tiny_graph(tmp_path / "backbone.xml", outputs=("logits", "map"))
    with pytest.raises(VerificationError, match="outputs logits, map"):
        load_graph(tmp_path / "backbone.xml")
