"""A million images, of which nothing but the names is known: seconds and peak memory of every stage.

    python benchmarks/million.py [--images 1000000] [--images-per-case 100] [--bootstrap 2000] [--json FILE]

The names follow the BreakHis grammar; logits are drawn, so that there is something to score. Each stage is what a
command does: a listing is scanned, the manifest written and read, divided, scored, and the predictions written.
Peak memory is that of the whole process (Linux tells it, and lets it be reset); before a stage, what is free is given
back. Ends with 1 where the three stages of
the limit (scan, split, metrics) take more than 120 seconds or any stage more than 2 GB.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow

from lobule.config import DataSettings
from lobule.data.manifest import Manifest
from lobule.data.scan import scan
from lobule.data.split import split
from lobule.evaluation.metrics import evaluate
from lobule.evaluation.predictions import Predictions, assemble_predictions
from lobule.taxonomy import SUBTYPES

_T = TypeVar("_T")

SECONDS, BYTES = 120.0, 2e9
LIMITED = ("scan", "split", "metrics")
CODES = (("B", "A"), ("B", "F"), ("B", "PT"), ("B", "TA"), ("M", "DC"), ("M", "LC"), ("M", "MC"), ("M", "PC"))
SHARES = (0.055, 0.13, 0.055, 0.07, 0.44, 0.08, 0.1, 0.07)
MAGNIFICATIONS = (40, 100, 200, 400)


def names(images: int, per_case: int, rng: np.random.Generator) -> Iterator[str]:
    """Yield file names, those of a case together."""
    for case in range(-(-images // per_case)):
        letter, code = CODES[rng.choice(len(CODES), p=SHARES)]
        for number in range(min(per_case, images - case * per_case)):
            magnification = MAGNIFICATIONS[number % 4]
            slide = f"{14 + case // 100_000}-{10_000 + case % 100_000}"
            yield f"SOB_{letter}_{code}-{slide}-{magnification}-{number // 4:03d}.png"


class Stages:
    """Runs stages; keeps what each took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []

    def run(self, name: str, work: Callable[[], _T]) -> _T:
        """Run a stage."""
        _reset_peak()
        start, busy = time.perf_counter(), time.process_time()
        result = work()
        self.rows.append((name, time.perf_counter() - start, _peak()))
        busy = time.process_time() - busy
        print(f"{name:18s} {self.rows[-1][1]:8.1f} s {busy:8.1f} core-s {self.rows[-1][2] / 1e9:6.2f} GB", flush=True)
        return result


def _reset_peak() -> None:
    """Give back what is free, so that a stage's peak holds what it and its inputs need, not what the last one had."""
    gc.collect()
    pyarrow.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def drawn_predictions(stages: Stages, listing: Path, folder: Path, rng: np.random.Generator) -> Predictions:
    """Scan a listing, divide it, and draw logits for it."""
    manifest = stages.run("scan", lambda: scan(listing).manifest)
    stages.run("write manifest", lambda: manifest.write(folder / "manifest.csv"))
    manifest = stages.run("read manifest", lambda: Manifest.read(folder / "manifest.csv"))
    divided = stages.run("split", lambda: split(manifest, DataSettings()))
    stages.run("write split", lambda: divided.write(folder / "split.json", manifest))
    malignant = (manifest.frame["label"] == "malignant").to_numpy()
    subtype = manifest.frame["subtype"].map(SUBTYPES.index).to_numpy()
    n, case = len(manifest), np.unique(manifest.frame["case_id"].to_numpy(dtype=str), return_inverse=True)[1]
    hardness = rng.normal(0, 1, case.max() + 1)[case]
    return stages.run(
        "predictions",
        lambda: assemble_predictions(
            manifest.frame,
            protocol="folds",
            fold=divided.fold_of(manifest),
            logits_binary=2 * malignant - 1 + hardness + rng.normal(0, 1, n),
            logits_subtype=np.eye(8)[subtype] * 2 + hardness[:, None] * 0.1 + rng.normal(0, 1, (n, 8)),
            model_id="drawn",
        ),
    )


def measure(arguments: argparse.Namespace, folder: Path) -> Stages:
    """Run every stage in a folder."""
    rng = np.random.default_rng(0)
    listing = folder / "names.txt"
    listing.write_text("".join(f"{name}\n" for name in names(arguments.images, arguments.images_per_case, rng)))
    stages = Stages()
    predictions = drawn_predictions(stages, listing, folder, rng)
    stages.run("metrics", lambda: evaluate(predictions, bootstrap=arguments.bootstrap))
    stages.run("write predictions", lambda: predictions.write(folder / "predictions.csv"))
    stages.run("write parquet", lambda: predictions.write(folder / "predictions.parquet"))
    for path in sorted(folder.iterdir()):
        print(f"{path.name:20s} {path.stat().st_size / arguments.images:8.1f} bytes a row")
    return stages


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--images-per-case", type=int, default=100)
    parser.add_argument("--bootstrap", type=int, default=2000)
    parser.add_argument("--json", type=Path, help="Write the rows there, too.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lobule-million-") as folder:
        stages = measure(arguments, Path(folder))
    if arguments.json:
        rows = [{"stage": name, "seconds": seconds, "peak_bytes": peak} for name, seconds, peak in stages.rows]
        arguments.json.write_text(json.dumps({"images": arguments.images, "stages": rows}, indent=2) + "\n")
    limited = sum(seconds for name, seconds, _ in stages.rows if name in LIMITED)
    peak = max(peak for _, _, peak in stages.rows)
    print(f"{', '.join(LIMITED)}: {limited:.1f} s together (limit {SECONDS:.0f}); peak {peak / 1e9:.2f} GB (limit 2)")
    return int(limited > SECONDS or peak > BYTES)


if __name__ == "__main__":
    sys.exit(main())
