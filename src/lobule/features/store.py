"""The feature store: what was computed once is never computed again, and never half written.

    features/<key>/spec.json                       what the features are, for people
    features/<key>/<view>/<digest>.safetensors     a shard: "pixels" (n, 32) uint8, "features" (n, D) float32
    features/<key>/<view>/<digest>.parquet         or a table: "pixel_sha256" (text), "features" (D float32), with
                                                   LOBULE_SHARDS=parquet; both may lie side by side

A shard is written whole beside its place, then renamed to the SHA-256 of its own bytes. Nothing is ever changed, so any
number of processes may append and read at once; a shard whose bytes do not match its name is as good as absent. What a
killed process left half written goes with the next append: its lock is gone, and no clock is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lobule.errors import DataError, RunError
from lobule.features.shards import (
    PARQUET,
    TENSORS,
    packed_parquet,
    packed_tensors,
    unpacked_parquet,
    unpacked_tensors,
    wants_parquet,
)
from lobule.features.spec import EncoderSpec
from lobule.provenance import cache_folder, write_atomically
from lobule.storage import flush_folder, sweep, write_durably

__all__ = ["FeatureStore"]


class FeatureStore:
    """Features of images by view, in a folder.

    Args:
        folder: where the shards lie; made when something is appended.
        feature_size: length D of a feature vector.
    """

    def __init__(self, folder: Path, *, feature_size: int) -> None:
        self.folder = Path(folder)
        self.feature_size = feature_size

    @classmethod
    def of(cls, spec: EncoderSpec) -> FeatureStore:
        """Return the store of a specification, in Lobule's cache folder."""
        store = cls(cache_folder() / "features" / spec.key, feature_size=spec.feature_size)
        if not (store.folder / "spec.json").exists():
            write_atomically(store.folder / "spec.json", json.dumps(spec.to_json(), indent=2))
        return store

    def read(self, pixel_sha256s: Sequence[str], view: str) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Look images up.

        Args:
            pixel_sha256s: n digests of decoded pixels, in hexadecimal; repeats allowed.
            view: a view.

        Returns:
            found (n,); features (n, D), zeros where nothing was found.
        """
        features = np.zeros((len(pixel_sha256s), self.feature_size), np.float32)
        return self.read_into(features, pixel_sha256s, view), features

    def read_into(self, features: NDArray[np.float32], pixel_sha256s: Sequence[str], view: str) -> NDArray[np.bool_]:
        """Look images up as `read` does, into (n, D) features that are there already; return found (n,)."""
        rows: dict[bytes, list[int]] = {}
        for row, digest in enumerate(pixel_sha256s):
            rows.setdefault(bytes.fromhex(digest), []).append(row)
        found = np.zeros(len(pixel_sha256s), bool)
        for pixels, values in self._shards(view):
            for index, pixel_digest in enumerate(pixels):
                for row in rows.pop(pixel_digest, []):
                    found[row], features[row] = True, values[index]
            if not rows:
                break
        return found

    def append(self, pixel_sha256s: Sequence[str], view: str, features: NDArray[np.float32]) -> None:
        """Add images, whole or not at all.

        Args:
            pixel_sha256s: n digests of decoded pixels, in hexadecimal.
            view: a view.
            features: (n, D), finite.

        Raises:
            DataError: the features are not finite, or not (n, D) of float32.
            ConfigError: LOBULE_SHARDS names no kind of shard.
            MissingExtraError: it says parquet, and pyarrow is not installed.
            RunError: the folder cannot be written.
        """
        self._require_sound(pixel_sha256s, features)
        if not len(features):
            return
        pack, suffix = (packed_parquet, PARQUET) if wants_parquet() else (packed_tensors, TENSORS)
        content = pack(pixel_sha256s, features)
        folder = self.folder / view
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for place in (self.folder, folder):
                sweep(place)
            write_durably(folder / f"{hashlib.sha256(content).hexdigest()}{suffix}", content)
            flush_folder(folder)
        except OSError as error:
            raise RunError(
                f"feature store {folder}: cannot be written ({error.strerror or error}); make room, or set"
                " LOBULE_CACHE to a folder that can be written."
            ) from None

    def _require_sound(self, pixel_sha256s: Sequence[str], features: NDArray[np.float32]) -> None:
        expected = (len(pixel_sha256s), self.feature_size)
        if features.shape != expected or features.dtype != np.float32:
            raise DataError(f"features: expected {expected} of float32, received {features.shape} of {features.dtype}.")
        if not np.isfinite(features).all():
            raise DataError("features: not all finite; do the weights fit the backbone and its preprocessing?")

    def _shards(self, view: str) -> Iterator[tuple[list[bytes], NDArray[np.float32]]]:
        unpack = {TENSORS: unpacked_tensors, PARQUET: unpacked_parquet}
        found = (self.folder / view).glob("[0-9a-f]*.*")
        # Parquet last: who has not installed what reads it needs it for what stands nowhere else alone.
        for path in sorted(found, key=lambda path: (path.suffix == PARQUET, path.name)):
            content = _content(path) if path.suffix in unpack else None
            if content is None or hashlib.sha256(content).hexdigest() != path.stem:
                continue
            shard = unpack[path.suffix](content)
            if shard is not None and shard[1].shape == (len(shard[0]), self.feature_size):
                yield shard


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
