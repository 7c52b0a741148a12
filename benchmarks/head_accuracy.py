"""Accuracy of the heads beside the plain recipe and colour alone, on the same case-level folds, over several seeds.

    python benchmarks/head_accuracy.py DATA --backbone densenet121 --weights FILE [--seeds 5] [--set key=value ...]

Prints, for each seed and as mean and standard deviation, the out-of-fold metrics that `lobule train` reports.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lobule.config import Config, load_config
from lobule.controls.rivals import rival_predictions
from lobule.data.audit import apply_policy, audit
from lobule.data.manifest import Manifest
from lobule.data.scan import scan
from lobule.data.split import split
from lobule.evaluation.levels import Level
from lobule.evaluation.metrics import Metrics, evaluate
from lobule.features.extract import Features, extract
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import plan_fits
from lobule.model.stages import train_heads
from lobule.taxonomy import Task

COLUMNS: tuple[tuple[Task, str, Level], ...] = (
    ("binary", "auroc", "image"),
    ("binary", "balanced_accuracy", "image"),
    ("binary", "auroc", "case"),
    ("subtype", "balanced_accuracy", "image"),
)


def score(manifest: Manifest, features: Features, config: Config) -> dict[str, Metrics]:
    divided = split(manifest, config.data, seed=config.seed)
    fits = plan_fits(divided.fold_of(manifest), divided.is_validation(manifest))
    trained = train_heads(manifest, features, fits, config=config)
    rivals = rival_predictions(
        manifest, features, fits, list(trained.heads), trained=trained, config=config, run_id="benchmark"
    )
    everyone = {"this model": held_out_predictions(manifest, fits, trained.logits, model_id="benchmark"), **rivals}
    return {name: evaluate(predictions, bootstrap=0) for name, predictions in everyone.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    given = parser.parse_args()
    overrides = (*given.overrides, f"features.backbone={given.backbone}", f"features.weights={given.weights}")
    config = load_config(None, overrides)
    scanned = scan(given.data, settings=config.data).manifest
    manifest = apply_policy(scanned, audit(scanned))
    features = extract(manifest, config.features, seed=0)
    print(
        f"{len(manifest)} images, {manifest.frame['case_id'].nunique()} cases, out of {config.data.folds} folds by case"
    )
    print(
        f"{'seed':<8}{'classifier':<14}" + "".join(f"{f'{task} {name} {level}':>36}" for task, name, level in COLUMNS)
    )
    table: dict[str, list[list[float]]] = {}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        scores = score(manifest, features, config.model_copy(update={"seed": seed}))
        for name, metrics in scores.items():
            row = [metrics.value(task, metric, level=level) or np.nan for task, metric, level in COLUMNS]
            table.setdefault(name, []).append(row)
            print(f"{seed:<8}{name:<14}" + "".join(f"{value:>36.3f}" for value in row), flush=True)
    for name, rows in table.items():
        cells = [f"{mean:.3f} +- {sd:.3f}" for mean, sd in zip(np.mean(rows, 0), np.std(rows, 0, ddof=1), strict=True)]
        print(f"{'mean':<8}{name:<14}" + "".join(f"{cell:>36}" for cell in cells))


if __name__ == "__main__":
    main()
