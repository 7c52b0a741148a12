"""A trained model to measure with: quickly made, of the usual shape, no better than chance."""

from __future__ import annotations

from pathlib import Path

from lobule.bench.setup import Setup
from lobule.bench.workload import Workload, workload_of
from lobule.pipeline import train
from lobule.progress import Progress, silent

__all__ = ["as_data", "small_run"]

_IMAGES = 16


def small_run(setup: Setup, scratch: Path, *, progress: Progress = silent) -> tuple[Path, Workload]:
    """Train on a few images and return the run folder and the images.

    Args:
        setup: backbone and weights.
        scratch: folder for images and run.
        progress: told about every stage.
    """
    workload = workload_of(setup, scratch, images=_IMAGES, progress=progress)
    data, root = as_data(workload, scratch)
    config = setup.config(
        data={"folds": 2, "root": root}, head={"max_epochs": 2}, report={"bootstrap": 0, "gallery": 0}
    )
    train(data, scratch / "run", config=config, progress=progress)
    return scratch / "run", workload


def as_data(workload: Workload, scratch: Path) -> tuple[Path, str]:
    """Write the manifest of the chosen images; return it, and the folder its paths are relative to."""
    manifest = scratch / "manifest.csv"
    workload.manifest.write(manifest)
    return manifest, str(workload.manifest.root.resolve())
