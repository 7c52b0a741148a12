from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest

from lobule.data.images import decode
from lobule.data.manifest import Manifest
from lobule.evaluation.curves import worst_errors
from lobule.evaluation.predictions import Predictions
from lobule.features.engines import Engine, open_engine
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.inference import gallery
from lobule.inference.gallery import Lens, gallery_of
from lobule.inference.heatmap import overlay
from lobule.inference.predictor import Predictor
from lobule.model.bundle import open_bundle
from lobule.pipeline import Run, recorded_data
from tests.runs import QUICK
from tests.tiny_backbone import tiny_backbone


@pytest.fixture(autouse=True)
def _tiny(finished: Run) -> Iterator[None]:
    with tiny_backbone():
        yield


@pytest.fixture
def manifest(finished: Run) -> Manifest:
    return Manifest.read(finished.folder / "manifest.csv", root=recorded_data(finished.folder))


@pytest.fixture
def predictions(finished: Run) -> Predictions:
    return Predictions.read(finished.folder / "predictions.csv")


@pytest.fixture
def lens(finished: Run) -> Lens:
    return Lens(encoder_spec(QUICK.features, seed=0), open_bundle(finished.folder).heads)


def test_the_worst_errors_come_first_with_their_pictures(
    manifest: Manifest, predictions: Predictions, lens: Lens
) -> None:
    items = gallery_of(predictions, manifest, [lens, lens], n=4)
    expected = worst_errors(predictions, 4)
    assert [item.image_id for item in items] == expected["image_id"].tolist()
    paths = dict(zip(manifest.frame["image_id"], manifest.paths, strict=True))
    for item in items:
        assert item.label != item.predicted_label
        assert f"{item.label}, called {item.predicted_label}" in item.text
        assert item.magnification in (40, 100, 200, 400)
        np.testing.assert_array_equal(item.image, decode(paths[item.image_id]))
        assert item.overlay_binary.shape == item.image.shape
        assert item.overlay_subtype is not None
        assert (item.overlay_subtype != item.image).any()


def test_an_overlay_is_what_the_predictor_draws_with_the_same_heads(
    finished: Run, manifest: Manifest, predictions: Predictions, lens: Lens
) -> None:
    (item,) = gallery_of(predictions, manifest, [lens, lens], n=1)
    drawn = Predictor(finished.folder).heatmap(item.image, toward=item.predicted_label)
    np.testing.assert_array_equal(overlay(item.image, drawn), item.overlay_binary)


def test_each_error_is_seen_through_the_fold_that_made_it(
    manifest: Manifest, predictions: Predictions, lens: Lens, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Lens(lens.encoder, {"binary": lens.heads["binary"]})
    opened: list[str] = []

    def open_noted(spec: EncoderSpec, *, kind: Literal["auto", "keras", "openvino"] = "auto") -> Engine:
        opened.append(spec.key)
        return open_engine(spec, kind=kind)

    monkeypatch.setattr(gallery, "open_engine", open_noted)
    items = gallery_of(predictions, manifest, [lens, other], n=20)
    folds = predictions.select("folds").frame.set_index("image_id")["fold"].astype(int)
    assert {int(folds[item.image_id]) for item in items} == {0, 1}
    assert all((item.overlay_subtype is None) == (folds[item.image_id] == 1) for item in items)
    assert opened == [lens.encoder.key]


def test_no_errors_or_none_wanted_is_no_gallery(manifest: Manifest, predictions: Predictions, lens: Lens) -> None:
    assert gallery_of(predictions, manifest, [lens, lens], n=0) == ()
