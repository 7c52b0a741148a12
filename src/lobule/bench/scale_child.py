"""Measures one number of images in a process of its own: `python -m lobule.bench.scale_child REQUEST`."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lobule.bench.clock import seconds_of
from lobule.config import FeatureSettings
from lobule.data.images import pixel_sha256
from lobule.data.manifest import Manifest
from lobule.features.extract import extract
from lobule.provenance import cache_folder

__all__ = ["main", "peak_bytes", "write_distinct"]

_SIDE = 64


def main(arguments: list[str]) -> int:
    """Encode as many distinct files as the request (JSON) says; write seconds and peak of memory as JSON to stdout."""
    request = json.loads(arguments[0])
    folder = Path(request["scratch"]) / f"sized-{request['images']}"
    manifest = write_distinct(folder, int(request["images"]))
    settings = FeatureSettings(backbone=request["backbone"], weights=request["weights"], views=("identity",))
    shutil.rmtree(cache_folder() / "features", ignore_errors=True)
    seconds = seconds_of(lambda: extract(manifest, settings, seed=request["seed"]))
    shutil.rmtree(folder)
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes()}) + "\n")
    return 0


def write_distinct(folder: Path, count: int) -> Manifest:
    """Write small uncompressed images that differ in one pixel, and describe them."""
    folder.mkdir(parents=True)
    base = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
    return Manifest.from_rows((_row(folder, base, number) for number in range(count)), root=folder)


def _row(folder: Path, base: NDArray[np.uint8], number: int) -> dict[str, Any]:
    base[0, 0] = number % 256, number // 256 % 256, number // 65_536 % 256
    path = folder / f"{number:07}.bmp"
    Image.fromarray(base).save(path)
    return {
        "image_id": path.stem,
        "path": path.name,
        "pixel_sha256": pixel_sha256(base),
        "width": _SIDE,
        "height": _SIDE,
        "label": "benign",
        "patient_id": path.stem,
        "case_id": path.stem,
    }


def peak_bytes() -> int:
    """Return the most memory that this process has had resident, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux counts in ru_maxrss what the parent had when it started the child
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
