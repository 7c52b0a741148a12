"""The model card: the README of a bundle, for whoever is handed the model without its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lobule.features.backbones import STARTER
from lobule.report.card_decisions import decisions_part
from lobule.report.inputs import standard_banners
from lobule.report.numbers import METRIC_NAMES, count, headline_protocol, level_of, number_of
from lobule.report.sections.limits import BREAKHIS_CITATION, intended_use, is_breakhis
from lobule.report.theme import display_name
from lobule.taxonomy import DISCLAIMER, LABELS, SUBTYPES

if TYPE_CHECKING:
    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.evaluation.metrics import Metrics
    from lobule.taxonomy import Task

__all__ = ["DataSummary", "model_card", "summarise"]

_METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("auroc", "balanced_accuracy", "recall", "specificity", "precision", "f1", "brier"),
    "subtype": ("balanced_accuracy", "accuracy", "macro_f1"),
}
_TASK_TITLES: dict[Task, str] = {"binary": "Benign or malignant", "subtype": "Eight subtypes"}
_PROTOCOLS = {
    "folds": "out of fold: every image was scored by a model that had seen no image of its {unit}",
    "holdout": "on one held-out part of the data, with no {unit} of the training part in it",
    "predict": "on predictions as they were given",
}


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What a model was trained on, in numbers.

    Args:
        images: number of images.
        cases: label -> number of cases with such images.
        subtypes: subtype -> number of cases, those that are there.
        magnifications: known magnifications, ascending.
        digest: the data set's SHA-256.
        group_by: unit of the split: case, patient or image.
        breakhis: the file names are those of BreakHis.
        synthetic: the images were drawn by a program.
    """

    images: int
    cases: Mapping[str, int]
    subtypes: Mapping[str, int]
    magnifications: tuple[int, ...]
    digest: str
    group_by: str = "case"
    breakhis: bool = False
    synthetic: bool = False


def summarise(manifest: Manifest, *, group_by: str = "case", synthetic: bool = False) -> DataSummary:
    """Count what a manifest holds."""
    frame = manifest.frame
    cases = frame.groupby("label")["case_id"].nunique()
    subtypes = frame[frame["subtype"] != ""].groupby("subtype")["case_id"].nunique()
    return DataSummary(
        images=len(frame),
        cases={label: int(cases.get(label, 0)) for label in LABELS},
        subtypes={name: int(subtypes[name]) for name in SUBTYPES if name in subtypes},
        magnifications=tuple(sorted({int(value) for value in frame["magnification"].dropna()})),
        digest=manifest.digest,
        group_by=group_by,
        breakhis=is_breakhis(frame["path"]),
        synthetic=synthetic,
    )


