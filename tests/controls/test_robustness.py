from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lobule.config import load_config
from lobule.controls import perturbed_features
from lobule.controls.perturbations import CONDITIONS
from lobule.controls.perturbed_features import PerturbedFeatures
from lobule.controls.robustness import ROBUSTNESS_COLUMNS, Robustness, measure_robustness, points_of_images, sample_rows
from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.data.scan import scan
from lobule.data.split import split
from lobule.errors import DataError
from lobule.evaluation.columns import round_digits
from lobule.evaluation.decision.decide import decide, decided
from lobule.evaluation.decision.operating import LabelSets, OperatingPoint, undecided
from lobule.evaluation.decision.verdicts import verdict_of
from lobule.evaluation.predictions import sigmoid
from lobule.features.extract import Features, extract
from lobule.features.spec import EncoderSpec
from lobule.model.fit import mean_logits
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import Fit, plan_fits
from lobule.model.stages import Trained
from lobule.pipeline import train
from lobule.taxonomy import Task
from tests.controls.simulated import simulated
from tests.model.heads import random_head
from tests.runs import QUICK
from tests.tiny_backbone import install_tiny_graph, tiny_backbone

_CONFIG = load_config(
    settings={**QUICK.model_dump(), "robustness": {"images": 20}, "report": {"bootstrap": 50, "gallery": 0}}
)
_FRAME = simulated(cases=20, each=4).manifest.frame


@given(images=st.integers(1, 100), seed=st.integers(0, 20))
@settings(max_examples=30)
def test_a_sample_takes_the_same_number_of_every_case_and_both_labels(images: int, seed: int) -> None:
    rows = sample_rows(_FRAME, images, seed=seed)
    assert len(rows) == len(set(rows.tolist())) == min(images, 80)
    assert np.all(np.diff(rows) > 0)
    per_case = _FRAME.iloc[rows]["case_id"].value_counts().reindex(_FRAME["case_id"].unique(), fill_value=0)
    assert per_case.max() - per_case.min() <= 1
    labels = _FRAME.iloc[rows]["label"].value_counts()
    if images > 1:
        assert set(labels.index) == {"benign", "malignant"}
    assert np.array_equal(rows, sample_rows(_FRAME, images, seed=seed))


def _run(phantom: PhantomSummary) -> tuple[Manifest, Features, list[Fit], Trained]:
    """Return the phantom in two folds, judged by heads that were drawn, not trained."""
    manifest = scan(phantom.folder, settings=QUICK.data).manifest
    divided = split(manifest, QUICK.data, seed=0)
    fits = plan_fits(divided.fold_of(manifest), divided.is_validation(manifest))
    features = extract(manifest, QUICK.features, seed=0)
    heads = [random_head("binary", features=8, hidden=0, seed=index) for index in range(len(fits))]
    logits = [mean_logits(head, features.values[:, fit.validation]) for head, fit in zip(heads, fits, strict=True)]
    trained = Trained(
        encoders=[features.spec] * len(fits),
        heads={"binary": heads},
        logits={"binary": logits},
        epochs={"binary": [1] * len(fits)},
        history=pd.DataFrame(),
    )
    return manifest, features, fits, trained


@pytest.fixture
def _tiny() -> Iterator[None]:
    with tiny_backbone():
        install_tiny_graph()
        yield


