"""A run that never happened: simulated predictions over about fifty cases, small drawn images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lobule.config import Config
from lobule.data.audit import Audit, audit
from lobule.data.manifest import Manifest
from lobule.data.split import Split, split
from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.evaluation.metrics import Metrics, evaluate
from lobule.evaluation.predictions import Predictions, assemble_predictions
from lobule.report.figures import write_figures
from lobule.report.inputs import GalleryItem, ReportInputs
from lobule.report.sketch import FigureFile
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPE_OF_CODE, SUBTYPES
from tests.report.blocks_of_metrics import changed, with_decisions, with_gain

_CASES = {"A": 3, "F": 6, "PT": 2, "TA": 4, "DC": 20, "LC": 5, "MC": 6, "PC": 5}
_BOOTSTRAP = 40


def simulated_manifest(*, images_per_case: int = 8, subtypes: bool = True, seed: int = 0) -> Manifest:
    """Return a manifest with BreakHis names, or with plain class folders without subtypes."""
    rng = np.random.default_rng(seed)
    rows = []
    for code, cases in _CASES.items():
        subtype = SUBTYPE_OF_CODE[code]
        for case in range(cases):
            number = 10000 + 100 * list(_CASES).index(code) + case
            for index in range(int(rng.integers(3, 2 * images_per_case - 2))):
                magnification = int(rng.choice([40, 100, 200, 400], p=[0.15, 0.2, 0.45, 0.2]))
                letter = "B" if LABEL_OF_SUBTYPE[subtype] == "benign" else "M"
                name = f"SOB_{letter}_{code}-14-{number}-{magnification}-{index:03d}"
                rows.append((name, subtype, f"14-{number}", magnification))
    frame = pd.DataFrame(rows, columns=["image_id", "subtype", "case_id", "magnification"])
    frame["label"] = frame["subtype"].map(LABEL_OF_SUBTYPE)
    frame["path"] = frame["image_id"] + ".png"
    frame["pixel_sha256"] = [f"{index:064x}" for index in range(len(frame))]
    frame = frame.assign(width=700, height=460, patient_id=frame["case_id"] + "AB", mpp=np.nan)
    if not subtypes:
        frame = frame.assign(subtype="", path=frame["label"] + "/img_" + frame.index.astype(str) + ".png")
        frame = frame.assign(magnification=None, patient_id=frame["case_id"])
    columns = ["image_id", "path", "pixel_sha256", "width", "height", "label", "subtype", "patient_id", "case_id"]
    return Manifest(frame[[*columns, "magnification", "mpp"]], Path())


def simulated_predictions(
    manifest: Manifest, divided: Split, *, skill: float = 2.6, protocols: tuple[str, ...] = ("holdout", "folds")
) -> Predictions:
    """Return predictions whose errors belong to cases, as real ones do."""
    rng = np.random.default_rng(1)
    frame = manifest.frame
    case_shift = {case: rng.normal(0, 1.1) for case in dict.fromkeys(frame["case_id"])}
    shift = frame["case_id"].map(case_shift).to_numpy(float)
    truth = (frame["label"] == "malignant").to_numpy(float)
    parts = []
    for protocol in protocols:
        binary = skill * (truth - 0.42) + shift + rng.normal(0, 0.8, len(frame))
        subtype = None
        if (frame["subtype"] != "").any():
            subtype = rng.normal(0, 1, (len(frame), 8)) + 1.4 * (
                frame["subtype"].to_numpy()[:, None] == np.array(SUBTYPES)
            )
        fold = divided.fold_of(manifest) if protocol == "folds" else np.full(len(frame), -1)
        keep = np.ones(len(frame), bool) if protocol == "folds" else divided.is_validation(manifest)
        parts.append(
            assemble_predictions(
                frame[keep],
                protocol=protocol,  # type: ignore[arg-type]
                fold=fold[keep],
                logits_binary=binary[keep],
                logits_subtype=None if subtype is None else subtype[keep],
                model_id="densenet121-0123456789ab",
            )
        )
    return Predictions.join(parts)


def simulated_history(tasks: tuple[str, ...] = ("binary", "subtype"), *, folds: int = 5) -> pd.DataFrame:
    """Return learning curves that fall and level off."""
    rng = np.random.default_rng(2)
    epochs = np.arange(1, 26)
    frames = []
    for task in tasks:
        start = 0.69 if task == "binary" else 2.08
        for protocol, fold in [("holdout", np.nan), *(("folds", index) for index in range(folds))]:
            train = start * (0.12 + 0.88 * np.exp(-epochs / 5)) + rng.normal(0, 0.004, 25)
            validation = start * (0.5 + 0.5 * np.exp(-epochs / 4)) + 0.004 * epochs + rng.normal(0, 0.02, 25)
            values = (
                task,
                protocol,
                fold,
                epochs,
                train,
                validation,
                1 - train / start / 2,
                1 - validation / start / 2,
            )
            frames.append(pd.DataFrame(dict(zip(HISTORY_COLUMNS, values, strict=True))))
    return pd.concat(frames, ignore_index=True)


def drawn_image(seed: int, *, height: int = 92, width: int = 140) -> np.ndarray:
    """Return a small picture in the colours of H&E."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.full((height, width, 3), (236, 190, 214), float)
    for _ in range(70):
        y, x, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(2.5, 5)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        image[inside] = np.array([104, 62, 140]) + rng.normal(0, 12, 3)
    return np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)


def overlaid(image: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the picture under a warm spot."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    y, x = rng.uniform(0.2, 0.8, 2) * image.shape[:2]
    heat = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (0.04 * image.shape[1] ** 2))[..., None]
    blended: np.ndarray = np.clip(image * (1 - 0.6 * heat) + 0.6 * heat * np.array([220, 40, 30]), 0, 255)
    return blended.astype(np.uint8)


