"""How every figure looks: colours that colour-blind readers can tell apart, type that survives print."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "GREY",
    "INK",
    "SUBTYPE_COLOURS",
    "Drawing",
    "display_name",
    "drawing",
    "new_figure",
    "panel_title",
    "png_of",
]

INK: Final = "#22252b"
GREY: Final = "#8a8f98"
COLOURS: Final = {"benign": "#0072b2", "malignant": "#d55e00"}
"""Blue and vermilion of Okabe and Ito's palette."""

SUBTYPE_COLOURS: Final = {
    "adenosis": "#0b3c5d",
    "fibroadenoma": "#0072b2",
    "phyllodes_tumor": "#56b4e9",
    "tubular_adenoma": "#b3dcf5",
    "ductal_carcinoma": "#d55e00",
    "lobular_carcinoma": "#8c2d04",
    "mucinous_carcinoma": "#fd9a4d",
    "papillary_carcinoma": "#fdd0a2",
}

DPI: Final = 170

_STYLE: Final = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#b7bbc2",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8eaed",
    "grid.linewidth": 0.7,
    "xtick.color": "#b7bbc2",
    "ytick.color": "#b7bbc2",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
}

_P = ParamSpec("_P")


class Drawing(NamedTuple):
    """A figure and the numbers it shows, one row a mark."""

    figure: Figure
    numbers: pd.DataFrame


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    with matplotlib.rc_context({**defaults, **_STYLE}):
        yield


def drawing(draw: Callable[_P, Drawing]) -> Callable[_P, Drawing]:
    """Make a function draw in Lobule's style whatever the user's matplotlib settings are."""

    @functools.wraps(draw)
    def styled(*args: _P.args, **kwargs: _P.kwargs) -> Drawing:
        with _style():
            return draw(*args, **kwargs)

    return styled


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) on an Agg canvas, outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def panel_title(axes: Axes, title: str, note: str = "") -> None:
    """Head a panel with a bold title and, beside it, a quiet note."""
    text = axes.set_title(title)
    if note:
        axes.annotate(
            note, (1, 0), xycoords=text, xytext=(6, 0), textcoords="offset points", fontsize=8, color="#5d626b"
        )


def png_of(figure: Figure) -> bytes:
    """Return the figure as a PNG; the same figure gives the same bytes."""
    stream = BytesIO()
    with _style():  # ticks are made when they are drawn
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def display_name(name: str) -> str:
    """Return a class name as it is read: `phyllodes_tumor` -> `phyllodes tumor`."""
    return name.replace("_", " ")