@pytest.mark.keras
@pytest.mark.usefixtures("_tiny")
def test_every_condition_is_a_row_and_a_second_run_encodes_nothing(
    phantom: PhantomSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, features, fits, trained = _run(phantom)
    points = [undecided().image] * len(manifest)

    def measured() -> Robustness:
        return measure_robustness(manifest, features, fits, trained=trained, points=points, config=_CONFIG)

    first = measured()
    frame = first.frame
    assert tuple(frame.columns) == ROBUSTNESS_COLUMNS
    curves = [("unchanged", np.nan), *((n, a) for n, condition in CONDITIONS.items() for a in condition.amounts)]
    asked = frame.iloc[: len(curves)]
    assert asked["condition"].tolist() == [name for name, _ in curves]
    np.testing.assert_array_equal(asked["amount"], [amount for _, amount in curves])
    assert (asked["n_images"] == 20).all()
    assert frame["verdict_changes"].between(0, 1).all()
    unchanged = frame.iloc[0]
    assert unchanged["verdict_changes"] == 0
    for name, condition in CONDITIONS.items():
        same = frame[(frame["condition"] == name) & (frame["amount"] == condition.unchanged)]
        assert (same["auroc"] == unchanged["auroc"]).all()
    others = frame.iloc[len(curves) :]
    assert set(others["condition"]) == {"all_magnifications", "magnification_left_out"}
    assert others.groupby("condition")["n_images"].sum().tolist() == [len(manifest)] * 2

    def refuse(spec: EncoderSpec) -> None:
        raise AssertionError("an engine was opened")

    monkeypatch.setattr(perturbed_features, "open_engine", refuse)
    pd.testing.assert_frame_equal(measured().frame, frame)
    first.write(tmp_path / "robustness.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "robustness.csv"), frame, check_dtype=False, rtol=1e-8)


@pytest.mark.usefixtures("_tiny")
def test_each_image_is_judged_by_the_fold_that_held_it_out(phantom: PhantomSummary) -> None:
    manifest, features, fits, trained = _run(phantom)
    out_of_fold = np.empty(len(manifest))
    for fit, logits in zip(fits, trained.logits["binary"], strict=True):
        if fit.protocol == "folds":
            out_of_fold[fit.validation] = logits[:, 0]
    every = _CONFIG.model_copy(update={"robustness": _CONFIG.robustness.model_copy(update={"images": 10**6})})
    without = Manifest(manifest.frame.assign(magnification=None), manifest.root)
    wide = float(np.abs(out_of_fold).max())  # so that no probability is 0 or 1
    none = undecided().image.label_sets
    at_their_own = [
        OperatingPoint(temperature=wide, threshold=value, label_sets=none)
        for value in round_digits(sigmoid(out_of_fold / wide)).tolist()
    ]
    frame = measure_robustness(without, features, fits, trained=trained, points=at_their_own, config=every).frame
    label = (manifest.frame["label"] == "malignant").to_numpy()
    assert frame.loc[0, "auroc"] == pytest.approx(roc_auc_score(label, out_of_fold))
    # Every image is called malignant with nothing to spare: those whose logit falls at all are called otherwise.
    assert frame.loc[frame["condition"] == "brightness", "verdict_changes"].max() > 0.2


@pytest.mark.usefixtures("_tiny")
def test_changed_pixels_are_refused(phantom: PhantomSummary) -> None:
    manifest = scan(phantom.folder, settings=QUICK.data).manifest
    features = extract(manifest, QUICK.features, seed=0)
    lying = Manifest(manifest.frame.assign(pixel_sha256="0" * 64), manifest.root)
    with pytest.raises(DataError, match="no longer those of the manifest"):
        PerturbedFeatures(lying, features.spec, views=["identity"]).under("brightness", 0.7)


@pytest.mark.usefixtures("_tiny")
def test_a_verdict_that_becomes_uncertain_has_changed(phantom: PhantomSummary) -> None:
    manifest, features, fits, trained = _run(phantom)
    without = Manifest(manifest.frame.assign(magnification=None), manifest.root)

    logit = np.concatenate([logits[:, 0] for logits in trained.logits["binary"]]).astype(np.float64)
    wide = float(np.abs(logit).max())  # so that no probability is 0 or 1

    def changes(sets: LabelSets) -> float:
        points = [OperatingPoint(temperature=wide, threshold=0.01, label_sets=sets)] * len(manifest)
        frame = measure_robustness(without, features, fits, trained=trained, points=points, config=_CONFIG).frame
        return float(frame["verdict_changes"].max())

    none = undecided().image.label_sets
    assert changes(none) == 0
    # By the threshold every image is malignant whatever becomes of it; where benign fits too it is uncertain.
    both = none.model_copy(update={"benign": float(np.median(sigmoid(logit / wide))), "malignant": 1.0})
    assert changes(both) > 0


def test_each_image_has_the_point_it_is_decided_with() -> None:
    data = simulated()
    random = np.random.default_rng(0)
    folds = [fit for fit in data.fits if fit.protocol != "final"]
    label = (data.manifest.frame["label"] == "malignant").to_numpy()
    noisy = random.normal(size=len(label)) * 3 + 2 * label + 1
    logits: dict[Task, list[NDArray[np.float32]]] = {
        "binary": [noisy[fit.validation][:, None].astype(np.float32) for fit in folds]
    }
    predictions = held_out_predictions(data.manifest, folds, logits, model_id="m")
    decisions = decide(predictions)
    called = decided(predictions, decisions).select("folds").frame.set_index("image_id")
    points = points_of_images(data.manifest, predictions, decisions)
    assert len({point.threshold for point in points}) > 1
    probability = sigmoid(
        noisy.astype(np.float32).astype(np.float64) / np.array([point.temperature for point in points])
    )
    judged = [verdict_of(p, point).verdict for p, point in zip(probability.tolist(), points, strict=True)]
    assert called.loc[data.manifest.frame["image_id"], "verdict"].tolist() == judged
    assert "uncertain" in judged


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.usefixtures("_tiny")
def test_a_run_that_asks_for_it_writes_the_table(phantom: PhantomSummary, tmp_path: Path) -> None:
    run = train(phantom.folder, tmp_path / "run", config=_CONFIG)
    table = pd.read_csv(run.folder / "robustness.csv")
    assert tuple(table.columns) == ROBUSTNESS_COLUMNS
    assert set(CONDITIONS) < set(table["condition"])