def model_card(
    metrics: Metrics, data: DataSummary, *, config: Config, model_id: str, input_size: int, preprocessing: str
) -> str:
    """Return the model card as Markdown.

    Args:
        metrics: what was measured; the out-of-fold numbers are shown where there are any.
        data: what the model was trained on.
        config: settings of the run.
        model_id: name of the model.
        input_size: side of the square the backbone sees, in pixels.
        preprocessing: in a phrase, what happens to the pixels inside the graph.
    """
    parts = [
        f"# {_plain(model_id)}",
        f"**{DISCLAIMER}**",
        *_warnings(data, config),
        _what_it_is(data, config),
        _uses(),
        _training_data(data),
        _preprocessing(config, input_size, preprocessing),
        _results(metrics, data),
        decisions_part(metrics.document),
        _limits(data),
        _how_to_use(),
        _licence(data),
        f"**{DISCLAIMER}**",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, in one line and in a table's cell."""
    escaped = "".join(f"\\{mark}" if mark in "\\`*_[]#|" else mark for mark in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _warnings(data: DataSummary, config: Config) -> list[str]:
    banners = standard_banners(config, group_by=data.group_by, synthetic=data.synthetic)
    return [f"> **{banner.severity.capitalize()}.** {banner.text}" for banner in banners]


def _what_it_is(data: DataSummary, config: Config) -> str:
    subtypes = " and which of eight tumour subtypes it shows" if data.subtypes else ""
    tuned = "with its last blocks fine-tuned" if config.finetune.blocks else "frozen"
    return (
        f"A classifier of H&E-stained breast tissue images, made with Lobule. It tells how likely an image shows a"
        f" malignant tumour{subtypes}. Backbone: {_plain(config.features.backbone)}, {tuned}; on top of it a small"
        f" trained head for each question, whose weights give exact Grad-CAM heat maps. {_about(config)}"
    ).rstrip()


def _about(config: Config) -> str:
    name = config.features.backbone
    return STARTER.about if name == STARTER.name else ""


def _uses() -> str:
    intended, out_of_scope = intended_use()
    return f"## Intended use\n\nFor: {intended}\n\nNot for: {out_of_scope}"


def _training_data(data: DataSummary) -> str:
    cases = ", ".join(f"{count(number, f'{label} case')}" for label, number in data.cases.items())
    lines = [f"{count(data.images, 'image')}: {cases}."]
    if data.magnifications:
        lines.append(f"Magnifications: {', '.join(f'{value}X' for value in data.magnifications)}.")
    if data.subtypes:
        listed = ", ".join(f"{display_name(name)} {number}" for name, number in data.subtypes.items())
        lines.append(f"Cases by subtype: {listed}.")
    lines.append(f"Digest of the data set (SHA-256): `{data.digest}`.")
    return "## Training data\n\n" + "\n".join(lines)


def _preprocessing(config: Config, input_size: int, preprocessing: str) -> str:
    views = ", ".join(name.replace("_", " ") for name in config.features.views)
    inside = _plain(preprocessing.rstrip("."))
    return (
        f"## Preprocessing\n\nAn image is resized to {input_size} × {input_size} pixels (bicubic, RGB, not keeping its"
        f" proportions). Inside the graph: {inside}. The logits of these views are averaged: {views}. All of it travels"
        " with this bundle."
    )


def _results(metrics: Metrics, data: DataSummary) -> str:
    sections = []
    for task in ("binary", "subtype"):
        protocol = headline_protocol(metrics.document, task)
        if protocol is not None:
            how = _PROTOCOLS[protocol].format(unit=data.group_by)
            table = _results_table(metrics, task)
            sections.append(f"### {_TASK_TITLES[task]}\n\nMeasured {how}.\n\n{table}")
    if not sections:
        return "## Results\n\nNothing was measured: no image with a known label was scored."
    note = (
        "In brackets: 95 % intervals, resampling cases. There is no interval with fewer than 5 cases in a class that a"
        " metric needs, or where nothing varies; – is undefined. The shipped model was trained on all cases; these"
        " numbers are of models that were"
        " each trained on a part of them."
    )
    return "\n\n".join(["## Results", note, *sections])


def _results_table(metrics: Metrics, task: Task) -> str:
    protocol = headline_protocol(metrics.document, task)
    if protocol is None:
        return ""
    image = level_of(metrics.document, task, protocol=protocol, level="image")
    case = level_of(metrics.document, task, protocol=protocol, level="case")
    unit = "case and subtype" if task == "subtype" else "case"
    rows = [f"| metric | per image | per {unit} | behind the value per image |", "|---|--:|--:|---|"]
    for name in _METRICS[task]:
        own, of_case = number_of(image, name), number_of(case, name)
        rows.append(f"| {METRIC_NAMES[name]} | {own} | {of_case} | {own.counts_text} |")
    return "\n".join(rows)


def _limits(data: DataSummary) -> str:
    fewest = min(data.cases, key=lambda label: data.cases[label])
    few = [display_name(name) for name, number in data.subtypes.items() if number < 5]
    lines = [
        f"- Only {count(data.cases[fewest], f'{fewest} case')} stand behind these numbers.",
        "- Nothing was validated on data from elsewhere: other stains and scanners can give other results.",
        "- Trained on regions that people chose, not on whole slides.",
        "- A heat map shows where evidence came from; it does not outline tumour.",
    ]
    lines += [f"- Subtypes with fewer than 5 cases cannot be judged: {', '.join(few)}."] if few else []
    return "## Limits\n\n" + "\n".join(lines)


def _how_to_use() -> str:
    return """## How to use

```
lobule predict IMAGES --model THIS_FOLDER --out predictions.csv --heatmaps heatmaps
```

```python
import lobule

model = lobule.load("THIS_FOLDER")
prediction = model.predict("image.png")
overlay = model.heatmap("image.png")
```

Running it needs neither Keras nor TensorFlow. Nothing in this folder can execute code; every file is checked against
`SHA256SUMS` when it is loaded."""


def _licence(data: DataSummary) -> str:
    text = "## Licence and citation\n\nLobule itself: Apache-2.0. "
    if data.synthetic:
        return text + "The training images are synthetic."
    if data.breakhis:
        return text + (
            "The training images are BreakHis, whose licence is stated differently by different sources: treat this"
            f" model as for research only, and cite:\n\n{BREAKHIS_CITATION}"
        )
    return text + "The licence of the training images applies to this model; cite their source."
