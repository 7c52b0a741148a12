"""How long the rivals and their metrics take on features of BreakHis' size.

    LOBULE_SHARED=FOLDER python benchmarks/controls.py [--features 512] [--repeats 3] [--json FILE]

The 7,909 names of FOLDER/breakhis/all_filenames.txt, divided by case as `lobule train` does; features (two views) and
colour numbers are simulated: each case looks like itself, and a little like its class. The model is trained first, with
the default settings, for its numbers of epochs; that is not part of the total. Times are medians of the repeats, of the
clock and of all processor cores together: where something else runs on the machine, the second is the one to trust.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from lobule.config import Config
from lobule.controls.rivals import RIVALS, rival_predictions
from lobule.data.manifest import Manifest
from lobule.data.scan import scan
from lobule.data.split import split
from lobule.evaluation.metrics import evaluate
from lobule.features.extract import Features
from lobule.features.spec import EncoderSpec
from lobule.features.statistics import STATISTICS, statistics_store
from lobule.features.weights import ResolvedWeights
from lobule.model.plan import plan_fits, targets_of
from lobule.model.stages import train_heads
from lobule.provenance import environment
from lobule.taxonomy import TASKS

TARGET = 60.0
_FACTORS = 40
_TOLD = (*RIVALS[:3], "image_split, permuted_labels")
"""What `rival_predictions` tells the progress of: the last two are trained side by side."""


class Stopwatch:
    """Seconds by the clock and by the processor since the last look."""

    def __init__(self) -> None:
        self._last = time.perf_counter(), time.process_time()

    def look(self) -> tuple[float, float]:
        now = time.perf_counter(), time.process_time()
        passed = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        return passed


def simulate(size: int) -> tuple[Manifest, Features]:
    names = Path(os.environ.get("LOBULE_SHARED", "../shared")) / "breakhis" / "all_filenames.txt"
    found = scan(names, settings=Config().data).manifest
    digests = [hashlib.sha256(path.encode()).hexdigest() for path in found.frame["path"]]
    manifest = Manifest(found.frame.assign(pixel_sha256=digests), found.root)
    random = np.random.default_rng(0)
    case = np.unique(manifest.frame["case_id"], return_inverse=True)[1]
    label, subtype = (np.maximum(targets_of(manifest.frame, task), 0) for task in TASKS)

    def drawn(views: int, columns: int) -> np.ndarray:
        # Forty factors lie behind the features, as in real ones; what is of the case outweighs what is of the class.
        factors = random.normal(size=(case.max() + 1, _FACTORS))[case]
        factors += 0.5 * random.normal(size=(2, _FACTORS))[label] + 0.3 * random.normal(size=(8, _FACTORS))[subtype]
        seen = factors + random.normal(size=(views, len(manifest), _FACTORS))
        values = seen @ random.normal(size=(_FACTORS, columns)) / np.sqrt(_FACTORS)
        return np.asarray(values + 0.5 * random.normal(size=values.shape), dtype=np.float32)

    statistics_store().append(digests, "identity", drawn(1, len(STATISTICS))[0])
    spec = EncoderSpec("vgg16", ResolvedWeights("none", None, "0" * 64, "vgg16"))
    return manifest, Features(drawn(2, size), ("identity", "flip_horizontal"), spec)


def measure(size: int, repeats: int) -> dict[str, Any]:
    config, watch = Config(), Stopwatch()
    manifest, features = simulate(size)
    divided = split(manifest, config.data, seed=config.seed)
    fits = plan_fits(divided.fold_of(manifest), divided.is_validation(manifest))
    watch.look()
    trained = train_heads(manifest, features, fits, config=config)
    model = watch.look()
    rows: dict[str, list[tuple[float, float]]] = {}
    metrics = {}
    for _ in range(repeats):
        predicting: list[tuple[float, float]] = []

        def tell(stage: str, done: int, total: int, taken: list[tuple[float, float]] = predicting) -> None:
            if stage == "controls":
                taken.append(watch.look())

        watch.look()
        rivals = rival_predictions(
            manifest, features, fits, list(trained.heads), trained=trained, config=config, run_id="b", progress=tell
        )
        for name, taken in zip(_TOLD, predicting, strict=True):
            rows.setdefault(f"{name}: predict", []).append(taken)
        for name, predictions in rivals.items():
            watch.look()
            metrics[name] = evaluate(predictions, decision=config.decision, in_full=False)
            rows.setdefault(f"{name}: score", []).append(watch.look())
    medians = {name: [statistics.median(each) for each in zip(*times, strict=True)] for name, times in rows.items()}
    return {
        "environment": environment(),
        "load_average": os.getloadavg()[0],
        "command": " ".join(sys.argv),
        "images": len(manifest),
        "features": size,
        "repeats": repeats,
        "epochs": {task: list(epochs) for task, epochs in trained.epochs.items()},
        "model": {"seconds": model[0], "processor_seconds": model[1]},
        "medians": {name: {"seconds": wall, "processor_seconds": cpu} for name, (wall, cpu) in medians.items()},
        "total": {
            "seconds": sum(wall for wall, _ in medians.values()),
            "processor_seconds": sum(cpu for _, cpu in medians.values()),
            "target_seconds": TARGET,
        },
        "auroc": {name: found.value("binary", "auroc") for name, found in metrics.items()},
    }


def show(found: dict[str, Any]) -> None:
    print(f"{found['command']}\n{json.dumps(found['environment'])}\nload average {found['load_average']:.1f}")
    print(f"{found['images']} images, {found['features']} features, two views; medians of {found['repeats']}")
    print(f"epochs of the model's fits: {found['epochs']}")
    print(f"\n{'':<40}{'seconds':>10}{'processor seconds':>20}{'AUROC':>10}")
    lines = {"(training the model itself)": found["model"], **found["medians"], "total": found["total"]}
    for name, times in lines.items():
        auroc = found["auroc"].get(name.removesuffix(": score")) if name.endswith("score") else None
        shown = f"{auroc:>10.3f}" if auroc is not None else ""
        print(f"{name:<40}{times['seconds']:>10.2f}{times['processor_seconds']:>20.2f}{shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LOBULE_CACHE"] = cache
        found = measure(given.features, given.repeats)
    show(found)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
