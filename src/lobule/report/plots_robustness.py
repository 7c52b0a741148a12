"""Figure about changed images: small panels, one a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lobule.report.sections.robustness import UNCHANGED, condition_name
from lobule.report.theme import COLOURS, INK, Drawing, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_robustness"]


@drawing
def draw_robustness(frame: pd.DataFrame) -> Drawing:
    """Draw AUROC (above) and share of changed answers (below) by the amount of each condition.

    Args:
        frame: one row a condition and amount: `condition, amount, auroc, low, high, verdict_changes`; nan where a
            number could not be had. Shares 0 to 1. A row `unchanged` is drawn as a line through all panels.
    """
    changed = frame[frame["condition"] != UNCHANGED]
    reference = frame.loc[frame["condition"] == UNCHANGED, "auroc"].astype(float).dropna()
    conditions = list(dict.fromkeys(changed["condition"]))
    widest = int(changed["condition"].value_counts().max())
    figure = new_figure(7.2, 3.5)
    panels = figure.subplots(2, len(conditions), sharey="row", squeeze=False, height_ratios=[1.4, 1])
    figure.subplots_adjust(left=0.085, right=0.99, top=0.91, bottom=0.09, wspace=0.12, hspace=0.16)
    for (above, below), condition in zip(panels.T, conditions, strict=True):
        part = changed[changed["condition"] == condition].reset_index(drop=True)
        for value in reference:
            above.axhline(value, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
        _auroc(above, part)
        _changes(below, part)
        for axes in (above, below):
            _amounts(axes, part, widest)
        above.set_title(condition_name(str(condition)), fontsize=8 if len(conditions) <= 6 else 6.5)
        above.tick_params(labelbottom=False)
    panels[0, 0].set(ylabel="AUROC", ylim=(_floor_of(frame), 1.01))
    largest = float(np.nanmax(changed["verdict_changes"].astype(float), initial=0.0))
    panels[1, 0].set(ylabel="Another verdict", ylim=(0, min(1.0, max(0.1, largest * 1.2))))
    panels[1, 0].yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}\u00a0%")
    return Drawing(figure, frame.reset_index(drop=True))


def _auroc(axes: Axes, part: pd.DataFrame) -> None:
    places, colour = np.arange(len(part)), COLOURS["benign"]
    axes.vlines(places, part["low"].astype(float), part["high"].astype(float), color=colour, linewidth=1.6, alpha=0.5)
    axes.plot(places, part["auroc"].astype(float), "-o", color=colour, markersize=4, linewidth=1.2)


def _changes(axes: Axes, part: pd.DataFrame) -> None:
    style: dict[str, Any] = {"color": COLOURS["malignant"], "width": 0.6, "alpha": 0.8}
    axes.bar(np.arange(len(part)), part["verdict_changes"].astype(float).fillna(0.0), **style)


def _amounts(axes: Axes, part: pd.DataFrame, widest: int) -> None:
    names = [f"{value:g}" if pd.notna(value) else "" for value in pd.to_numeric(part["amount"], errors="coerce")]
    axes.set_xticks(range(len(part)), names, fontsize=6.5)
    margin = (widest - len(part)) / 2
    axes.set_xlim(-0.6 - margin, len(part) - 0.4 + margin)
    axes.grid(visible=False, axis="x")


def _floor_of(frame: pd.DataFrame) -> float:
    lowest = np.nanmin(frame[["auroc", "low"]].to_numpy(float), initial=0.9)
    return max(0.0, float(np.floor(lowest * 10) / 10))
