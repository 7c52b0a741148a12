"""Figures about parts of the data: magnifications, subtypes, folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lobule.report.theme import (
    COLOURS,
    GREY,
    INK,
    SUBTYPE_COLOURS,
    Drawing,
    display_name,
    drawing,
    new_figure,
    panel_title,
)
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, SUBTYPES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_by_magnification", "draw_split", "draw_subtype_recall"]

_METRIC_COLOURS = (COLOURS["benign"], COLOURS["malignant"], "#009e73", "#cc79a7")


@drawing
def draw_by_magnification(frame: pd.DataFrame) -> Drawing:
    """Draw metrics with their intervals by magnification.

    Args:
        frame: one row a metric and magnification: `magnification, metric, value, low, high, n_images, n_cases`; nan
            where a number could not be had. Values 0 to 1.
    """
    magnifications, metrics = list(dict.fromkeys(frame["magnification"])), list(dict.fromkeys(frame["metric"]))
    figure = new_figure(7.2, 3.2)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.065, right=0.99, top=0.84, bottom=0.19)
    offsets = np.linspace(-0.33, 0.27, len(metrics)) if len(metrics) > 1 else np.zeros(1)
    for metric, offset, colour in zip(metrics, offsets, _METRIC_COLOURS, strict=False):
        part = frame[frame["metric"] == metric].set_index("magnification").reindex(magnifications)
        _interval_marks(axes, np.arange(len(part)) + offset, part, colour=colour, label=metric)
    sizes = frame.drop_duplicates("magnification").set_index("magnification")
    axes.set_xticks(range(len(magnifications)), [_stratum_name(sizes, key) for key in magnifications])
    axes.set(xlim=(-0.5, len(magnifications) - 0.5), ylim=(_floor_of(frame), 1.02))
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="x", length=0, pad=6)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, handletextpad=0.1, columnspacing=1.4)
    return Drawing(figure, frame.reset_index(drop=True))


def _interval_marks(axes: Axes, places: np.ndarray, part: pd.DataFrame, *, colour: str, label: str) -> None:
    axes.vlines(places, part["low"], part["high"], color=colour, linewidth=1.6, alpha=0.6)
    axes.plot(places, part["value"], "o", color=colour, markersize=5, label=label)
    for place, value in zip(places, part["value"].to_numpy(float), strict=True):
        if np.isfinite(value):
            axes.annotate(f"{value:.2f}", (place, value), xytext=(5, -2.5), textcoords="offset points", fontsize=6.5)


def _stratum_name(sizes: pd.DataFrame, key: str) -> str:
    n_images, n_cases = sizes.loc[key, ["n_images", "n_cases"]].astype(int)
    return f"{key}\n{n_images:,} images, {n_cases} cases"


def _floor_of(frame: pd.DataFrame) -> float:
    lowest = np.nanmin(frame[["value", "low"]].to_numpy(float), initial=0.5)
    return max(0.0, float(np.floor(lowest * 10) / 10) - 0.02)


@drawing
def draw_subtype_recall(frame: pd.DataFrame) -> Drawing:
    """Draw, for each subtype, the share called by the right label and by the right subtype.

    Args:
        frame: one row a subtype and question: `subtype, question` (`label` or `subtype`), `value, low, high, n_images,
            n_cases`; nan where a number could not be had. Values 0 to 1.
    """
    questions = list(dict.fromkeys(frame["question"]))
    titles = {"label": "Label was right", "subtype": "Subtype was right"}
    figure = new_figure(7.2, 3.3)
    panels = np.atleast_1d(figure.subplots(1, len(questions), sharey=True))
    figure.subplots_adjust(left=0.2, right=0.975, top=0.9, bottom=0.1, wspace=0.14)
    for axes, question in zip(panels, questions, strict=True):
        part = frame[frame["question"] == question].reset_index(drop=True)
        _recall_bars(axes, part)
        panel_title(axes, titles[question])
    return Drawing(figure, frame.reset_index(drop=True))


def _recall_bars(axes: Axes, part: pd.DataFrame) -> None:
    places, values = np.arange(len(part)), part["value"].to_numpy(float)
    colours = [COLOURS[LABEL_OF_SUBTYPE[name]] for name in part["subtype"]]
    axes.barh(places, np.nan_to_num(values), color=colours, height=0.62, alpha=0.75)
    axes.hlines(places, part["low"], part["high"], color=INK, linewidth=1.1)
    for place, value in enumerate(values):
        inside = np.isfinite(value) and value > 0.16
        axes.text(
            0.015 if inside else max(0.0, np.nan_to_num(value)) + 0.02,
            place,
            f"{value:.0%}" if np.isfinite(value) else "–",
            va="center",
            fontsize=7.5,
            color="white" if inside else INK,
        )
    names = [
        f"{display_name(row['subtype'])}\n{row['n_images']:,} images, {row['n_cases']} cases"
        for row in part.to_dict("records")
    ]
    axes.set_yticks(places, names, fontsize=7.4)
    axes.set(xlim=(0, 1), ylim=(len(part) - 0.5, -0.5))
    axes.set_xticks(np.linspace(0, 1, 5), [f"{share:.0%}" for share in np.linspace(0, 1, 5)])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


@drawing
def draw_split(frame: pd.DataFrame) -> Drawing:
    """Draw what every part of the split holds: images by class on the left, cases by label on the right.

    Args:
        frame: one row a part and class: `part` (such as `fold 1`), `class` (a subtype, or a label where the subtype is
            not known), `label`, `n_images`, `n_cases`.
    """
    parts = list(dict.fromkeys(frame["part"]))
    figure = new_figure(7.2, 1.25 + 0.25 * len(parts))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    bottom = 0.82 / figure.get_figheight()
    figure.subplots_adjust(left=0.115, right=0.985, top=1 - 0.35 / figure.get_figheight(), bottom=bottom, wspace=0.08)
    handles = _stacked(left, frame, parts)
    by_label = frame[["part", "label", "n_label_cases"]].drop_duplicates()
    _stacked_labels(right, by_label, parts)
    panel_title(left, "Images")
    panel_title(right, "Cases")
    left.set_yticks(range(len(parts)), parts)
    left.set_ylim(len(parts) - 0.5, -0.5)
    figure.legend(handles=handles, loc="lower center", ncols=4, fontsize=7.5, handlelength=1, columnspacing=1.4)
    return Drawing(figure, frame.reset_index(drop=True))


def _stacked(axes: Axes, frame: pd.DataFrame, parts: list[str]) -> list[Any]:
    handles: list[Any] = []
    edge = np.zeros(len(parts))
    for name in (*SUBTYPES, *LABELS):
        part = frame[frame["class"] == name].set_index("part").reindex(parts)
        widths = part["n_images"].fillna(0).to_numpy(float)
        if not widths.any():
            continue
        colour = SUBTYPE_COLOURS.get(name, COLOURS.get(name, GREY))
        label = display_name(name) if name in SUBTYPES else f"{name}, subtype not known"
        handles.append(axes.barh(range(len(parts)), widths, left=edge, color=colour, height=0.66, label=label))
        edge = edge + widths
    _end_labels(axes, edge)
    return handles


def _stacked_labels(axes: Axes, frame: pd.DataFrame, parts: list[str]) -> None:
    edge = np.zeros(len(parts))
    for label in LABELS:
        part = frame[frame["label"] == label].set_index("part").reindex(parts)
        widths = part["n_label_cases"].fillna(0).to_numpy(float)
        axes.barh(range(len(parts)), widths, left=edge, color=COLOURS[label], height=0.66)
        for place, (start, width) in enumerate(zip(edge, widths, strict=True)):
            if width:
                text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5, "color": "white"}
                axes.text(start + width / 2, place, f"{int(width)}", **text)
        edge = edge + widths
    axes.set_xlim(0, edge.max() * 1.05 if edge.any() else 1)
    _plain(axes)


def _end_labels(axes: Axes, totals: np.ndarray) -> None:
    for place, total in enumerate(totals):
        axes.annotate(f"{int(total):,}", (total, place), xytext=(4, -3), textcoords="offset points", fontsize=7.5)
    axes.set_xlim(0, totals.max() * 1.09 if totals.any() else 1)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
