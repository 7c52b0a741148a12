"""Facts of the data: where from, how many, how divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lobule.report.numbers import count
from lobule.report.sections.limits import BREAKHIS_CITATION, is_breakhis
from lobule.report.theme import display_name
from lobule.taxonomy import LABELS, SUBTYPES

if TYPE_CHECKING:
    from lobule.data.manifest import Manifest
    from lobule.data.split import Split
    from lobule.report.inputs import ReportInputs

__all__ = ["cases_by_label", "data_facts"]


def data_facts(inputs: ReportInputs) -> dict[str, str]:
    """Return the facts of the data; empty where not known."""
    manifest: Manifest | None = inputs.manifest
    split: Split | None = inputs.split
    predictions = inputs.predictions.frame
    frame = predictions.drop_duplicates("image_id") if manifest is None else manifest.frame
    return {
        "source": "" if manifest is None else _source(manifest, synthetic=inputs.synthetic),
        "counts": f"{count(len(frame), 'image')} of {cases_by_label(frame)}.",
        "fewest_cases": _fewest_cases(frame),
        "usable": _usable(inputs),
        "flow": _usable(inputs),
        "cleaning": f"Before the data were divided: {split.policy}." if split is not None and split.policy else "",
        "outcome": _outcome(frame),
        "magnifications": _magnifications(frame),
        "missing": _missing(frame, trained=manifest is not None),
        "strata_counts": f"{_subtypes(frame)} {_magnifications(frame)}".strip(),
        "partition": _partition(split, predictions),
        "part_counts": _part_counts(split, frame, predictions),
        "disjoint": _disjoint(split, predictions),
        "data_digest": "" if manifest is None else f"SHA-256 of the data set: {manifest.digest}.",
        "privacy": ""
        if manifest is None
        else "Only decoded pixels reached the model: metadata in the image files were not used.",
    }


def cases_by_label(frame: pd.DataFrame) -> str:
    """Return `51 cases (12 benign, 39 malignant)`."""
    cases = frame[frame["label"] != ""].groupby("label")["case_id"].nunique()
    listed = ", ".join(f"{int(cases.get(label, 0))} {label}" for label in LABELS)
    return f"{count(int(frame['case_id'].nunique()), 'case')} ({listed})"


def _source(manifest: Manifest, *, synthetic: bool) -> str:
    if synthetic:
        return "Synthetic images, drawn by a program: not data of patients."
    return (
        f"The images carry the names of BreakHis: {BREAKHIS_CITATION}." if is_breakhis(manifest.frame["path"]) else ""
    )


def _fewest_cases(frame: pd.DataFrame) -> str:
    cases = frame[frame["label"] != ""].groupby("label")["case_id"].nunique()
    fewest = min(LABELS, key=lambda label: int(cases.get(label, 0)))
    return f"What limits precision is the number of cases: {count(int(cases.get(fewest, 0)), f'{fewest} case')}."


def _usable(inputs: ReportInputs) -> str:
    """Say what became of the files; only the record of a run knows it."""
    failures = inputs.run.get("n_failures")
    manifest: Manifest | None = inputs.manifest
    if manifest is None or inputs.split is None or not isinstance(failures, int):
        return ""
    return (
        f"Every file that could be read as an image and carried a label and a {inputs.split.group_by} was used; "
        f"{count(failures, 'file')} could not be read; {count(len(manifest), 'image')} were left after copies had been "
        "taken out."
    )


def _outcome(frame: pd.DataFrame) -> str:
    if not frame["label"].isin(LABELS).any():
        return ""
    subtypes = [display_name(name) for name in SUBTYPES if (frame["subtype"] == name).any()]
    text = "Benign or malignant (the positive class), as the data set labels each image; there is no time horizon."
    return f"{text} Subtypes: {', '.join(subtypes)}." if subtypes else text


def _magnifications(frame: pd.DataFrame) -> str:
    known = frame["magnification"].dropna().astype(int).value_counts().sort_index()
    listed = ", ".join(f"{magnification}X {number:,}" for magnification, number in known.items())
    return f"Images by magnification: {listed}." if listed else ""


def _subtypes(frame: pd.DataFrame) -> str:
    cases = frame[frame["subtype"] != ""].groupby("subtype")["case_id"].nunique()
    images = frame["subtype"].value_counts()
    listed = ", ".join(
        f"{display_name(name)} {int(images[name]):,} ({int(cases[name])})" for name in SUBTYPES if name in cases
    )
    return f"Images (cases) by subtype: {listed}." if listed else ""


def _missing(frame: pd.DataFrame, *, trained: bool) -> str:
    unlabelled = int((~frame["label"].isin(LABELS)).sum())
    no_subtype = int((frame["subtype"] == "").sum()) - unlabelled
    return (
        f"{'Nothing was imputed. ' if trained else ''}{count(unlabelled, 'image')} without a label and "
        f"{count(no_subtype, 'labelled image')} without a subtype were left out of what needs them."
    )


def _partition(split: Split | None, predictions: pd.DataFrame) -> str:
    if split is None:
        folds = int(predictions.loc[predictions["protocol"] == "folds", "fold"].nunique())
        return f"The predictions are out of fold, of {folds} folds." if folds > 1 else ""
    cut = len(split.validation) / max(1, len(split.train) + len(split.validation))
    return (
        f"{len(split.folds)}-fold cross-validation grouped by {split.group_by}, stratified by label and, as far as "
        f"the {split.group_by}s allow, by subtype; and, apart from it, one holdout with {100 * cut:.0f} % of the "
        f"images for validation, grouped in the same way. Seed {split.seed}."
    )


def _part_counts(split: Split | None, frame: pd.DataFrame, predictions: pd.DataFrame) -> str:
    if split is None:
        held_out = predictions[predictions["protocol"] == "folds"]
        folds = [
            held_out.loc[held_out["fold"] == fold, "image_id"].tolist()
            for fold in sorted(held_out["fold"].dropna().unique())
        ]
        parts = {f"fold {number}": images for number, images in enumerate(folds, 1)} if len(folds) > 1 else {}
    else:
        parts = {f"fold {number}": list(images) for number, images in enumerate(split.folds, 1)}
        parts |= {"holdout, training": list(split.train), "holdout, validation": list(split.validation)}
    indexed = frame.drop_duplicates("image_id").set_index("image_id")
    described = [
        f"{name}: {count(len(images), 'image')} of {cases_by_label(indexed.loc[images])}"
        for name, images in parts.items()
    ]
    return "; ".join(described).capitalize() + "." if described else ""


def _disjoint(split: Split | None, predictions: pd.DataFrame) -> str:
    if split is not None and split.group_by == "image":
        return "By image only: images of one case were trained on and tested on, so every number is inflated."
    held_out = predictions[(predictions["protocol"] == "folds") & predictions["fold"].notna()]
    folds_of_case = held_out.groupby("case_id")["fold"].nunique()
    text = (
        f"No two parts share a {split.group_by}; this is checked whenever the split is read."
        if split is not None
        else ""
    )
    if folds_of_case.empty or held_out["fold"].nunique() < 2:
        return text
    shared = int((folds_of_case > 1).sum())
    found = f"In the predictions, {shared or 'none'} of {count(len(folds_of_case), 'case')} has images in two folds."
    return f"{text} {found}".strip()
