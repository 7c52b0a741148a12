"""Fixed ways of looking at an image, and the way back for its maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lobule.errors import ConfigError
from lobule.view_names import ViewName

__all__ = ["VIEWS", "apply_view", "apply_views", "undo_view_on_map"]

VIEWS: Final[tuple[str, ...]] = get_args(ViewName)

_CROP_SIDE: Final = 0.75
_CROP_CORNER: Final[Mapping[str, tuple[float, float]]] = {
    "crop_centre": (0.125, 0.125),
    "crop_top_left": (0.0, 0.0),
    "crop_top_right": (0.0, 0.25),
    "crop_bottom_left": (0.25, 0.0),
    "crop_bottom_right": (0.25, 0.25),
}
_Turn = Callable[[NDArray[Any]], NDArray[Any]]
_TURN: Final[Mapping[str, _Turn]] = {
    "identity": lambda image: image,
    "flip_horizontal": lambda image: image[:, ::-1],
    "flip_vertical": lambda image: image[::-1],
    "rotate_90": lambda image: np.rot90(image, 1),
    "rotate_180": lambda image: np.rot90(image, 2),
    "rotate_270": lambda image: np.rot90(image, 3),
    "transpose": lambda image: image.swapaxes(0, 1),
    "transverse": lambda image: image[::-1, ::-1].swapaxes(0, 1),
}
_TURN_BACK: Final[Mapping[str, str]] = {"rotate_90": "rotate_270", "rotate_270": "rotate_90"}


def apply_view(image: NDArray[np.uint8], view: str, *, size: int) -> NDArray[np.uint8]:
    """Return one view of an image, squashed to a square.

    The flips, quarter turns (counter-clockwise) and transpositions act on the squashed image; a crop is a window of
    three quarters of the original's height and width, squashed afterwards. Resizing is Pillow's bicubic filter.

    Args:
        image: (height, width, 3) RGB, 0..255.
        view: one of `VIEWS`.
        size: side of the result in pixels.

    Returns:
        (size, size, 3) RGB, contiguous.

    Raises:
        ConfigError: the view is unknown.
    """
    if corner := _CROP_CORNER.get(view):
        return _squash(_window(image, corner), size)
    return np.ascontiguousarray(_turn(view)(_squash(image, size)))


def apply_views(image: NDArray[np.uint8], views: Sequence[str], *, size: int) -> list[NDArray[np.uint8]]:
    """Return several views of an image, as `apply_view` gives them, squashing the whole image once.

    Args:
        image: (height, width, 3) RGB, 0..255.
        views: of `VIEWS`.
        size: side of the results in pixels.

    Raises:
        ConfigError: a view is unknown.
    """
    squashed = _squash(image, size) if set(views) - set(_CROP_CORNER) else image
    return [apply_view(image if view in _CROP_CORNER else squashed, view, size=size) for view in views]


def undo_view_on_map(values: NDArray[np.floating[Any]], view: str) -> NDArray[np.floating[Any]]:
    """Return a map made on a view in the frame of the original image, cell for cell.

    Args:
        values: (h, w) map of the view, such as a heat map.
        view: one of `VIEWS`.

    Returns:
        (h, w) map, (w, h) where the view exchanges the axes. The map of a crop is laid bilinearly where the crop was
        cut; cells whose centres lie outside of it are nan.

    Raises:
        ConfigError: the view is unknown.
    """
    if corner := _CROP_CORNER.get(view):
        rows = _interpolation(values.shape[0], corner[0])
        columns = _interpolation(values.shape[1], corner[1])
        return np.asarray(rows @ values @ columns.T, dtype=values.dtype)
    return np.ascontiguousarray(_turn(_TURN_BACK.get(view, view))(values))


def _turn(view: str) -> _Turn:
    if view not in _TURN:
        raise ConfigError(f"features.views: {view!r} is not a view; allowed: {', '.join(VIEWS)}.")
    return _TURN[view]


def _squash(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if image.shape[:2] == (size, size):
        return np.ascontiguousarray(image)
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def _window(image: NDArray[np.uint8], corner: tuple[float, float]) -> NDArray[np.uint8]:
    rows, columns = (
        slice(round(start * length), round(start * length) + max(1, round(_CROP_SIDE * length)))
        for start, length in zip(corner, image.shape[:2], strict=True)
    )
    return np.ascontiguousarray(image[rows, columns])


def _interpolation(cells: int, start: float) -> NDArray[np.float64]:
    """Return (cells, cells) weights that take an axis of a crop's map to the same axis of the whole frame."""
    centres = ((np.arange(cells) + 0.5) / cells - start) / _CROP_SIDE
    unit = np.eye(cells)
    weights = np.stack([np.interp(centres * cells - 0.5, np.arange(cells), unit[cell]) for cell in range(cells)], 1)
    weights[(centres < 0) | (centres > 1)] = np.nan
    return weights
