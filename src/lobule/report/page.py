"""What stands on the page, part by part, before it is laid out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, cast

import lobule
from lobule.report.blocks import Block, Plots, Section
from lobule.report.inputs import ReportInputs, standard_banners
from lobule.report.numbers import count, headline_protocol
from lobule.report.sections.abstention import abstention_section
from lobule.report.sections.calibration import calibration_section
from lobule.report.sections.cases import case_section
from lobule.report.sections.data import data_section
from lobule.report.sections.limits import BREAKHIS_CITATION, intended_use, is_breakhis, limits
from lobule.report.sections.method import method_section
from lobule.report.sections.refusals import refusal_section
from lobule.report.sections.result import answer, beside_colour, tiles
from lobule.report.sections.rivals import RIVALS_NOTE, rivals_table, what_rivals_tell
from lobule.report.sections.robustness import robustness_section
from lobule.report.sections.scores import score_section, strata_section
from lobule.report.sections.search import search_section
from lobule.report.sections.thresholds import threshold_section
from lobule.taxonomy import DISCLAIMER

__all__ = ["page_of"]

_BANNER_WORDS: Final = {"danger": "Do not trust these numbers", "warning": "Read with care", "info": "Note"}
_GALLERY_NOTE: Final = (
    "The most confident errors, worst first: the image, and where the network took its evidence from"
    " (Grad-CAM; red: more). The map for malignancy is shown even where the answer was benign."
    " The two heads answer independently and can contradict each other."
)


def page_of(inputs: ReportInputs, sections_with_figures: Collection[str]) -> dict[str, Any]:
    """Return everything the template needs except pictures and style.

    Args:
        inputs: what the report is drawn from.
        sections_with_figures: parts of the page that have at least one figure.
    """
    sections = [_with_figures(section, sections_with_figures) for section in _sections(inputs)]
    shown = [section for section in sections if section.blocks]
    return {**_result(inputs), **_ending(inputs), "sections": shown, "contents": _contents(shown, inputs)}


def _sections(inputs: ReportInputs) -> Iterator[Section]:
    found = (
        method_section(inputs),
        search_section(inputs),
        data_section(inputs),
        score_section(inputs, "binary"),
        calibration_section(inputs),
        threshold_section(inputs),
        abstention_section(inputs),
        refusal_section(inputs),
        case_section(inputs),
        score_section(inputs, "subtype"),
        strata_section(inputs),
        robustness_section(inputs),
        Section("learning", "How it learned", "How it learned", (Plots("learning"),)),
    )
    return (section for section in found if section)


def _with_figures(section: Section, sections_with_figures: Collection[str]) -> Section:
    """Return the section without the places of figures that were not drawn."""
    blocks: list[Block] = [
        block for block in section.blocks if not isinstance(block, Plots) or block.section in sections_with_figures
    ]
    return Section(section.anchor, section.name, section.heading, tuple(blocks))


def _contents(sections: list[Section], inputs: ReportInputs) -> list[tuple[str, str]]:
    parts = [("result", "Result"), *((section.anchor, section.name) for section in sections)]
    parts += [("errors", "Where it fails")] if inputs.gallery else []
    parts += [("limits", "Limits and intended use"), ("cite", "How to cite")]
    return [*parts, *([("reproduce", "How to reproduce")] if _digests(inputs) else [])]


def _result(inputs: ReportInputs) -> dict[str, Any]:
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    own = standard_banners(
        inputs.config, group_by=inputs.unit, synthetic=inputs.synthetic, divided_cases=_divided_cases(inputs)
    )
    return {
        "title": inputs.title,
        "eyebrow": _eyebrow(inputs),
        "disclaimer": DISCLAIMER,
        "banners": (*own, *inputs.banners),
        "banner_words": _BANNER_WORDS,
        "answer": answer(inputs),
        "versus": beside_colour(document),
        "tiles": tiles(document, protocol) if protocol else [],
        "rivals": rivals_table(document, protocol=protocol) if protocol else None,
        "rivals_told": what_rivals_tell(document, protocol=protocol) if protocol else "",
        "rivals_note": RIVALS_NOTE,
        "reading": "The range under a value is its 95\u00a0% interval; images of one case are not independent.",
    }


def _divided_cases(inputs: ReportInputs) -> int:
    """Return how many cases have images in several folds, where only the predictions can tell."""
    if inputs.unit:
        return 0
    from lobule.evaluation.decision.decide import cases_in_several_folds

    return cases_in_several_folds(inputs.predictions)


def _eyebrow(inputs: ReportInputs) -> str:
    frame, finished = inputs.images, str(inputs.run.get("finished") or inputs.run.get("started") or "")[:10]
    cases = count(int(frame["case_id"].nunique()), "case")
    backbone = inputs.config.features.backbone if inputs.config else ""
    parts = ["Lobule report", finished, f"{count(len(frame), 'image')} of {cases}", backbone]
    return " · ".join(part for part in parts if part)


def _ending(inputs: ReportInputs) -> dict[str, Any]:
    intended, out_of_scope = intended_use()
    return {
        "gallery_note": _GALLERY_NOTE,
        "intended": intended,
        "out_of_scope": out_of_scope,
        "limits": limits(inputs),
        "synthetic": inputs.synthetic,
        "breakhis": is_breakhis(inputs.images["path"]),
        "citation": BREAKHIS_CITATION,
        "version": lobule.__version__,
        "command": str(inputs.run.get("command") or ""),
        "digests": _digests(inputs),
        "settings": inputs.config.to_yaml() if inputs.config else "",
        "run_facts": list(_flat(_finished(inputs.run))),
    }


def _digests(inputs: ReportInputs) -> list[tuple[str, str]]:
    split, config = inputs.split, inputs.config
    if not (inputs.run or config):
        return []
    models = sorted({name for name in inputs.predictions.frame["model_id"] if name})
    found = [
        ("Data set (SHA-256)", inputs.manifest.digest if inputs.manifest else ""),
        ("Split", f"by {split.group_by}, seed {split.seed}, {count(len(split.folds), 'fold')}" if split else ""),
        ("Model", models[0] if len(models) == 1 else ""),
        ("Seed", str(config.seed) if config else ""),
    ]
    return [(name, value) for name, value in found if value]


def _finished(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record as it is once the page stands: the page is written by the last stage of a run."""
    return {**record, "status": "done"} if record.get("status") == "running" else record


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
