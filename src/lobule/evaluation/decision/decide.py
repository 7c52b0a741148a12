"""Fits what predictions are decided with, so that no row is judged by numbers that its own case helped to choose."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.config import DecisionSettings
from lobule.errors import DataError
from lobule.evaluation.columns import probability_columns, round_digits
from lobule.evaluation.decision.conformal import calibrate_label_sets
from lobule.evaluation.decision.operating import Decisions, Operating, OperatingPoint, undecided
from lobule.evaluation.decision.temperature import fit_temperature
from lobule.evaluation.decision.threshold import choose_threshold
from lobule.evaluation.decision.verdicts import Verdict, verdicts_of
from lobule.evaluation.levels import Images, Level, Units, images_of, rows_of, units_of
from lobule.evaluation.predictions import Predictions, Protocol, sigmoid, softmax
from lobule.taxonomy import Task
from lobule.threshold_rule import ThresholdRule, parse_rule

__all__ = ["cases_in_several_folds", "decide", "decided"]

_DEFAULTS: Final = DecisionSettings()
_DRAWN_GROUPS: Final = 5
_MADE_HERE: Final[tuple[Protocol, ...]] = ("folds", "holdout")


def decide(predictions: Predictions, settings: DecisionSettings = _DEFAULTS, *, keep_given: bool = True) -> Decisions:
    """Choose temperatures, thresholds and label sets from predictions alone.

    - `folds`: each fold is judged by what the other folds say; without fold numbers, or where a case stands in several
      folds, five groups of cases are drawn and judge each other.
    - `holdout`: judged by the out-of-fold rows of cases that are not in it.
    - `predict`: decided elsewhere: temperature 1, and the threshold that the column `pred_label` follows, or, without
      `keep_given`, one by the rule of the settings; label sets are calibrated. Both over five drawn groups of cases.

    Where some group had too few cases for label sets, none are shipped either: nobody has checked what they keep.

    The same logits, labels, cases and folds always give the same numbers, so a file of predictions can be scored again.

    Args:
        predictions: any protocols; rows without a label are judged, not learned from.
        settings: the rule of the threshold and alpha of the label sets.
        keep_given: whether the labels of rows that were decided elsewhere stand.

    Returns:
        The numbers of every row, and those of all out-of-fold rows together (of the given ones where there are none).

    Raises:
        ConfigError: the rule of the threshold is none.
        DataError: a labelled image has no case, or given labels follow no threshold.
    """
    rule = parse_rule(settings.threshold)
    frame = predictions.frame
    points: list[Operating] = [undecided(alpha=settings.alpha)]
    point_of = np.zeros(len(predictions), dtype=np.int64)

    def judge(rows: NDArray[np.bool_], point: Operating) -> None:
        point_of[rows] = len(points)
        points.append(point)

    held_out = _Fitter(predictions, "folds", rule, settings.alpha)
    given = _Fitter(predictions, "predict", _given_rule(predictions) if keep_given else rule, settings.alpha)
    for fitter in (held_out, given):
        for group in sorted(set(fitter.group[fitter.rows].tolist())):
            judge(fitter.group == group, fitter.fit((fitter.group >= 0) & (fitter.group != group)))
    in_holdout = (frame["protocol"] == "holdout").to_numpy()
    if in_holdout.any() and len(held_out.rows):
        seen = frame["case_id"].isin(frame.loc[in_holdout, "case_id"]).to_numpy()
        judge(in_holdout, held_out.fit((held_out.group >= 0) & ~seen))
    shipped = held_out if len(held_out.rows) else given
    pooled = _checked(shipped.fit(shipped.group >= 0), points[1:])
    return Decisions(pooled, tuple(points), point_of, is_cross_fitted=bool(len(held_out.rows)))


def _checked(pooled: Operating, used: list[Operating]) -> Operating:
    """Return the pooled numbers without label sets that some group could not check."""

    def checked(level: Level) -> OperatingPoint:
        point = pooled.at(level)
        if all(other.at(level).label_sets.attainable for other in used):
            return point
        without = point.label_sets.model_copy(update={"benign": None, "malignant": None})
        return point.model_copy(update={"label_sets": without})

    return pooled.model_copy(update={"image": checked("image"), "case": checked("case")})


def decided(predictions: Predictions, decisions: Decisions) -> Predictions:
    """Return the predictions with probabilities, labels, label sets, verdicts and reasons by their decisions.

    Probabilities of rows that were decided elsewhere (protocol `predict`) stay as they are.
    """
    frame = predictions.frame.copy()
    points = [decisions.points[index] for index in decisions.point_of]
    made_here = frame["protocol"].isin(_MADE_HERE).to_numpy(dtype=bool)
    temperature = np.array([(point.image.temperature, point.subtype_temperature) for point in points]).reshape(-1, 2)
    activated: dict[Task, NDArray[np.float64]] = {
        "binary": sigmoid(predictions.logits("binary") / temperature[:, :1]),
        "subtype": softmax(predictions.logits("subtype") / temperature[:, 1:]),
    }
    for task, values in activated.items():
        stands = predictions.probabilities(task)
        frame[list(probability_columns(task))] = np.where(made_here[:, None], round_digits(values), stands)
    refusals = frame["reason"].where(frame["verdict"] == "not assessable", "").tolist()
    probability = frame["prob_malignant"].to_numpy(dtype=np.float64)
    frame[list(Verdict._fields)] = verdicts_of(probability, [point.image for point in points], refusals)
    return Predictions(frame)


def cases_in_several_folds(predictions: Predictions) -> int:
    """Return how many cases have images in several folds: with that, images of one case judge each other."""
    return _crossing_cases(predictions.frame)


def _crossing_cases(frame: pd.DataFrame) -> int:
    known = frame[frame["fold"].notna() & (frame["case_id"] != "")]
    return int((known.groupby(["protocol", "case_id"])["fold"].nunique() > 1).groupby("case_id").any().sum())


class _Fitter:
    """What the labelled rows of one protocol teach.

    Attributes:
        rows: indices of the rows with a label and a prediction.
        group: shape (rows of the predictions,), by which rows are judged by one another; -1 outside the protocol.
    """

    def __init__(self, predictions: Predictions, protocol: Protocol, rule: ThresholdRule, alpha: float) -> None:
        self._rule, self._alpha = rule, alpha
        self._as_given = protocol == "predict"
        self.rows = rows_of(predictions, "binary", protocol)
        self._images = images_of(predictions, "binary", protocol)
        self._subtype_rows = rows_of(predictions, "subtype", protocol)
        self._subtypes = images_of(predictions, "subtype", protocol)
        self.group = _groups(predictions, protocol, self.rows, self._images)

    def fit(self, chosen: NDArray[np.bool_]) -> Operating:
        """Fit on the labelled rows that a mask over all rows of the predictions picks."""
        images = self._images.where(chosen[self.rows])
        subtypes = self._subtypes.where(chosen[self._subtype_rows])
        if not len(images):
            return undecided(alpha=self._alpha)
        return Operating(
            image=self._point(units_of(images, "image")),
            case=self._point(units_of(images, "case")),
            subtype_temperature=1.0 if self._as_given else fit_temperature(subtypes.uncalibrated, subtypes.true),
            rule=self._rule.words,
            calibrated_on=f"{len(images)} images of {int(images.case.max()) + 1} cases",
        )

    def _point(self, units: Units) -> OperatingPoint:
        temperature = 1.0 if self._as_given else fit_temperature(units.uncalibrated, units.true)
        probability = sigmoid(units.uncalibrated[:, 0] / temperature)
        return OperatingPoint(
            temperature=temperature,
            threshold=choose_threshold(probability, units.malignant, self._rule),
            label_sets=calibrate_label_sets(probability, units.malignant, units.case, alpha=self._alpha),
        )


def _groups(predictions: Predictions, protocol: Protocol, rows: NDArray[np.intp], images: Images) -> NDArray[np.int64]:
    """Return the fold of each row of a protocol, or a group of cases drawn here where folds are missing or leak."""
    frame = predictions.frame
    inside = (frame["protocol"] == protocol).to_numpy()
    group = np.full(len(frame), -1, dtype=np.int64)
    fold = frame["fold"].to_numpy(dtype=np.float64, na_value=np.nan)
    known_folds = not np.isnan(fold[inside]).any() and len(set(fold[rows].tolist())) > 1
    if known_folds and not _crossing_cases(frame[inside]):
        group[inside] = fold[inside].astype(np.int64)
        return group
    group[inside] = 0
    of_case = _drawn(images)
    names = frame["case_id"].to_numpy(dtype=object)
    known = dict(zip(names[rows].tolist(), of_case[images.case].tolist(), strict=True))
    group[inside] = [known.get(name, 0) for name in names[inside].tolist()]
    return group


def _drawn(images: Images) -> NDArray[np.int64]:
    """Return a group for each case, benign and malignant ones dealt out evenly, shape (cases,)."""
    cases = int(images.case.max()) + 1 if len(images) else 0
    malignant = np.bincount(images.case, weights=images.true, minlength=cases) > 0
    shuffled = np.random.default_rng(0).permutation(cases)
    order = shuffled[np.argsort(malignant[shuffled], kind="stable")]
    groups = np.empty(cases, dtype=np.int64)
    groups[order] = np.arange(cases) % _DRAWN_GROUPS
    return groups


def _given_rule(predictions: Predictions) -> ThresholdRule:
    """Return the threshold that the given labels follow; 0.5 where it is one of several.

    Raises:
        DataError: they follow none.
    """
    frame = predictions.frame[predictions.frame["protocol"] == "predict"]
    probability = frame["prob_malignant"].to_numpy()
    called, spared = (probability[(frame["pred_label"] == name).to_numpy()] for name in ("malignant", "benign"))
    lowest = np.nanmin(called, initial=1.0)
    highest = np.nanmax(spared, initial=0.0)
    if len(called) and len(spared) and lowest <= highest:
        raise DataError(
            f"predictions: column pred_label follows no threshold: an image with prob_malignant {lowest:.9g} is called "
            f"malignant, one with {highest:.9g} benign. Such labels cannot be scored beside the probabilities: drop "
            "the column, or name a threshold (--threshold 0.5)"
        )
    return ThresholdRule("fixed", 0.5 if highest < 0.5 <= lowest else float((highest + lowest) / 2))
