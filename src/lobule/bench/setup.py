"""What all benchmarks are asked with, and a cache of their own that holds nothing from before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lobule.config import Config, FeatureSettings, load_config
from lobule.errors import ConfigError
from lobule.features.backbones import backbone

__all__ = ["Setup", "fresh_cache"]


@dataclass(frozen=True)
class Setup:
    """What is measured, and on what.

    Attributes:
        backbone: name in the registry.
        weights: `none` (seeded), `imagenet` or the path of a file.
        data: folder of images; None: a mix drawn for the purpose.
        images: number of images; None: what the question takes by itself.
        repeats: rounds; None: what the question takes by itself.
        quick: few images and small numbers, to see that it works; says nothing about speed.
        seed: seed of weights and of drawn images.
        precision: as the setting `features.precision`; int8 is calibrated on the images that are measured.

    Raises:
        ConfigError: an attribute is not allowed.
    """

    backbone: str = "vgg16"
    weights: str = "none"
    data: Path | None = None
    images: int | None = None
    repeats: int | None = None
    quick: bool = False
    seed: int = 0
    precision: Literal["auto", "f32", "bf16", "int8"] = "auto"

    def __post_init__(self) -> None:
        backbone(self.backbone)
        for name in ("images", "repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name} {value}: allowed are 1 and more.")

    @property
    def features(self) -> FeatureSettings:
        """Settings of the encoder: one undistorted view."""
        return FeatureSettings(
            backbone=self.backbone, weights=self.weights, views=("identity",), precision=self.precision
        )

    def config(self, **groups: Any) -> Config:
        """Return the settings of a whole run, default views; `groups` are added."""
        features = {"backbone": self.backbone, "weights": self.weights, "precision": self.precision}
        return load_config(settings={"seed": self.seed, "features": features, **groups})

    def rounds(self, usual: int) -> int:
        """Return the number of rounds: as asked, else one when quick, else the usual one."""
        return self.repeats or (1 if self.quick else usual)

    def count(self, usual: int, *, quick: int) -> int:
        """Return the number of images: as asked, else the quick or the usual one."""
        return self.images or (quick if self.quick else usual)


@contextmanager
def fresh_cache() -> Iterator[Path]:
    """Point LOBULE_CACHE at an empty temporary folder for a while; yields a scratch folder beside it."""
    before = os.environ.get("LOBULE_CACHE")
    with tempfile.TemporaryDirectory(prefix="lobule-bench-") as folder:
        os.environ["LOBULE_CACHE"] = str(Path(folder) / "cache")
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["LOBULE_CACHE"]
            else:
                os.environ["LOBULE_CACHE"] = before
