"""Figures about probabilities and about answering less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lobule.report.theme import COLOURS, GREY, INK, Drawing, drawing, new_figure, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_reliability", "draw_risk_coverage"]

_DIAGONAL: Final[dict[str, Any]] = {"color": "#c9ccd2", "linewidth": 0.8, "linestyle": (0, (4, 3))}
_STAGES: Final = {
    "before": (GREY, "before temperature"),
    "after": (COLOURS["benign"], "after temperature, cross-fitted"),
}
_LEVELS: Final = {"image": (COLOURS["benign"], "Images"), "case": (COLOURS["malignant"], "Cases")}


@drawing
def draw_reliability(frame: pd.DataFrame) -> Drawing:
    """Draw predicted probability against observed share, a panel for images and one for cases.

    Args:
        frame: one row a bin: `level` (image, case), `stage` (before, after), `predicted` (mean probability),
            `observed` (share malignant), `count`.
    """
    figure = new_figure(7.2, 3.9)
    panels = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.075, right=0.985, top=0.92, bottom=0.215, wspace=0.2)
    has_both = "before" in set(frame["stage"])
    for axes, (level, (_, name)) in zip(panels, _LEVELS.items(), strict=True):
        part = frame[frame["level"] == level]
        axes.plot([0, 1], [0, 1], **_DIAGONAL)
        for stage, (colour, label) in _STAGES.items():
            bins = part[part["stage"] == stage]
            axes.plot(bins["predicted"], bins["observed"], color=colour, linewidth=1.2, alpha=0.5, label=label)
            axes.scatter(
                bins["predicted"],
                bins["observed"],
                _sizes(bins["count"]),
                color=colour,
                zorder=3,
                alpha=0.85,
                clip_on=False,
            )
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xlabel="Predicted probability of malignancy")
        total = int(part.loc[part["stage"] == "after", "count"].sum())
        panel_title(axes, name, f"n = {total:,}")
    panels[0].set_ylabel("Share that is malignant")
    if has_both:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=2, handlelength=1.6)
    return Drawing(figure, frame.reset_index(drop=True))


def _sizes(counts: pd.Series[Any]) -> np.ndarray:
    values = counts.to_numpy(dtype=float)
    return np.asarray(10 + 120 * values / max(1.0, values.max(initial=1.0)))


@drawing
def draw_risk_coverage(frame: pd.DataFrame) -> Drawing:
    """Draw the share of errors among the answered against the share that is answered.

    Args:
        frame: one row a step: `level` (image, case), `coverage`, `risk`, `confidence`.
    """
    figure = new_figure(5.4, 3.6)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.115, right=0.975, top=0.91, bottom=0.22)
    for level, (colour, name) in _LEVELS.items():
        part = frame[frame["level"] == level]
        if len(part):
            _risk_line(axes, part, colour=colour, name=name)
    top = max(0.05, float(frame["risk"].max()) * 1.35) if len(frame) else 1.0
    axes.set(xlim=(0, 1.01), ylim=(-0.02 * top, min(1.02, top)), xlabel="Share answered, the surest first")
    axes.set_ylabel("Share of answers that are wrong")
    axes.set_xticks(np.linspace(0, 1, 6), [f"{100 * share:.0f}\u00a0%" for share in np.linspace(0, 1, 6)])
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}\u00a0%")
    panel_title(axes, "Errors by share answered")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, handlelength=1.6)
    return Drawing(figure, frame.reset_index(drop=True))


def _risk_line(axes: Axes, part: pd.DataFrame, *, colour: str, name: str) -> None:
    last = float(part["risk"].iloc[-1])
    axes.step(
        part["coverage"],
        part["risk"],
        where="post",
        color=colour,
        linewidth=1.8,
        label=f"{name}, all answered: {100 * last:.1f}\u00a0%",
    )
    axes.axhline(last, color=colour, linewidth=0.7, linestyle=(0, (4, 3)), alpha=0.7)
    axes.plot(1.0, last, "o", color=colour, markersize=4.5, markeredgecolor=INK, markeredgewidth=0.4, clip_on=False)
