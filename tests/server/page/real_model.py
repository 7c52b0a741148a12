"""A bundle that is really trained on tissue, in seconds and without Keras: random filters, fitted heads and limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from lobule.data.breakhis import BreakHisName, parse_name
from lobule.data.images import decode
from lobule.evaluation.decision.conformal import calibrate_label_sets
from lobule.evaluation.decision.operating import Operating, OperatingPoint
from lobule.features.openvino_engine import load_graph
from lobule.features.statistics import image_statistics
from lobule.features.views import apply_view
from lobule.model.bundle import write_bundle
from lobule.model.bundle_record import Preprocessing, Threshold, TrainingData, temperatures_of
from lobule.model.head import Head
from lobule.model.novelty import fit_novelty
from lobule.taxonomy import SUBTYPES, Task
from tests.model.tiny_bundle import INPUT_SIZE, make_record, write_graph

CARD = """# A model for tests

**For research use only. Not for diagnosis.**

## Results

| metric | per image |
|---|--:|
| AUROC | 0.8 |

## Limits

- Only a few *benign* cases stand behind these numbers.
- <img src=x onerror="document.title='taken over'"> is text, and so is [this](javascript:alert(1)).
"""


def write_real_bundle(folder: Path, images: list[Path]) -> Path:
    """Train on images with BreakHis names, and write the bundle to `folder`."""
    names = [_name_of(path) for path in images]
    malignant = np.array([name.label == "malignant" for name in names])
    cases = np.unique([name.case_id for name in names], return_inverse=True)[1].astype(np.int64)
    graph = write_graph(folder.with_name(f"{folder.name}-graph"))
    pixels = [decode(path) for path in images]
    engine = load_graph(graph / "backbone.xml")
    features = engine.encode([apply_view(image, "identity", size=INPUT_SIZE) for image in pixels])
    novelty = fit_novelty(features, np.stack([image_statistics(image) for image in pixels]), cases=cases)
    subtypes = np.array([SUBTYPES.index(name.subtype) for name in names])
    heads: dict[Task, Head] = {
        "binary": _head("binary", features, malignant.astype(np.int64)),
        "subtype": _head("subtype", features, subtypes),
    }
    operating = _operating(features, malignant, cases)
    record = make_record().model_copy(
        update={
            "preprocessing": Preprocessing(views=("identity",), graph="x / 127.5 - 1"),
            "threshold": Threshold.of(operating),
            "temperature": temperatures_of(operating, ("binary", "subtype")),
            "operating": operating,
            "training": TrainingData(dataset_sha256="0" * 64, n_images=len(images), n_cases=len(np.unique(cases))),
        }
    )
    return write_bundle(folder, record=record, heads=heads, graph=graph, card=CARD, novelty=novelty)


def _name_of(path: Path) -> BreakHisName:
    name = parse_name(path.name)
    assert name is not None, path
    return name


def _head(task: Task, features: NDArray[np.float32], target: NDArray[np.int64]) -> Head:
    """Fit a linear head; a subtype that is not among the images stays improbable."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    fitted = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000).fit((features - mean) / scale, target)
    if task == "binary":
        kernel, bias = fitted.coef_.T, fitted.intercept_
    else:
        kernel, bias = np.zeros((features.shape[1], len(SUBTYPES))), np.full(len(SUBTYPES), -8.0)
        kernel[:, fitted.classes_], bias[fitted.classes_] = fitted.coef_.T, fitted.intercept_
    none = np.zeros((features.shape[1], 0), np.float32), np.zeros(0, np.float32)
    return Head(task, mean, scale, *none, kernel.astype(np.float32), bias.astype(np.float32))


def _operating(features: NDArray[np.float32], malignant: NDArray[np.bool_], cases: NDArray[np.int64]) -> Operating:
    """Calibrate label sets on predictions for cases that were left out."""
    classifier = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    left_out = cross_val_predict(
        classifier, standardised, malignant, groups=cases, cv=GroupKFold(4), method="predict_proba"
    )[:, 1]
    sets = calibrate_label_sets(left_out, malignant, cases, alpha=0.2)
    point = OperatingPoint(temperature=1.2, threshold=0.5, label_sets=sets)
    calibrated_on = f"{len(cases)} images of {len(np.unique(cases))} cases"
    return Operating(image=point, case=point, subtype_temperature=1.5, rule="for tests", calibrated_on=calibrated_on)
