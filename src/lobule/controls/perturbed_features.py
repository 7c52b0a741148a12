"""Features of perturbed images: a perturbation is one more view of an image, kept in the store like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lobule.controls.perturbations import CONDITIONS
from lobule.data.images import decode, pixel_sha256
from lobule.errors import DataError
from lobule.features.engines import open_engine
from lobule.features.extract import extract_spec
from lobule.features.store import FeatureStore
from lobule.features.views import apply_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest
    from lobule.features.engines import Engine
    from lobule.features.spec import EncoderSpec

__all__ = ["UNCHANGED", "PerturbedFeatures"]

UNCHANGED: Final = "unchanged"
"""The condition of an image as it is."""

_VERSION: Final = 1
"""Raised when a perturbation changes what it does: features of older versions are then left alone."""


class PerturbedFeatures:
    """Features of some images under any condition; what the store lacks is computed.

    Args:
        manifest: n images.
        spec: the encoder.
        views: how each perturbed image is looked at.
    """

    def __init__(self, manifest: Manifest, spec: EncoderSpec, *, views: Sequence[str]) -> None:
        self._manifest = manifest
        self._paths, self._digests = manifest.paths, manifest.frame["pixel_sha256"].tolist()
        self._spec, self._views = spec, views
        self._store = FeatureStore.of(spec)
        self._engine: Engine | None = None

    def under(self, condition: str, amount: float) -> NDArray[np.float32]:
        """Return the features (V, n, D) of all images under one condition: a key of `CONDITIONS`, or `UNCHANGED`.

        Raises:
            DataError: a file's pixels are no longer those of the manifest.
        """
        if condition == UNCHANGED:
            return extract_spec(self._manifest, self._spec, views=tuple(self._views)).values
        names = [f"{view}.{condition}_{amount:g}.{_VERSION}" for view in self._views]
        looked_up = [self._store.read(self._digests, name) for name in names]
        values = np.stack([features for _, features in looked_up])
        missing = ~np.stack([found for found, _ in looked_up]).all(axis=0)
        if missing.any():
            rows = np.flatnonzero(missing)
            values[:, rows] = self._encode(rows, condition, amount)
            for view, name in enumerate(names):
                self._store.append([self._digests[row] for row in rows], name, values[view, rows])
        return values

    def _encode(self, rows: NDArray[np.intp], condition: str, amount: float) -> NDArray[np.float32]:
        if self._engine is None:
            self._engine = open_engine(self._spec)
        encoded = self._engine.encode(self._pixels(rows, condition, amount, self._engine.input_size))
        return encoded.reshape(len(rows), len(self._views), -1).swapaxes(0, 1)

    def _pixels(self, rows: NDArray[np.intp], condition: str, amount: float, size: int) -> Iterator[NDArray[np.uint8]]:
        for row in rows:
            image = CONDITIONS[condition].apply(_decoded(self._paths[row], self._digests[row]), amount)
            for view in self._views:
                yield apply_view(image, view, size=size)


def _decoded(path: Path, digest: str) -> NDArray[np.uint8]:
    image = decode(path)
    if pixel_sha256(image) != digest:
        raise DataError(f"{path}: its pixels are no longer those of the manifest; scan the data again.")
    return image
