"""How long it takes to score a data set of the size of BreakHis: metrics, calibration, label sets, intervals.

    python benchmarks/evaluation.py [--repeats 3] [--bootstrap 2000] [--json]

Scores simulated predictions (with a case effect) for the names of all BreakHis images, both tasks, holdout and folds;
then a model and four rivals, side by side and one after the other, in turns.
The names come from `breakhis/all_filenames.txt` under $LOBULE_SHARED (default ../shared).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from lobule import assessment
from lobule.config import load_config
from lobule.controls.rivals import RIVALS
from lobule.data.breakhis import parse_name
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.metrics import evaluate
from lobule.evaluation.predictions import Predictions, assemble_predictions
from lobule.model.side_by_side import side_by_side
from lobule.provenance import environment
from lobule.taxonomy import SUBTYPES

Side = Callable[[int], AbstractContextManager[Executor]]


def simulated(names: list[str], *, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    known = [name for name in map(parse_name, names) if name]
    columns = ("image_id", "case_id", "patient_id", "magnification", "label", "subtype")
    frame = pd.DataFrame({column: [getattr(name, column) for name in known] for column in columns})
    frame = frame.assign(path=frame["image_id"] + ".png", pixel_sha256="")
    case = pd.factorize(frame["case_id"])[0]
    fold = rng.permutation(case.max() + 1)[case] % 5
    malignant = frame["label"].eq("malignant").to_numpy()
    binary = 3.0 * malignant - 1.5 + rng.normal(size=case.max() + 1)[case] + rng.normal(size=len(frame))
    subtype = rng.normal(size=(len(frame), 8)) + np.eye(8)[[SUBTYPES.index(name) for name in frame["subtype"]]]
    folds = assemble_predictions(
        frame, protocol="folds", fold=fold, logits_binary=binary, logits_subtype=subtype, model_id="simulated"
    )
    held = fold == 0
    holdout = assemble_predictions(
        frame[held],
        protocol="holdout",
        fold=np.full(held.sum(), -1),
        logits_binary=binary[held],
        logits_subtype=subtype[held],
        model_id="simulated",
    )
    return Predictions.join([holdout, folds])


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@contextmanager
def one_after_the_other(_: int) -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def scored(predictions: Predictions, rivals: dict[str, Predictions], how: Side, *, bootstrap: int) -> float:
    """Return the seconds that a model and its rivals take to be scored in one way."""
    config = load_config(settings={"report": {"bootstrap": bootstrap}})
    with patch.object(assessment, "side_by_side", how):
        return median_seconds(lambda: assessment.score(predictions, rivals, config=config), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bootstrap", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    listing = Path(os.environ.get("LOBULE_SHARED", "../shared")) / "breakhis" / "all_filenames.txt"
    names = listing.read_text(encoding="utf-8").split()
    predictions = simulated(names)
    medians = {
        "decide": median_seconds(lambda: decide(predictions), given.repeats),
        "evaluate": median_seconds(lambda: evaluate(predictions, bootstrap=given.bootstrap), given.repeats),
    }
    rivals = {name: simulated(names, seed=seed) for seed, name in enumerate(RIVALS[:4], start=1)}
    ways = {"score side by side": side_by_side, "score one by one": one_after_the_other}
    turns = [
        {name: scored(predictions, rivals, how, bootstrap=given.bootstrap) for name, how in ways.items()}
        for _ in range(given.repeats)
    ]
    medians |= {name: statistics.median(turn[name] for turn in turns) for name in ways}
    if given.json:
        print(json.dumps({"machine": environment(), "command": " ".join(sys.argv), "medians": medians}, indent=2))
        return
    images = len(predictions.select("folds"))
    print(f"{images} images, both tasks, holdout and folds, {given.bootstrap} replicates; median of {given.repeats}")
    for name, seconds in medians.items():
        print(f"{name:20s} {seconds:6.2f} s")


if __name__ == "__main__":
    main()
