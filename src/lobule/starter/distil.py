"""The encoder of the starter model, made from images and what a teacher sees in them, stage by stage.

Nothing here knows a label. Filters are found in patches of the images, linear maps by ridge regression, so that the
same seed gives the same encoder up to the rounding of sums, in a minute or less for some hundreds of images:

1. "texture": filters on patches of the pixels.
2. "bottleneck": those directions of the texture that say most, linearly, about the teacher's map, cell by cell.
3. "cells": filters on patches of the bottleneck's map.
4. "last": from the means of both stages over an image to the means of the teacher's channels over it. As both are
   averages, the same linear map applied to each cell gives a map whose average is the prediction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.features.backbones import STARTER, STARTER_CHANNELS
from lobule.features.build import build
from lobule.features.keras_runtime import import_keras
from lobule.features.weights import resolve_weights
from lobule.starter.solve import draw_patches, learn_filters, ridge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lobule.starter.teacher import Lessons

__all__ = ["Recipe", "distil"]

_CHUNK: Final = 32
_SMALLEST_SPREAD: Final = 1e-6


@dataclass(frozen=True)
class Recipe:
    """How an encoder is made; chosen on the partition of seed 2000, which no reported number uses.

    Attributes:
        patches: that the filters of a stage are found in.
        texture_directions: principal directions of patches of pixels.
        cells_directions: of patches of the bottleneck's map.
        texture_ridge: added to their variances; see `lobule.starter.solve.learn_filters`.
        cells_ridge: likewise.
        offset: of the filters, in standard deviations.
        teacher_directions: principal directions of the teacher's map that the bottleneck looks for.
        bottleneck_penalty: of the ridge regression on cells.
        last_penalty: of the ridge regression on images.
    """

    patches: int = 40_000
    texture_directions: int = 80
    cells_directions: int = 128
    texture_ridge: float = 0.02
    cells_ridge: float = 0.05
    offset: float = 0.5
    teacher_directions: int = 64
    bottleneck_penalty: float = 1e-3
    last_penalty: float = 1e-2


def distil(images: NDArray[np.uint8], lessons: Lessons, *, recipe: Recipe, seed: int) -> Any:
    """Make an encoder from some images alone.

    Args:
        images: (n, 224, 224, 3) RGB, 0..255: all that it ever sees.
        lessons: of these images.
        recipe: sizes and penalties.
        seed: decides which patches are drawn, and the first centres of groups.

    Returns:
        The Keras model that `lobule.features.build.build` makes of `STARTER`, with its weights.
    """
    encoder = build(STARTER, resolve_weights("none", STARTER, seed=seed), seed=seed)
    random = np.random.default_rng(seed)
    mean, spread = lessons.means.mean(axis=0), lessons.means.std(axis=0) + _SMALLEST_SPREAD
    wanted = (lessons.means - mean) / spread
    texture = _texture(encoder, images, recipe, random)
    bottleneck = _bottleneck(encoder, texture, (lessons.maps, mean, spread), _main_directions(wanted, recipe), recipe)
    cells = _cells(encoder, bottleneck, recipe, random)
    seen = np.concatenate([texture.mean(axis=(1, 2)), cells.mean(axis=(1, 2))], axis=1)
    _assign(encoder, "last", *ridge(seen, wanted, penalty=recipe.last_penalty))
    return encoder


def _texture(
    encoder: Any, images: NDArray[np.uint8], recipe: Recipe, random: np.random.Generator
) -> NDArray[np.float32]:
    """Find the first filters; return their pooled map, (n, 28, 28, channels)."""
    size = encoder.get_layer("texture").kernel_size[0]
    patches = draw_patches(images, size, recipe.patches, random) / 127.5 - 1
    filters = learn_filters(
        patches.astype(np.float32),
        STARTER_CHANNELS["texture"],
        directions=recipe.texture_directions,
        ridge=recipe.texture_ridge,
        offset=recipe.offset,
        random=random,
    )
    _assign(encoder, "texture", *filters)
    return _run(encoder.input, encoder.get_layer("texture_pool").output, images)


def _main_directions(wanted: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """Return the principal directions (k, C) of the teacher's standardised channels over images."""
    return np.asarray(np.linalg.svd(wanted, full_matrices=False)[2][: recipe.teacher_directions], dtype=np.float32)


def _bottleneck(
    encoder: Any,
    texture: NDArray[np.float32],
    teacher: tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.float32]],
    directions: NDArray[np.float32],
    recipe: Recipe,
) -> NDArray[np.float32]:
    """Find the linear bottleneck; return its map, (n, 28, 28, channels), each channel standardised."""
    maps, mean, spread = teacher
    channels = texture.shape[-1]
    halved = _halved(texture).reshape(-1, channels)
    targets = ((maps.reshape(-1, maps.shape[-1]).astype(np.float32) - mean) / spread) @ directions.T
    weights, _ = ridge(halved, np.asarray(targets, np.float32), penalty=recipe.bottleneck_penalty)
    predicted = (halved - halved.mean(axis=0)) @ weights
    turned = np.linalg.eigh((predicted.T @ predicted).astype(np.float64))[1][:, ::-1]
    kernel = np.zeros((channels, STARTER_CHANNELS["bottleneck"]))
    found = turned[:, : kernel.shape[1]]  # Fewer than channels where there are fewer images.
    kernel[:, : found.shape[1]] = weights @ found
    projected = texture @ kernel
    level = projected.mean(axis=(0, 1, 2), dtype=np.float64)
    scale = projected.std(axis=(0, 1, 2), dtype=np.float64) + _SMALLEST_SPREAD
    _assign(encoder, "bottleneck", kernel / scale, -level / scale)
    return np.asarray((projected - level) / scale, dtype=np.float32)


def _cells(
    encoder: Any, bottleneck: NDArray[np.float32], recipe: Recipe, random: np.random.Generator
) -> NDArray[np.float32]:
    """Find the second filters; return their pooled map, (n, 14, 14, channels)."""
    layer = encoder.get_layer("cells")
    filters = learn_filters(
        draw_patches(bottleneck, layer.kernel_size[0], recipe.patches, random),
        STARTER_CHANNELS["cells"],
        directions=recipe.cells_directions,
        ridge=recipe.cells_ridge,
        offset=recipe.offset,
        random=random,
    )
    _assign(encoder, "cells", *filters)
    return _run(layer.input, encoder.get_layer("cells_pool").output, bottleneck)


def _halved(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    n, height, width, channels = maps.shape
    return np.asarray(maps.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4)))


def _assign(encoder: Any, layer: str, kernel: NDArray[Any], bias: NDArray[Any]) -> None:
    """Give a convolution its filters, (h * w * channels in, channels out), and their biases."""
    variables = encoder.get_layer(layer).weights
    for variable, value in zip(variables, (kernel, bias), strict=True):
        variable.assign(np.asarray(value, dtype=np.float32).reshape(variable.shape))


def _run(start: Any, stop: Any, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Return what a part of the encoder gives, from one tensor to another, a few images at a time."""
    part = import_keras().Model(start, stop)
    found = [
        np.asarray(part.predict_on_batch(inputs[row : row + _CHUNK].astype(np.float32)))
        for row in range(0, len(inputs), _CHUNK)
    ]
    return np.concatenate(found)
