"""Do the intervals hold what they promise? Simulated experiments in which the truth is known.

Images of one case look alike: half of the variance of a score belongs to the case. The truth is what infinitely many
cases would give: P(right) of an image for accuracy, P(malignant image scores above benign image) for AUROC.

Tolerance. Coverage over 200 experiments has a binomial standard deviation of 1.5 %. A percentile bootstrap of few
cases is known to be a little too narrow (it draws from 48 cases a class as if they were all there are), here by about
1 %. So 95 % is expected to come out between 95 - 1 - 3 x 1.5 = 89 and 99 %. A bootstrap of images takes
all images for independent and must fall far below: its interval is about half as wide as it should be.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from lobule.evaluation.binary import binary_values
from lobule.evaluation.decision.operating import Decisions, undecided
from lobule.evaluation.levels import Units
from lobule.evaluation.measures import binary_rules, measure
from lobule.evaluation.paired_metrics import paired_metrics
from lobule.evaluation.pairs import Model, pair_images
from lobule.evaluation.predictions import assemble_predictions, sigmoid
from tests.evaluation.conftest import manifest_frame

_EXPERIMENTS = {"case": 200, "image": 60}
_REPLICATES = 200
_CASES, _IMAGES = 96, 7
_SHIFT = 0.8
_TRUTH = {
    "accuracy": float(norm.cdf(_SHIFT / np.sqrt(2))),
    "recall": float(norm.cdf(_SHIFT / np.sqrt(2))),
    "auroc": float(norm.cdf(2 * _SHIFT / 2)),
}
LOWEST, HIGHEST = 0.89, 0.99


def experiment(seed: int, *, unit: str) -> Units:
    """Return the images of one experiment; every other case is malignant, and some cases have far more images."""
    rng = np.random.default_rng(seed)
    case = np.repeat(np.arange(_CASES), rng.integers(2, 2 * _IMAGES - 1, _CASES))
    malignant = case % 2
    score = _SHIFT * (2 * malignant - 1) + rng.normal(size=_CASES)[case] + rng.normal(size=len(case))
    return Units(
        task="binary",
        level="image",
        case=np.arange(len(case)) if unit == "image" else case,
        true=malignant,
        predicted=(score >= 0).astype(np.int64),
        score=score,
        probability=sigmoid(score),
        threshold=np.full(len(case), 0.5),
        uncalibrated=score[:, None],
        temperature=np.ones(len(case)),
        fits=np.full((len(case), 2), np.nan),
        share=np.zeros(len(case)),
        images=np.ones(len(case), np.int64),
    )


@cache
def coverage(unit: str) -> dict[str, float]:
    """Return how often the 95 % intervals of a bootstrap of cases, or of images, hold the truth."""
    held = dict.fromkeys(_TRUTH, 0)
    for seed in range(_EXPERIMENTS[unit]):
        units = experiment(seed, unit=unit)
        rules = [rule for rule in binary_rules(units) if rule.name in _TRUTH]
        found = measure(units, rules, partial(binary_values, units), bootstrap=_REPLICATES, seed=seed)
        for name, truth in _TRUTH.items():
            low, high = found[name].low, found[name].high
            assert low is not None
            assert high is not None
            held[name] += low <= truth <= high
    return {name: count / _EXPERIMENTS[unit] for name, count in held.items()}


@pytest.mark.parametrize("name", _TRUTH)
def test_the_bootstrap_of_cases_covers_the_truth_at_the_nominal_rate(name: str) -> None:
    assert LOWEST <= coverage("case")[name] <= HIGHEST


@pytest.mark.parametrize("name", _TRUTH)
def test_the_bootstrap_of_images_does_not(name: str) -> None:
    assert coverage("image")[name] < 0.8


def two_models(seed: int) -> tuple[Model, Model]:
    """Return two models that are equally good, and err on the same cases as well as on cases of their own."""
    rng = np.random.default_rng(seed)
    frame = manifest_frame(rng, images=144, cases=48)
    case = frame["case_id"].str.removeprefix("14-").astype(int).to_numpy()
    signs = np.where(frame["label"].eq("malignant"), 1.0, -1.0)
    as_given = Decisions(undecided(), (undecided(),), np.zeros(len(case), np.int64), is_cross_fitted=False)
    shared = _SHIFT * signs + rng.normal(size=48)[case]

    def model() -> Model:
        own: NDArray[np.float64] = 0.7 * rng.normal(size=48)[case] + rng.normal(size=len(case))
        predictions = assemble_predictions(
            frame, protocol="predict", fold=np.full(len(case), -1), logits_binary=shared + own, logits_subtype=None
        )
        return Model(predictions, as_given)

    return model(), model()


def test_the_paired_interval_of_equal_models_holds_zero_at_the_nominal_rate() -> None:
    """40 experiments: a binomial standard deviation of 3.5 %; 95 - 1 - 3 x 3.5 = 83 %, which is 34 of 40."""
    held = {"accuracy": 0, "auroc": 0}
    for seed in range(40):
        pair = pair_images(*two_models(seed), "binary", "predict")
        for line in paired_metrics([pair], np.ones(8, bool), bootstrap=_REPLICATES, seed=seed):
            if line.level == "image" and line.name in held:
                assert line.interval is not None
                low, high = line.interval
                held[line.name] += low <= 0 <= high
    assert all(34 <= count <= 40 for count in held.values()), held
