"""Two models on the same images: the difference of every metric, paired by case, and how many were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.config import DecisionSettings, load_config
from lobule.errors import ConfigError, DataError
from lobule.evaluation.intervals import Interval
from lobule.evaluation.levels import Level
from lobule.evaluation.measures import Measure
from lobule.evaluation.paired_metrics import PairedMetric, paired_metrics, rounded
from lobule.evaluation.pairs import Model, Pair, pair_images
from lobule.evaluation.predictions import Predictions, Protocol
from lobule.evaluation.simultaneous import NEGLIGIBLE, simultaneous_intervals
from lobule.evaluation.subtype import scorable_subtypes
from lobule.progress import Progress, silent
from lobule.taxonomy import TASKS, Task

__all__ = ["Comparison", "Contrast", "compare", "paired_differences"]

_BEST_FIRST: Final[tuple[Protocol, ...]] = ("folds", "holdout", "predict")
_LOWER_IS_BETTER: Final = ("brier", "log_loss", "ece")
_WIDEST: Final = {"mcc": 2.0, "cohen_kappa": 2.0, "log_loss": np.inf}
_SCHEMA_VERSION: Final = 1
_DECISION: Final = DecisionSettings()


@dataclass(frozen=True)
class Contrast:
    """One metric of both models.

    Attributes:
        task: what is predicted.
        level: whether images or cases are counted.
        name: the metric.
        a: its value for the first model; None where undefined.
        b: its value for the second model.
        difference: a - b, with the 95 % interval of this difference alone.
        low: lower end of its interval among all, which hold together with 95 % confidence; None where not given.
        high: upper end of it.
        verdict: "A better" or "B better" where the interval among all leaves out 0, else "no difference shown"; "not
            compared" without an interval.
    """

    task: Task
    level: Level
    name: str
    a: float | None
    b: float | None
    difference: Measure
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Two models compared on the images of one protocol that both have scored.

    Attributes:
        names: what A and B stand for.
        protocol: how the predictions were made.
        contrasts: by task, level, and in the order of the metrics.
        n_comparisons: how many differences have an interval; the intervals among all allow for so many.
        critical_value: half their width in standard errors (1.96 for one comparison alone); None without any.
        n_images: images of each task that both have scored.
        only_a: images of each task that only A has scored.
        only_b: images of each task that only B has scored.
        same_folds: whether the same images were held out together in both.
        identical: whether all logits are the same.
    """

    names: tuple[str, str]
    protocol: Protocol
    contrasts: tuple[Contrast, ...]
    n_comparisons: int
    critical_value: float | None
    n_images: dict[Task, int]
    only_a: dict[Task, int]
    only_b: dict[Task, int]
    same_folds: bool
    identical: bool

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON value."""
        return {"schema_version": _SCHEMA_VERSION, **asdict(self)}


def compare(
    a: Predictions | Path | str,
    b: Predictions | Path | str,
    *,
    names: tuple[str, str] = ("A", "B"),
    protocol: Protocol | None = None,
    bootstrap: int = 2000,
    seed: int = 0,
    progress: Progress = silent,
) -> Comparison:
    """Compare two models on the images that both have scored, case by case.

    Images are matched by image id; what only one of them has scored is counted and left out. Every metric is made as
    `evaluate` makes it (of a run folder with the run's own rule of the threshold), for both models from the same draws
    of cases, so that what makes a case hard for both cancels out. The 95 % interval of a difference is the central part
    of its bootstrap; there is none where `evaluate` gives none (fewer than five cases in a class that the metric
    needs). Who looks at many differences finds some by chance: the verdicts come from intervals that hold together for
    all of them (see `simultaneous_intervals`). The draws do not repeat the training: a difference says something about
    these two trained models, not about two recipes.

    Args:
        a: predictions, a predictions.csv, or the run folder that has one.
        b: what it is compared with.
        names: what A and B stand for.
        protocol: which predictions; None: the first of folds, holdout, predict that both have.
        bootstrap: number of replicates; with 0 there are no intervals.
        seed: fixes the draws.
        progress: told after each task and level.

    Raises:
        ConfigError: an argument is out of range.
        DataError: predictions cannot be read, have no image in common, or disagree on what an image is.
    """
    _check(bootstrap, protocol)
    first, second = _opened(a), _opened(b)
    chosen = protocol or _common_protocol(first.predictions, second.predictions)
    pairs = _pairs(first, second, chosen)
    _check_pairs(pairs, first.predictions, second.predictions, chosen)
    lines = list(paired_metrics(pairs, _scorable(first, second), bootstrap=bootstrap, seed=seed, progress=progress))
    critical, together = _together(lines)
    return Comparison(
        names=names,
        protocol=chosen,
        contrasts=tuple(_contrast(line, bounds) for line, bounds in zip(lines, together, strict=True)),
        n_comparisons=sum(bounds is not None for bounds in together),
        critical_value=critical,
        n_images={pair.task: len(pair) for pair in pairs},
        only_a={pair.task: pair.only_a for pair in pairs},
        only_b={pair.task: pair.only_b for pair in pairs},
        same_folds=all(pair.same_folds for pair in pairs),
        identical=all(np.array_equal(pair.a.logits, pair.b.logits) for pair in pairs),
    )


def paired_differences(
    a: Predictions,
    b: Predictions,
    *,
    decision: DecisionSettings = _DECISION,
    bootstrap: int = 2000,
    seed: int = 0,
) -> dict[str, dict[str, Any] | None] | None:
    """Return the difference a - b of every metric, as it stands beside a control in metrics.json.

    Args:
        a: predictions of the model.
        b: predictions of the control, for the same images; folds may differ.
        decision: rule of the threshold, for both.
        bootstrap: number of replicates; with 0 there are no intervals.
        seed: fixes the draws.

    Returns:
        By task (None where nothing is in common), protocol and level: `{metric: measure}` with the interval of each
        difference alone. None where the two disagree on the truth of an image, as with permuted labels: such
        predictions answer other questions and have no paired difference.

    Raises:
        ConfigError: an argument is out of range.
    """
    _check(bootstrap, None)
    model, control = Model.of(a, decision), Model.of(b, decision)
    pairs = {protocol: _pairs(model, control, protocol) for protocol in _BEST_FIRST}
    if any(pair.conflict for found in pairs.values() for pair in found):
        return None
    blocks: dict[str, dict[str, Any]] = {task: {} for task in TASKS}
    for protocol, found in pairs.items():
        for line in paired_metrics(found, _scorable(model, control), bootstrap=bootstrap, seed=seed):
            level = blocks[line.task].setdefault(protocol, {}).setdefault(line.level, {})
            level[line.name] = asdict(line.measure())
    return {task: block or None for task, block in blocks.items()}


def _check(bootstrap: int, protocol: str | None) -> None:
    if bootstrap < 0:
        raise ConfigError(f"bootstrap: a number of replicates of at least 0 is needed; received {bootstrap}")
    if protocol not in (None, *_BEST_FIRST):
        raise ConfigError(f"protocol: one of {', '.join(_BEST_FIRST)} is needed; received {protocol!r}")


def _opened(source: Predictions | Path | str) -> Model:
    if isinstance(source, Predictions):
        return Model.of(source, _DECISION)
    path = Path(source)
    if not path.exists():
        raise DataError(f"{path}: does not exist; name a run folder or a predictions.csv")
    if path.is_dir() and not (path / "predictions.csv").exists():
        raise DataError(f"{path}: has no predictions.csv; name a folder that `lobule train` has finished, or the file")
    if not path.is_dir():
        return Model.of(Predictions.read(path), _DECISION)
    recorded = path / "config.yaml"
    settings = load_config(recorded).decision if recorded.is_file() else _DECISION
    return Model.of(Predictions.read(path / "predictions.csv"), settings)


def _protocols_of(predictions: Predictions) -> list[Protocol]:
    present = set(predictions.frame["protocol"])
    return [protocol for protocol in _BEST_FIRST if protocol in present]


def _common_protocol(a: Predictions, b: Predictions) -> Protocol:
    theirs = _protocols_of(b)
    if common := [protocol for protocol in _protocols_of(a) if protocol in theirs]:
        return common[0]
    raise DataError(
        f"compare: the first predictions are of protocol {_listed(_protocols_of(a))}, the second of "
        f"{_listed(theirs)}; predictions of the same protocol are needed: correct the column `protocol`"
    )


def _pairs(a: Model, b: Model, protocol: Protocol) -> list[Pair]:
    return [pair_images(a, b, task, protocol) for task in TASKS]


def _check_pairs(pairs: Sequence[Pair], a: Predictions, b: Predictions, protocol: Protocol) -> None:
    for pair in pairs:
        if pair.conflict:
            raise DataError(
                f"compare: {pair.conflict}; only predictions for the same images with the same truth can be compared"
            )
    if not any(len(pair) for pair in pairs):
        counts = [int((own.frame["protocol"] == protocol).sum()) for own in (a, b)]
        examples = [own.frame["image_id"].iloc[0] if len(own) else "none" for own in (a, b)]
        raise DataError(
            f"compare: of protocol {protocol}, no labelled image is in both predictions ({counts[0]} rows such as "
            f"{examples[0]!r}, and {counts[1]} such as {examples[1]!r}): they are of different data sets, or the "
            f"column image_id is written in another way; protocols: {_listed(_protocols_of(a))}, and "
            f"{_listed(_protocols_of(b))}"
        )


def _listed(names: Sequence[Protocol]) -> str:
    return ", ".join(names) or "none"


def _scorable(a: Model, b: Model) -> NDArray[np.bool_]:
    return scorable_subtypes(a.predictions.frame) & scorable_subtypes(b.predictions.frame)


def _together(lines: Sequence[PairedMetric]) -> tuple[float | None, list[Interval]]:
    """Return the critical value and, for every line with an interval of its own, the interval among all."""
    judged = [line for line in lines if line.interval is not None]
    if not judged:
        return None, [None] * len(lines)
    values = np.array([line.difference for line in judged])
    critical, bounds = simultaneous_intervals(values, np.stack([line.replicates for line in judged], axis=1))
    found = {id(line): (float(low), float(high)) for line, (low, high) in zip(judged, bounds.tolist(), strict=True)}
    return rounded(critical), [found.get(id(line)) for line in lines]


def _contrast(line: PairedMetric, bounds: Interval) -> Contrast:
    low, high = bounds or (None, None)
    widest = _WIDEST.get(line.name, 1.0)
    return Contrast(
        task=line.task,
        level=line.level,
        name=line.name,
        a=rounded(line.a),
        b=rounded(line.b),
        difference=line.measure(),
        low=None if low is None else rounded(max(low, -widest)),
        high=None if high is None else rounded(min(high, widest)),
        verdict=_verdict(line.name, bounds),
    )


def _verdict(name: str, bounds: Interval) -> str:
    if bounds is None:
        return "not compared"
    low, high = bounds
    if low <= NEGLIGIBLE and high >= -NEGLIGIBLE:
        return "no difference shown"
    return "A better" if (low > 0) != (name in _LOWER_IS_BETTER) else "B better"
