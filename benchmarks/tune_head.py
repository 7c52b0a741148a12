"""Choose the head's defaults without looking at what is reported: inner case-level folds within outer training parts.

    python benchmarks/tune_head.py DATA --backbone densenet121 --weights FILE --try "head.l2=0.1" --try "head.l2=0.01"

The outer split is drawn with a seed that no reported figure uses. For each outer fold its training part is divided
again by case; heads are trained on inner folds and scored on the inner images they did not see. Printed beside the
plain recipe on the same inner folds, by epoch: AUROC / balanced accuracy of the binary task / of the subtypes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from lobule.config import load_config
from lobule.controls.logistic import logistic_logits
from lobule.data.scan import scan
from lobule.data.split import split
from lobule.features.extract import extract
from lobule.model.fit import mean_logits, train_task
from lobule.model.head import Head
from lobule.model.parallel_heads import TaskData
from lobule.model.plan import Fit, targets_of
from lobule.taxonomy import TASKS, Task

OUTER_SEED = 1000
INNER = {"folds": 4}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--outer", type=int, default=3, help="outer folds that are used")
    parser.add_argument("--try", action="append", default=[], dest="trials", help="settings, separated by spaces")
    given = parser.parse_args()
    base = (f"features.backbone={given.backbone}", f"features.weights={given.weights}")
    config = load_config(None, base)
    manifest = scan(given.data, settings=config.data).manifest
    outer = split(manifest, config.data, seed=OUTER_SEED).fold_of(manifest)
    ids = manifest.frame["image_id"].to_numpy()
    fits: list[Fit] = []
    groups = []
    for fold in range(given.outer):
        rows = np.flatnonzero(outer != fold)
        part = manifest.select(ids[rows].tolist())
        inner = split(part, config.data.model_copy(update=INNER), seed=OUTER_SEED + 1 + fold).fold_of(part)
        group = range(len(fits), len(fits) + INNER["folds"])
        for index in range(INNER["folds"]):
            train, watch = np.zeros(len(ids), bool), np.zeros(len(ids), bool)
            train[rows[inner != index]], watch[rows[inner == index]] = True, True
            fits.append(Fit("folds", len(fits), train, watch))
        groups.append((rows, group))
    cases = manifest.frame["case_id"].to_numpy(dtype=str)
    targets = {task: targets_of(manifest.frame, task) for task in TASKS}

    def held_out(heads: Sequence[Head], features: np.ndarray) -> list[np.ndarray]:
        return [mean_logits(head, features[:, fit.validation]) for head, fit in zip(heads, fits, strict=True)]

    def scores(logits: dict[Task, list[np.ndarray]]) -> str:
        found = []
        for rows, group in groups:
            row = []
            for task, of_fits in logits.items():
                table = np.zeros((len(ids), of_fits[0].shape[1]))
                for index in group:
                    table[fits[index].validation] = of_fits[index]
                if task == "binary":
                    row.append(roc_auc_score(targets[task][rows], table[rows, 0]))
                predicted = table[rows, 0] > 0 if task == "binary" else table[rows].argmax(1)
                row.append(balanced_accuracy_score(targets[task][rows], predicted))
            found.append(row)
        return " / ".join(f"{value:.3f}" for value in np.mean(found, 0))

    plain = extract(manifest, config.features.model_copy(update={"views": ("identity",)}), seed=0).values
    print(
        "plain recipe  ", scores({task: logistic_logits(task, plain, known, fits) for task, known in targets.items()})
    )
    for trial in given.trials:
        tried = load_config(None, (*base, *trial.split()))
        features = extract(manifest, tried.features, seed=0).values
        by_epoch: dict[int, dict[Task, list[np.ndarray]]] = {}
        chosen = {}
        for task, known in targets.items():
            data = TaskData(task, features, known, cases)

            watched: dict[int, list[Head]] = {}
            trained = train_task(data, fits, tried.head, seed=0, on_epoch=watched.__setitem__)
            chosen[task] = held_out(trained.heads, features)
            for epoch in filter(lambda epoch: epoch % 5 == 0, watched):
                by_epoch.setdefault(epoch, {})[task] = held_out(watched[epoch], features)
        print(trial)
        for epoch, logits in sorted(by_epoch.items()):
            print(f"  epoch {epoch:<7}", scores(logits))
        print("  as chosen    ", scores(chosen), flush=True)


if __name__ == "__main__":
    main()
