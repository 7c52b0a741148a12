from __future__ import annotations

from dataclasses import replace

import numpy as np

from lobule.data.manifest import Manifest
from lobule.evaluation.metrics import evaluate
from lobule.report.inputs import ReportInputs
from lobule.report.sections.sources import sources_of, sources_table
from tests.report.sections.texts import texts


def test_rare_ways_of_storing_are_put_together(manifest: Manifest) -> None:
    frame = manifest.frame.copy()
    frame["width"] = np.where(np.arange(len(frame)) < 8, 600 + np.arange(len(frame)), 700)
    sources = sources_of(frame)
    assert sources.nunique() == 6
    assert (sources == "png, 700 × 460").sum() == len(frame) - 8
    assert (sources == "other").sum() == 4


def test_each_source_is_scored_on_its_own_images(inputs: ReportInputs, manifest: Manifest) -> None:
    frame = manifest.frame.copy()
    is_small = np.arange(len(frame)) % 3 == 0
    frame.loc[is_small, ["width", "height"]] = 224
    table = sources_table(replace(inputs, manifest=Manifest(frame, manifest.root)))
    assert table is not None
    assert list(texts(table)) == ["png, 700 × 460", "png, 224 × 224"]
    chosen = inputs.predictions.frame["image_id"].isin(frame.loc[is_small, "image_id"])
    part = type(inputs.predictions)(inputs.predictions.frame[chosen].reset_index(drop=True))
    expected = evaluate(part, bootstrap=0).document["binary"]["folds"]["image"]["auroc"]
    assert texts(table)["png, 224 × 224"][0] == f"{expected['value']:.3f}"
    assert table.rows[1].header.notes == (f"{expected['n_images']} images, {expected['n_cases']} cases",)


def test_one_source_needs_no_table(inputs: ReportInputs, foreign: ReportInputs) -> None:
    assert sources_table(inputs) is None
    assert sources_table(foreign) is None
