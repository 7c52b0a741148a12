"""A nested sweep of 200 configurations on real images: how long it takes, what it finds, and what that is worth.

    python benchmarks/sweep.py DATA --weights FILE [--backbone densenet121] [--trials 200] [--seed 0] [--out RUN]

Features are computed first, so that the clock of the sweep starts with everything in the store. Beside the scores of
the sweep stand those of the given settings on the same outer folds, trained by `lobule train`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from lobule.config import load_config
from lobule.evaluation.levels import Level
from lobule.pipeline import gather, train
from lobule.progress import silent
from lobule.report.search_record import SearchRecord
from lobule.run_folder import RunFolder
from lobule.sweep.encodings import encode_space, encoders_of
from lobule.sweep.run import sweep
from lobule.sweep.settings import SweepPlan, SweepSettings
from lobule.sweep.space import default_space

_LEVELS: tuple[tuple[Level, str], ...] = (
    ("image", "auroc"),
    ("image", "balanced_accuracy"),
    ("image", "log_loss"),
    ("case", "auroc"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="densenet121")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--objective", default="auroc")
    parser.add_argument("--finalists", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    features = {"backbone": given.backbone, "weights": given.weights}
    config = load_config(settings={"seed": given.seed, "features": features})
    settings = SweepSettings(
        trials=given.trials, sampler=given.sampler, objective=given.objective, finalists=given.finalists
    )
    plan = SweepPlan(config, settings, default_space(config))
    out = given.out or Path(tempfile.mkdtemp(prefix="sweep-"))
    _encode(given.data, plan)
    start = time.perf_counter()
    run = sweep(given.data, out / "sweep", plan=plan, progress=_told)
    seconds = time.perf_counter() - start
    usual = train(given.data, out / "given", config=config)
    record = SearchRecord.read(run.folder / "search.json")
    by_stage = RunFolder.read_record(run.folder)["seconds"]
    print(f"{os.cpu_count()} cores; {given.trials} configurations, {given.sampler}; whole sweep {seconds:.0f} s")
    print("seconds by stage:", json.dumps(by_stage))
    for part in record.parts:
        print(f"  {part.name:<8} #{part.number:<4} inner {part.inner:.4f} (given {part.given:.4f})", end="")
        print(f"  held out {part.held_out if part.held_out is None else round(part.held_out, 4)}  {part.settings}")
    print(f"inner {record.inner:.4f}, given {record.given:.4f}, outer {record.outer}, optimism {record.optimism}")
    print("out of fold".ljust(34), "sweep".rjust(8), "given".rjust(8))
    for level, name in _LEVELS:
        values = [each.metrics.value("binary", name, level=level) for each in (run, usual)]
        print(f"binary, by {level}: {name}".ljust(34), *(f"{value:8.4f}" for value in values))
    values = [each.metrics.value("subtype", "balanced_accuracy") for each in (run, usual)]
    print("subtype, by image: bal. accuracy".ljust(34), *(f"{value:8.4f}" for value in values))


def _encode(data: Path, plan: SweepPlan) -> None:
    material = gather(data, plan.config, None, silent)
    encoders = encoders_of(plan.searched, plan.config)
    encode_space(material.manifest, material.seen, encoders, plan.searched, config=plan.config)


def _told(stage: str, done: int, total: int) -> None:
    if done == total or done % 20 == 0:
        print(f"{time.strftime('%H:%M:%S')} {stage}: {done}/{total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
