"""What the encoder is made of: filters from patches, and linear maps by least squares; nothing is iterated for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["draw_patches", "learn_filters", "ridge"]

_ITERATIONS: Final = 8
_SMALLEST_NORM: Final = 1e-6


def draw_patches(maps: NDArray[np.generic], size: int, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return patches of maps, flattened, (count, size * size * C), images and places drawn at random.

    Args:
        maps: (n, h, w, C).
        size: side of a patch.
        count: how many.
        random: draws them.
    """
    n, height, width, _ = maps.shape
    images = random.integers(0, n, count)
    rows = random.integers(0, height - size + 1, count)
    columns = random.integers(0, width - size + 1, count)
    patches = [
        maps[image, row : row + size, column : column + size].ravel()
        for image, row, column in zip(images, rows, columns, strict=True)
    ]
    return np.stack(patches).astype(np.float32)


def learn_filters(
    patches: NDArray[np.float32],
    count: int,
    *,
    directions: int,
    ridge: float,
    offset: float,
    random: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return linear filters (D, count) and their biases (count,), to be followed by a ReLU, without any label.

    Patches are whitened and grouped by direction (spherical k-means; Coates and Ng 2012, Learning Feature
    Representations with K-means). A filter answers how far a patch points to the centre of a group, in standard
    deviations over the patches, less `offset`.

    Args:
        patches: (n, D).
        count: number of filters.
        directions: principal directions that are kept.
        ridge: added to every variance before whitening, as a share of the mean variance.
        offset: what an answer must exceed to pass the ReLU.
        random: draws the first centres.
    """
    mean, whiten = _whitening(patches, directions, ridge)
    whitened = _single((patches - mean) @ whiten)
    centres = _centres(whitened, count, random)
    kernel, spread = whiten @ centres.T, (whitened @ centres.T).std(axis=0)
    return _single(kernel / spread), _single(-(mean @ kernel) / spread - offset)


def ridge(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], *, penalty: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the linear map (D, K) and the constant (K,) of a ridge regression.

    Args:
        inputs: (n, D).
        targets: (n, K).
        penalty: of the squared weights, as a share of the mean squared spread of the inputs.
    """
    mean, level = inputs.mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    centred, wanted = (inputs - mean).astype(np.float32), (targets - level).astype(np.float32)
    products = (centred.T @ centred).astype(np.float64)
    penalised = products + penalty * float(np.trace(products)) / len(products) * np.eye(len(products))
    weights = np.linalg.solve(penalised, (centred.T @ wanted).astype(np.float64))
    return _single(weights), _single(level - mean @ weights)


def _whitening(
    patches: NDArray[np.float32], directions: int, ridge: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean = patches.mean(axis=0, dtype=np.float64)
    variances, vectors = np.linalg.eigh(np.cov((patches - mean).T))
    kept = min(directions, len(variances))
    largest, along = variances[::-1][:kept], vectors[:, ::-1][:, :kept]
    return _single(mean), _single(along / np.sqrt(largest + ridge * variances.mean()))


def _centres(whitened: NDArray[np.float32], count: int, random: np.random.Generator) -> NDArray[np.float32]:
    points = whitened / np.maximum(np.linalg.norm(whitened, axis=1, keepdims=True), _SMALLEST_NORM)
    centres = points[random.choice(len(points), count, replace=False)]
    for _ in range(_ITERATIONS):
        nearest = (points @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, points)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        fresh = points[random.choice(len(points), count)]  # A centre that nothing is near to starts again elsewhere.
        centres = np.where(length > _SMALLEST_NORM, sums / np.maximum(length, _SMALLEST_NORM), fresh)
    return _single(centres)


def _single(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)
