"""Figures about the classifier: each function takes arrays and returns a figure with the numbers it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lobule.report.numbers import count
from lobule.report.theme import COLOURS, GREY, INK, Drawing, display_name, drawing, new_figure, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from lobule.evaluation.predictions import Protocol

__all__ = [
    "draw_cases",
    "draw_confusion_matrices",
    "draw_learning_curves",
    "draw_operating_curves",
]

_TRAIN, _VALIDATION = GREY, COLOURS["benign"]


@drawing
def draw_learning_curves(history: pd.DataFrame, *, chosen_epoch: int | None = None) -> Drawing:
    """Draw loss and accuracy by epoch: the holdout bold, each fold thin, the epoch that was used marked.

    Args:
        history: rows of one task with the columns of history.csv.
        chosen_epoch: number of epochs that was used, counted from 1.
    """
    figure = new_figure(7.2, 2.9)
    panels = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.07, right=0.985, top=0.86, bottom=0.27, wspace=0.2)
    for axes, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        panel_title(axes, quantity.capitalize())
        for (protocol, _), part in history.groupby(["protocol", "fold"], sort=True, dropna=False):
            _learning_curve(axes, part.sort_values("epoch"), quantity, is_holdout=protocol == "holdout")
        _mark_epoch(axes, chosen_epoch)
        axes.set_xlabel("Epoch")
        axes.margins(x=0.02)
        axes.xaxis.get_major_locator().set_params(integer=True)
    _legend_below(figure, _learning_keys(history, chosen_epoch))
    return Drawing(figure, history.reset_index(drop=True))


def _learning_curve(axes: Axes, part: pd.DataFrame, quantity: str, *, is_holdout: bool) -> None:
    width, opacity = (2.0, 1.0) if is_holdout else (0.8, 0.55)
    for kind, colour in (("train", _TRAIN), ("validation", _VALIDATION)):
        values = part[f"{kind}_{quantity}"].to_numpy(float)
        axes.plot(part["epoch"], values, color=colour, linewidth=width, alpha=opacity, zorder=3 if is_holdout else 2)


def _mark_epoch(axes: Axes, chosen_epoch: int | None) -> None:
    if chosen_epoch is not None:
        axes.axvline(chosen_epoch, color=COLOURS["malignant"], linewidth=1, linestyle=(0, (4, 2)), zorder=1)


def _learning_keys(history: pd.DataFrame, chosen_epoch: int | None) -> list[tuple[str, dict[str, Any]]]:
    present = set(history["protocol"])
    keys: list[tuple[str, dict[str, Any]]] = []
    for protocol, name, width in (("holdout", "holdout", 2.0), ("folds", "each fold", 0.8)):
        if protocol in present:
            keys.append((f"Training, {name}", {"color": _TRAIN, "linewidth": width}))
            keys.append((f"Validation, {name}", {"color": _VALIDATION, "linewidth": width}))
    if chosen_epoch is not None:
        keys.append(
            (f"Used: {chosen_epoch}", {"color": COLOURS["malignant"], "linewidth": 1, "linestyle": (0, (4, 2))})
        )
    return keys


def _legend_below(figure: Any, keys: Sequence[tuple[str, dict[str, Any]]]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=label, **style) for label, style in keys]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), handlelength=1.6, columnspacing=1.4)


@drawing
def draw_confusion_matrices(counts: Mapping[str, NDArray[np.int64]], *, labels: Sequence[str]) -> Drawing:
    """Draw confusion matrices side by side: count and share of the row in every cell.

    Args:
        counts: panel title -> (C, C), rows are the true class; one panel where there are more than two classes.
        labels: C class names.
    """
    many = len(labels) > 2
    figure = new_figure(6.4, 5.4) if many else new_figure(7.2, 2.3)
    panels = np.atleast_1d(figure.subplots(1, len(counts) if many else max(4, len(counts))))
    edges = {"left": 0.245, "bottom": 0.22, "top": 0.94} if many else {"left": 0.06, "bottom": 0.17, "top": 0.86}
    figure.subplots_adjust(**edges, right=0.99, wspace=0.42)
    for axes in panels[len(counts) :]:
        axes.set_axis_off()
    frames = []
    for axes, (name, matrix) in zip(panels, counts.items(), strict=False):
        panel_title(axes, name)
        axes.set_xlabel(f"Predicted (n = {int(matrix.sum()):,})")
        frames.append(_matrix(axes, matrix, labels).assign(panel=name))
    return Drawing(figure, pd.concat(frames, ignore_index=True))


def _matrix(axes: Axes, matrix: NDArray[np.int64], labels: Sequence[str]) -> pd.DataFrame:
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    many = len(labels) > 2
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto" if many else "equal")
    for (row, column), share in np.ndenumerate(shares):
        seen = bool(matrix[row, column])
        text = f"{matrix[row, column]:,}\n{share:.0%}" if seen else "0" if totals[row, 0] else "–"
        colour = "white" if share > 0.6 else INK if seen else GREY
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color=colour)
    names = [display_name(name) for name in labels]
    axes.set_xticks(range(len(labels)), names, rotation=40 if many else 0, ha="right" if many else "center")
    axes.set_yticks(range(len(labels)), names, rotation=0 if many else 90, va="center")
    axes.set_ylabel("True", labelpad=2)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    index = pd.MultiIndex.from_product([labels, labels], names=["true", "predicted"])
    return pd.DataFrame({"count": matrix.ravel(), "row_share": shares.ravel()}, index=index).reset_index()


@drawing
def draw_operating_curves(
    curves: Mapping[Protocol, Mapping[str, NDArray[np.float64]]], *, notes: Mapping[Protocol, str], prevalence: float
) -> Drawing:
    """Draw receiver operating characteristic and precision-recall curves, the first protocol bold.

    Args:
        curves: protocol -> arrays `false_positive_rate, true_positive_rate, precision, recall`; the first two have one
            length, the last two another; all in 0 to 1.
        notes: protocol -> legend text for the left panel, such as an area with its interval.
        prevalence: share of malignant images, 0 to 1, drawn as the chance line of the right panel.
    """
    figure = new_figure(7.2, 3.7)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.075, right=0.985, top=0.9, bottom=0.13, wspace=0.22)
    styles: tuple[dict[str, Any], ...] = (
        {"color": COLOURS["benign"], "linewidth": 2.0},
        {"color": GREY, "linewidth": 1.2},
    )
    left.plot([0, 1], [0, 1], color="#c9ccd2", linewidth=0.8, linestyle=(0, (4, 3)))
    right.axhline(prevalence, color="#c9ccd2", linewidth=0.8, linestyle=(0, (4, 3)))
    for (protocol, curve), style in zip(curves.items(), styles, strict=False):
        left.plot(curve["false_positive_rate"], curve["true_positive_rate"], label=notes[protocol], **style)
        right.step(curve["recall"], curve["precision"], where="post", **style)
    _frame_unit_square(left, "1 − specificity", "Sensitivity (recall)")
    _frame_unit_square(right, "Sensitivity (recall)", "Precision")
    panel_title(left, "Receiver operating characteristic")
    panel_title(right, "Precision and recall")
    left.legend(loc="lower right", handlelength=1.4)
    right.annotate(
        f"malignant share {prevalence:.2f}", (0.01, prevalence), xytext=(0, -11), textcoords="offset points", fontsize=8
    )
    return Drawing(figure, _curve_points(curves))


def _frame_unit_square(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), xlabel=x_label, ylabel=y_label)


def _curve_points(curves: Mapping[Protocol, Mapping[str, NDArray[np.float64]]]) -> pd.DataFrame:
    pairs = {"roc": ("false_positive_rate", "true_positive_rate"), "precision_recall": ("recall", "precision")}
    frames = [
        pd.DataFrame({"protocol": protocol, "curve": name, "x": curve[x], "y": curve[y]})
        for protocol, curve in curves.items()
        for name, (x, y) in pairs.items()
    ]
    return pd.concat(frames, ignore_index=True)


@drawing
def draw_cases(frame: pd.DataFrame, *, threshold: float) -> Drawing:
    """Draw every case as a column of its images' probabilities, ordered by the case's own probability.

    Args:
        frame: one row an image: `case_id, label, probability, case_probability` (0 to 1), `called_malignant` (of the
            case; those called wrongly get a ring).
        threshold: probability from which on an image is called malignant.
    """
    ordered = frame.sort_values(["case_probability", "case_id", "probability"], kind="stable")
    cases = ordered.drop_duplicates("case_id").reset_index(drop=True)
    place = ordered["case_id"].map({case: index for index, case in enumerate(cases["case_id"])}).to_numpy()
    figure = new_figure(7.2, 3.5)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.065, right=0.99, top=0.86, bottom=0.2 if len(cases) <= 90 else 0.11)
    axes.axhline(threshold, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    for label, marker in (("benign", "o"), ("malignant", "D")):
        chosen = (ordered["label"] == label).to_numpy()
        colour, values = COLOURS[label], ordered["probability"].to_numpy(float)
        axes.plot(place[chosen], values[chosen], "o", color=colour, markersize=2.6, alpha=0.4, markeredgewidth=0)
        own = cases[cases["label"] == label]
        style: dict[str, Any] = {"color": colour, "markersize": 5.2, "markeredgecolor": "white", "markeredgewidth": 0.7}
        axes.plot(own.index, own["case_probability"], marker, label=f"{label}, {len(own)} cases", **style)
    wrong = cases[cases["called_malignant"].astype(bool) != (cases["label"] == "malignant")]
    if len(wrong):
        ring: dict[str, Any] = {"markersize": 9.5, "markerfacecolor": "none", "markeredgecolor": INK, "color": INK}
        axes.plot(
            wrong.index, wrong["case_probability"], "o", label=f"called wrongly, {count(len(wrong), 'case')}", **ring
        )
    _label_cases(axes, cases)
    axes.set(xlim=(-0.8, len(cases) - 0.2), ylim=(-0.03, 1.03), ylabel="Probability of malignancy")
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, handletextpad=0.2, columnspacing=1.2)
    panel_title(axes, "Every case")
    columns = ["image_id", "case_id", "label", "probability", "case_probability", "called_malignant"]
    return Drawing(figure, ordered[[name for name in columns if name in ordered]].reset_index(drop=True))


def _label_cases(axes: Axes, cases: pd.DataFrame) -> None:
    if len(cases) > 90:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(cases)} cases")
        return
    names = [_shortened(str(case)) for case in cases["case_id"]]
    style: dict[str, Any] = {"rotation": 90, "fontsize": 5.2, "fontfamily": "DejaVu Sans Mono", "parse_math": False}
    axes.set_xticks(range(len(cases)), names, **style)
    for text, label in zip(axes.get_xticklabels(), cases["label"], strict=True):
        text.set_color(COLOURS[label])


def _shortened(name: str, limit: int = 12) -> str:
    """Return a name that fits under a column, in characters that the font has."""
    known = "".join(mark if mark.isprintable() and ord(mark) < 256 else "?" for mark in name)
    return known if len(known) <= limit else f"{known[: limit - 1]}…"