def simulated_gallery(predictions: Predictions, count: int) -> tuple[GalleryItem, ...]:
    """Return the most confident errors."""
    frame = predictions.frame
    wrong = frame[frame["label"] != frame["pred_label"]].drop_duplicates("image_id")
    wrong = wrong.assign(distance=(wrong["prob_malignant"] - 0.5).abs()).sort_values("distance", ascending=False)
    items = []
    for seed, row in enumerate(wrong.head(count).to_dict("records")):
        image = drawn_image(seed)
        has_subtype = bool(row["pred_subtype"])
        items.append(
            GalleryItem(
                image_id=row["image_id"],
                case_id=row["case_id"],
                text="",
                label=row["label"],
                subtype=row["subtype"],
                predicted_label=row["pred_label"],
                predicted_subtype=row["pred_subtype"],
                probability=row["prob_malignant"],
                magnification=None if pd.isna(row["magnification"]) else int(row["magnification"]),
                image=image,
                overlay_binary=overlaid(image, seed=seed),
                overlay_subtype=overlaid(image, seed=seed + 100) if has_subtype else None,
            )
        )
    return tuple(items)


def simulated_inputs(
    *,
    subtypes: bool = True,
    protocols: tuple[str, ...] = ("holdout", "folds"),
    config: Config | None = None,
    gallery: int = 3,
    controls: bool = True,
    bootstrap: int = _BOOTSTRAP,
    **changes: Any,
) -> ReportInputs:
    """Return everything a report needs; `changes` replace fields of the inputs."""
    config = config or Config.model_validate({"features": {"backbone": "densenet121"}})
    manifest = simulated_manifest(subtypes=subtypes)
    divided = split(manifest, config.data, seed=0, policy="identical pixels once")
    predictions = simulated_predictions(manifest, divided, protocols=protocols)
    metrics = evaluate(predictions, bootstrap=bootstrap)
    if controls:
        weaker = simulated_predictions(manifest, divided, skill=1.3, protocols=protocols)
        own = evaluate(weaker, bootstrap=bootstrap).document
        control = {task: own[task] for task in ("binary", "subtype")}
        document = {**metrics.document, "controls": {"plain_recipe": control, "colour_only": control}}
        metrics = Metrics(document)
    tasks = ("binary", "subtype") if subtypes else ("binary",)
    values: dict[str, Any] = {
        "title": "Breast tumours in 51 cases",
        "metrics": metrics,
        "predictions": predictions,
        "history": simulated_history(tasks),
        "chosen_epochs": dict(zip(tasks, (14, 19), strict=False)),
        "manifest": manifest,
        "split": divided,
        "audit": audit(manifest),
        "config": config,
        "run": {
            "command": "lobule train breakhis --out run --backbone densenet121 --seed 0",
            "finished": "2025-06-01T10:42:07+00:00",
            "environment": {"python": "3.11.9", "packages": {"keras": "3.13.1", "openvino": "2025.3"}, "cores": 2},
        },
        "gallery": simulated_gallery(predictions, gallery),
    }
    return ReportInputs(**{**values, **changes})


def simulated_decisions(inputs: ReportInputs, **changes: Any) -> ReportInputs:
    """Return the same run with everything about decisions and controls in its metrics, and with changed images."""
    metrics = with_decisions(with_gain(inputs.metrics, (0.075, 0.012, 0.138)))
    return replace(inputs, **{"metrics": metrics, "robustness": changed(), **changes})


def foreign_inputs(inputs: ReportInputs) -> ReportInputs:
    """Return what is left of a run where only predictions.csv is known."""
    frame = inputs.predictions.select("folds").frame.assign(protocol="predict", fold=np.nan, path="", patient_id="")
    predictions = Predictions(frame)
    metrics = evaluate(predictions, bootstrap=_BOOTSTRAP)
    return ReportInputs(title="Predictions of another tool", metrics=metrics, predictions=predictions)


@pytest.fixture(scope="session")
def make_inputs() -> Callable[..., ReportInputs]:
    """Return the function that simulates a run."""
    return simulated_inputs


@pytest.fixture(scope="session")
def inputs() -> ReportInputs:
    """Return a run with everything in it."""
    return simulated_inputs()


@pytest.fixture(scope="session")
def manifest(inputs: ReportInputs) -> Manifest:
    """Return the images of that run."""
    assert inputs.manifest is not None
    return inputs.manifest


@pytest.fixture(scope="session")
def division(inputs: ReportInputs) -> Split:
    """Return its split."""
    assert inputs.split is not None
    return inputs.split


@pytest.fixture(scope="session")
def found(inputs: ReportInputs) -> Audit:
    """Return its audit."""
    assert inputs.audit is not None
    return inputs.audit


@pytest.fixture(scope="session")
def full_inputs(inputs: ReportInputs) -> ReportInputs:
    """Return that run with everything about decisions and controls in its metrics."""
    return simulated_decisions(inputs)


@pytest.fixture(scope="session")
def foreign(inputs: ReportInputs) -> ReportInputs:
    """Return a report on predictions that were made elsewhere."""
    return foreign_inputs(inputs)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the numbers of every figure but spend no time on its pixels."""
    monkeypatch.setattr("lobule.report.figures.png_of", lambda figure: b"")


@pytest.fixture(scope="session")
def written_figures(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> list[FigureFile]:
    """Return the figures of that run, on disk."""
    return write_figures(inputs, tmp_path_factory.mktemp("figures"))
