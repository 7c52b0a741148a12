"""What stands on the page, part by part, before it is laid out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import lobule
from lobule.evaluation.levels import Level
from lobule.evaluation.predictions import Protocol
from lobule.report.inputs import ReportInputs, standard_banners
from lobule.report.numbers import count, headline_protocol, level_of, number_of
from lobule.report.story import (
    BREAKHIS_CITATION,
    answer,
    audit_lines,
    chosen_model,
    intended_use,
    is_breakhis,
    limits,
    what_was_done,
)
from lobule.report.tables import (
    Cell,
    data_table,
    imbalance_table,
    magnification_table,
    metrics_table,
    rivals_table,
    split_table,
    subtypes_table,
)
from lobule.taxonomy import DISCLAIMER, Task

__all__ = ["page_of"]

_BANNER_WORDS = {"danger": "Do not trust these numbers", "warning": "Read with care", "info": "Note"}
_INTERVAL_NOTE = (
    "Under each value: its 95\u00a0% interval, resampling cases. A dash: not defined, or too few cases. “No interval”:"
    " fewer than 5 cases in a class that the metric needs. Columns name the images and cases behind their numbers;"
    " a cell that rests on others names its own."
)
_NO_INTERVAL = "no interval: a class has too few cases"
_TILES: tuple[tuple[str, Task, Level, str], ...] = (
    ("AUROC, per image", "binary", "image", "auroc"),
    ("AUROC, per case", "binary", "case", "auroc"),
    ("Balanced accuracy, per image", "binary", "image", "balanced_accuracy"),
    ("Eight subtypes, balanced accuracy, per image", "subtype", "image", "balanced_accuracy"),
)


@dataclass(frozen=True)
class _Tile:
    name: str
    cell: Cell
    interval: str
    counts: str


def page_of(inputs: ReportInputs, sections_with_figures: Collection[str]) -> dict[str, Any]:
    """Return everything the template needs except pictures and style.

    Args:
        inputs: what the report is drawn from.
        sections_with_figures: parts of the page that have at least one figure.
    """
    page = {**_result(inputs), **_data(inputs), **_tables(inputs), **_ending(inputs)}
    page["has_curves"] = "learning" in sections_with_figures
    page["contents"] = _contents(page, has_gallery=bool(inputs.gallery))
    return page


def _contents(page: Mapping[str, Any], *, has_gallery: bool) -> list[tuple[str, str]]:
    parts = [
        ("result", "Result", True),
        ("method", "What was done", True),
        ("data", "On what", True),
        ("binary", "Benign or malignant", page["binary"]),
        ("subtype", "Subtypes", page["subtype"]),
        ("strata", "By magnification and subtype", page["strata"]),
        ("learning", "How it learned", page["has_curves"]),
        ("errors", "Where it fails", has_gallery),
        ("limits", "Limits and intended use", True),
        ("cite", "How to cite", True),
        ("reproduce", "How to reproduce", True),
    ]
    return [(anchor, name) for anchor, name, present in parts if present]


def _result(inputs: ReportInputs) -> dict[str, Any]:
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    own = standard_banners(inputs.config, group_by=inputs.split.group_by, synthetic=inputs.synthetic)
    return {
        "title": inputs.title,
        "eyebrow": _eyebrow(inputs),
        "disclaimer": DISCLAIMER,
        "banners": (*own, *inputs.banners),
        "banner_words": _BANNER_WORDS,
        "answer": answer(inputs),
        "tiles": _tiles(document, protocol) if protocol else [],
        "rivals": rivals_table(document, protocol=protocol) if protocol else None,
        "reading": "The range under a value is its 95\u00a0% interval; images of one case are not independent.",
        "method": what_was_done(inputs),
    }


def _eyebrow(inputs: ReportInputs) -> str:
    frame, finished = inputs.manifest.frame, str(inputs.run.get("finished") or inputs.run.get("started") or "")[:10]
    cases = count(int(frame["case_id"].nunique()), "case")
    parts = ["Lobule report", finished, f"{count(len(frame), 'image')} of {cases}", inputs.config.features.backbone]
    return " · ".join(part for part in parts if part)


def _tiles(document: Mapping[str, Any], protocol: Protocol) -> list[_Tile]:
    tiles = []
    for name, task, level, metric in _TILES:
        values = level_of(document, task, protocol=protocol, level=level)
        if values is not None:
            number = number_of(values, metric)
            interval = f"95\u00a0%: {number.interval_text}" if number.has_interval else _NO_INTERVAL
            tiles.append(_Tile(name, Cell(number.value_text, why=number.why), interval, number.counts_text))
    return tiles


def _data(inputs: ReportInputs) -> dict[str, Any]:
    from lobule.data.split import describe

    return {
        "data_table": data_table(inputs.manifest.frame),
        "audit_findings": audit_lines(inputs.audit),
        "audit_notes": inputs.audit.skipped,
        "imbalance_table": imbalance_table(inputs.audit),
        "policy_text": inputs.split.policy,
        "split_table": split_table(describe(inputs.split, inputs.manifest), unit=inputs.split.group_by),
    }


def _tables(inputs: ReportInputs) -> dict[str, Any]:
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    binary = level_of(document, "binary", protocol=protocol, level="image") if protocol else None
    subtype = level_of(document, "subtype", protocol=protocol, level="image") if protocol else None
    strata = [
        magnification_table(binary or {}, "binary", caption="Benign or malignant by magnification, per image"),
        magnification_table(subtype or {}, "subtype", caption="Eight subtypes by magnification, per image"),
        subtypes_table(binary, subtype, caption="By tumour subtype, per image"),
    ]
    return {
        "binary": metrics_table(document, "binary", caption="All metrics; positive class: malignant"),
        "subtype": metrics_table(document, "subtype", caption="All metrics, eight classes"),
        "strata": [table for table in strata if table],
        "interval_note": _INTERVAL_NOTE,
        "gallery_note": (
            "The most confident errors, worst first: the image, and where the network took its evidence from"
            " (Grad-CAM; red: more). The map for malignancy is shown even where the answer was benign."
            " The two heads answer independently and can contradict each other."
        ),
    }


def _ending(inputs: ReportInputs) -> dict[str, Any]:
    intended, out_of_scope = intended_use()
    digests = [
        ("Data set (SHA-256)", inputs.manifest.digest),
        ("Split", f"by {inputs.split.group_by}, seed {inputs.split.seed}, {len(inputs.split.folds)} folds"),
        ("Model", chosen_model(inputs)),
        ("Seed", str(inputs.config.seed)),
    ]
    return {
        "intended": intended,
        "out_of_scope": out_of_scope,
        "limits": limits(inputs),
        "synthetic": inputs.synthetic,
        "breakhis": is_breakhis(inputs.manifest),
        "citation": BREAKHIS_CITATION,
        "version": lobule.__version__,
        "command": str(inputs.run.get("command") or ""),
        "digests": [(name, value) for name, value in digests if value],
        "settings": inputs.config.to_yaml(),
        "run_facts": list(_flat(inputs.run)),
    }


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested record as lines of dotted names and texts."""
    lines: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            lines += _flat(cast(Mapping[str, Any], item), f"{name}.")
        elif isinstance(item, list | tuple):
            lines.append((name, ", ".join(str(part) for part in item)))
        elif item is not None:
            lines.append((name, str(item)))
    return lines
