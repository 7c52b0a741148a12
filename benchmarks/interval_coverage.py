"""How often the 95 % intervals hold the truth, by number of cases, beside a bootstrap that draws images.

    python benchmarks/interval_coverage.py [--experiments 300] [--bootstrap 600]

Simulates experiments whose truth is known: cases differ (intra-case correlation 0.6), 10 images a case, an image AUROC
of about 0.91; and counts in how many of them the interval of `lobule evaluate` holds the true value.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from lobule.evaluation.binary import binary_values
from lobule.evaluation.levels import Units
from lobule.evaluation.measures import binary_rules, measure
from lobule.evaluation.predictions import sigmoid

SHAPES = ((5, 5), (12, 39), (24, 58), (48, 48))
IMAGES, CORRELATION, DISTANCE = 10, 0.6, 1.9


def truth() -> dict[str, float]:
    spread = np.sqrt(CORRELATION + (1 - CORRELATION) / IMAGES)
    return {
        "image auroc": float(ndtr(DISTANCE / np.sqrt(2))),
        "case auroc": float(ndtr(DISTANCE / np.sqrt(2) / spread)),
        "image specificity": float(ndtr(DISTANCE / 2)),
        "image recall": float(ndtr(DISTANCE / 2)),
    }


def units_of(score: NDArray[np.float64], malignant: NDArray[np.int64], case: NDArray[np.int64], level: str) -> Units:
    n = len(score)
    return Units(
        task="binary",
        level="image" if level == "image" else "case",
        case=case,
        true=malignant,
        predicted=(score >= DISTANCE / 2).astype(np.int64),
        score=score,
        probability=sigmoid(score),
        threshold=np.full(n, 0.5),
        uncalibrated=score[:, None],
        temperature=np.ones(n),
        fits=np.full((n, 2), np.nan),
        share=np.zeros(n),
        images=np.ones(n, np.int64),
    )


def held(benign: int, malignant: int, *, seed: int, bootstrap: int) -> dict[str, bool]:
    """Return, for each metric, whether its interval holds the truth in one experiment; missing without an interval."""
    rng = np.random.default_rng(seed)
    cases = benign + malignant
    label = (np.arange(cases) >= benign).astype(np.int64)
    score = DISTANCE * label[:, None] + np.sqrt(CORRELATION) * rng.normal(size=(cases, 1))
    score = score + np.sqrt(1 - CORRELATION) * rng.normal(size=(cases, IMAGES))
    images = units_of(score.ravel(), np.repeat(label, IMAGES), np.repeat(np.arange(cases), IMAGES), "image")
    naive = units_of(score.ravel(), np.repeat(label, IMAGES), np.arange(cases * IMAGES), "image")
    found = {}
    for name, units in (
        ("image", images),
        ("case", units_of(score.mean(axis=1), label, np.arange(cases), "case")),
        ("image", naive),
    ):
        measured = measure(units, binary_rules(units), partial(binary_values, units), bootstrap=bootstrap, seed=seed)
        for key, true in truth().items():
            level, metric = key.split()
            interval = measured[metric]
            if level == name and interval.low is not None and interval.high is not None:
                found[f"{key}{', drawing images' if units is naive else ''}"] = interval.low <= true <= interval.high
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=300)
    parser.add_argument("--bootstrap", type=int, default=600)
    given = parser.parse_args()
    for benign, malignant in SHAPES:
        outcomes = [held(benign, malignant, seed=seed, bootstrap=given.bootstrap) for seed in range(given.experiments)]
        print(f"{benign} benign and {malignant} malignant cases, {given.experiments} experiments:")
        for key in sorted({key for outcome in outcomes for key in outcome}):
            hits = [outcome[key] for outcome in outcomes if key in outcome]
            print(f"  {key:36s} {np.mean(hits):6.1%} of {len(hits)}")


if __name__ == "__main__":
    main()
