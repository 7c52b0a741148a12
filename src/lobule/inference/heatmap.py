"""Exact Grad-CAM in numpy, and its overlay on the image.

The features are the global average of the last map, so the gradient of a logit with respect to the map is the same in
every cell: the head's gradient, divided by the number of cells (Selvaraju et al., ICCV 2017, doi 10.1109/ICCV.2017.74).
No automatic differentiation is needed. Where features were taken from several layers, the map is that of the deepest,
and only what reaches the logit through its part of the features is shown.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from lobule.errors import ConfigError
from lobule.model.head import Head
from lobule.taxonomy import LABELS, POSITIVE_LABEL, Task, classes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HeatMap", "class_activation", "default_class", "explain", "layer", "overlay"]

_STRONGEST_COLOUR: Final = 0.6
_VIRIDIS: Final = (
    "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725"
)
"""Sixteen evenly spaced colours of matplotlib's viridis (CC0): even in lightness, safe for colour-blind readers."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Evidence for one class, by place in the image.

    Attributes:
        values: (h, w) float32, not negative: the part of the logit that each cell of the last map contributes. The
            whole image is covered, whatever its proportions.
        task: what was asked.
        class_name: the class that the evidence speaks for.
        logit: the logit of that class in the view that the map was made of (for `benign`: minus that of `malignant`).
    """

    values: NDArray[np.float32]
    task: Task
    class_name: str
    logit: float

    @property
    def peak(self) -> float:
        """The largest value; 0 where nothing in the image speaks for the class."""
        return float(self.values.max())


def explain(
    head: Head, features: NDArray[np.float32], last_map: NDArray[np.float32], *, toward: str, part: slice
) -> HeatMap:
    """Return the Grad-CAM of one image.

    Args:
        head: trained head.
        features: (D,) features of the image.
        last_map: (h, w, C), whose average over h and w is `features[part]`.
        toward: the class whose evidence is shown.
        part: which of the features the map averages to.

    Raises:
        ConfigError: `toward` is no class of the head's task.
    """
    classes = classes_of(head.task)
    if toward not in classes:
        raise ConfigError(f"toward: {toward!r} is no class of the {head.task} task; allowed: {', '.join(classes)}.")
    output = 0 if head.task == "binary" else classes.index(toward)
    sign = -1 if toward == LABELS[0] else 1
    evidence = sign * class_activation(last_map, head.gradient(features, output)[part])
    logit = sign * float(head.logits(features)[output])
    return HeatMap(np.maximum(evidence, 0).astype(np.float32), head.task, toward, logit)


def class_activation(last_map: NDArray[np.float32], gradient: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the contribution of every cell, (h, w), both signs.

    With a linear head its sum and a constant that does not depend on the image are the logit.

    Args:
        last_map: (h, w, C).
        gradient: (C,), d logit / d feature.
    """
    height, width, _ = last_map.shape
    return np.asarray(last_map @ (gradient / (height * width)), dtype=np.float32)


def overlay(
    image: NDArray[np.uint8], heat_map: HeatMap, *, maximum: float | None = None, strength: float = _STRONGEST_COLOUR
) -> NDArray[np.uint8]:
    """Lay a heat map over its image: dark blue is little, yellow is much, and nothing is laid where there is none.

    Args:
        image: (H, W, 3) RGB, the image that the map was made of, in any size.
        heat_map: what to show.
        maximum: value that gets the strongest colour. None: the map's own peak, so that colours of different images
            cannot be compared; give one number to compare images.
        strength: opacity there, 0 to 1; it falls to 0 with the value, so that the tissue stays visible.

    Returns:
        (H, W, 3) RGB, 0..255.

    Raises:
        ConfigError: `maximum` or `strength` is out of range.
    """
    if maximum is not None and not 0 < maximum < np.inf:
        raise ConfigError(f"maximum: expected a number above 0, or None, received {maximum}.")
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength: expected a number from 0 to 1, received {strength}.")
    top = maximum or heat_map.peak
    if not top:
        return image.copy()
    height, width, _ = image.shape
    share = _share(heat_map, top, height=height, width=width)
    opacity = (strength * share)[..., None]
    return np.asarray((1 - opacity) * image + opacity * _colours(share) + 0.5, dtype=np.uint8)


def layer(heat_map: HeatMap, *, height: int, width: int) -> NDArray[np.uint8]:
    """Return a heat map alone, for a viewer that lays it over the image: at an opacity of 0.6 it looks like `overlay`.

    Args:
        heat_map: what to show, relative to its own peak.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        (height, width, 4) RGBA, 0..255; the alpha falls to 0 with the value.
    """
    if not heat_map.peak:
        return np.zeros((height, width, 4), np.uint8)
    share = _share(heat_map, heat_map.peak, height=height, width=width)
    coloured = np.concatenate([_colours(share), 255 * share[..., None]], axis=2)
    return np.asarray(coloured + 0.5, dtype=np.uint8)


def default_class(task: Task, logits: NDArray[np.floating[Any]]) -> str:
    """Return the class to explain where none was named: malignant, or the subtype with the largest logit, of (8,)."""
    return POSITIVE_LABEL if task == "binary" else classes_of(task)[int(np.argmax(logits))]


def _share(heat_map: HeatMap, top: float, *, height: int, width: int) -> NDArray[np.float32]:
    """Return the values over `top`, from 0 to 1, in the size of the image."""
    small = Image.fromarray(heat_map.values / np.float32(top))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)


def _colours(share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the colours (..., 3), 0..255, of shares (...) from 0 to 1."""
    return _palette()[(share * 255 + 0.5).astype(np.uint8)]


@functools.cache
def _palette() -> NDArray[np.float32]:
    anchors = np.array([list(bytes.fromhex(colour)) for colour in _VIRIDIS.split()], dtype=np.float64)
    places = np.linspace(0, 1, len(anchors))
    channels = [np.interp(np.linspace(0, 1, 256), places, channel) for channel in anchors.T]
    return np.stack(channels, axis=1).astype(np.float32)
