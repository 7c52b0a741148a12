"""Do features in a cheaper precision still point where those in single precision do?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.features.engines import Precision
from lobule.provenance import cache_folder, write_atomically

__all__ = ["BOUNDS", "Parity", "digest_of_images", "measured_parities", "parity_of"]

BOUNDS: Final[Mapping[Precision, float]] = {"bf16": 0.999, "int8": 0.99}
"""Lowest cosine, of any image, with which a precision may be used."""


@dataclass(frozen=True)
class Parity:
    """How near features are to those in single precision.

    Attributes:
        backbone: its name.
        precision: what was compared with single precision.
        images: how many were compared; none of them was calibrated with.
        lowest_cosine: of any image's features in the two precisions, -1 to 1.
        calibrated_with: images that a quantisation was calibrated with.
    """

    backbone: str
    precision: Precision
    images: int
    lowest_cosine: float
    calibrated_with: int = 0

    @property
    def bound(self) -> float:
        """Lowest cosine that is allowed."""
        return BOUNDS[self.precision]

    @property
    def is_kept(self) -> bool:
        """Whether the precision may be used; not where a feature is not finite."""
        return self.lowest_cosine >= self.bound

    def __str__(self) -> str:
        calibrated = f" after calibration with {self.calibrated_with}" if self.calibrated_with else ""
        return (
            f"{self.backbone} in {self.precision}: lowest cosine {self.lowest_cosine:.5f} of {self.images} images"
            f"{calibrated}, needed {self.bound:g}"
        )

    def write(self, key: str) -> None:
        """Keep it in the cache under a key."""
        write_atomically(_folder() / f"{key}.json", json.dumps(asdict(self), indent=2))

    @classmethod
    def read(cls, key: str) -> Parity | None:
        """Return what was kept under a key; None: nothing, or nothing that can be read."""
        return _read(_folder() / f"{key}.json")


def parity_of(
    plain: NDArray[np.float32],
    other: NDArray[np.float32],
    *,
    backbone: str,
    precision: Precision,
    calibrated_with: int = 0,
) -> Parity:
    """Compare the (n, D) features of the same images in single and in another precision."""
    ours, theirs = plain.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines = np.sum(ours * theirs, axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    # Of vectors without a length nothing can be said but whether both have none.
    same = np.linalg.norm(ours - theirs, axis=1) == 0
    lowest = float(np.where(same, 1.0, cosines).min())
    return Parity(backbone, precision, len(plain), lowest, calibrated_with)


def digest_of_images(images: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the shape and the pixels of (n, S, S, 3) images, in hexadecimal."""
    digest = hashlib.sha256(str(images.shape).encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()


def measured_parities() -> list[Parity]:
    """Return everything that was measured with this cache."""
    return [parity for path in sorted(_folder().glob("*.json")) if (parity := _read(path))]


def _folder() -> Path:
    return cache_folder() / "parities"


def _read(path: Path) -> Parity | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Parity(**document)
    except (OSError, ValueError, TypeError):
        return None
