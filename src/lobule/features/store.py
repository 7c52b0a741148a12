"""The feature store: what was computed once is never computed again, and never half written.

    features/<key>/spec.json                       what the features are, for people
    features/<key>/<view>/<digest>.safetensors     a shard: "pixels" (n, 32) uint8, "features" (n, D) float32

A shard is written whole beside its place, then renamed to the SHA-256 of its own bytes. Nothing is ever changed, so any
number of processes may append and read at once; a shard whose bytes do not match its name is as good as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.errors import DataError, RunError
from lobule.features.spec import EncoderSpec
from lobule.provenance import cache_folder, write_atomically

__all__ = ["FeatureStore"]

_SUFFIX: Final = ".safetensors"
_ABANDONED_SECONDS: Final = 86_400


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
            RunError: the folder cannot be written.
        """
        self._require_sound(pixel_sha256s, features)
        if not len(features):
            return
        from safetensors.numpy import save

        pixels = np.frombuffer(b"".join(map(bytes.fromhex, pixel_sha256s)), np.uint8).reshape(-1, 32)
        content = save({"pixels": pixels, "features": np.ascontiguousarray(features)})
        folder = self.folder / view
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            _write_durably(folder / f"{hashlib.sha256(content).hexdigest()}{_SUFFIX}", content)
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
        from safetensors import SafetensorError
        from safetensors.numpy import load

        for path in sorted((self.folder / view).glob(f"[0-9a-f]*{_SUFFIX}")):
            content = _content(path)
            if content is None or hashlib.sha256(content).hexdigest() != path.stem:
                continue
            try:
                tensors = load(content)
                pixels, features = tensors["pixels"], tensors["features"]
            except (SafetensorError, KeyError):
                continue
            if features.shape == (len(pixels), self.feature_size):
                yield [row.tobytes() for row in pixels], features


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write_durably(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half written."""
    for unfinished in folder.glob(".*.tmp"):
        try:
            if time.time() - unfinished.stat().st_mtime > _ABANDONED_SECONDS:
                unfinished.unlink()
        except FileNotFoundError:
            continue
