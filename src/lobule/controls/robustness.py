"""What becomes of the answers when the images change: other compression, focus, light, stain, magnification."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from lobule.controls.magnifications import leave_one_magnification_out
from lobule.controls.perturbations import CONDITIONS
from lobule.controls.perturbed_features import UNCHANGED, PerturbedFeatures
from lobule.evaluation.binary import binary_values
from lobule.evaluation.columns import round_digits
from lobule.evaluation.decision.verdicts import verdict_of
from lobule.evaluation.levels import images_of, units_of
from lobule.evaluation.measures import Measure, binary_rules, measure
from lobule.evaluation.predictions import assemble_predictions, sigmoid
from lobule.model.fit import mean_logits
from lobule.progress import Progress, silent
from lobule.provenance import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.evaluation.decision.operating import Decisions, OperatingPoint
    from lobule.evaluation.predictions import Predictions
    from lobule.features.extract import Features
    from lobule.model.head import Head
    from lobule.model.plan import Fit
    from lobule.model.stages import Trained

__all__ = ["ROBUSTNESS_COLUMNS", "Robustness", "measure_robustness", "points_of_images", "sample_rows"]

ROBUSTNESS_COLUMNS: Final = ("condition", "amount", "n_images", "n_cases", "auroc", "low", "high", "verdict_changes")


@dataclass(frozen=True, eq=False)
class Robustness:
    """AUROC of the same images under each condition, and how many answers change.

    Attributes:
        frame: columns `ROBUSTNESS_COLUMNS`, a row for each condition and amount. `auroc` is out of fold, by image, with
            the 95 % interval of a bootstrap over cases (NaN where undefined); `verdict_changes` is the share of images
            whose verdict (benign, malignant or uncertain) is another than unchanged, 0 to 1; whether an image would be
            refused is not judged here. Conditions are, in this order: `unchanged` (amount NaN); the keys of
            `lobule.controls.perturbations.CONDITIONS`, on the same images; then, on all images of the magnification
            that is the amount, `all_magnifications` and `magnification_left_out`, whose changes are against the former.
    """

    frame: pd.DataFrame

    def write(self, path: Path) -> None:
        """Write the table as CSV, nine significant digits, atomically; empty where undefined."""
        write_atomically(path, self.frame.to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def sample_rows(frame: pd.DataFrame, images: int, *, seed: int) -> NDArray[np.intp]:
    """Return sorted rows of a manifest: as many of each case as far as they go, benign and malignant in turns.

    Args:
        frame: rows of a manifest.
        images: how many, at most.
        seed: decides which images of a case, and which cases first.
    """
    shuffled = frame[["case_id", "label"]].assign(row=np.arange(len(frame)))
    shuffled = shuffled.iloc[np.random.default_rng(seed).permutation(len(frame))]
    turn = shuffled.groupby("case_id").cumcount()
    place = shuffled.groupby([turn, shuffled["label"]]).cumcount()
    order = shuffled.assign(turn=turn, place=place).sort_values(["turn", "place", "label"])
    return np.sort(order["row"].to_numpy(dtype=np.intp)[:images])


def points_of_images(manifest: Manifest, predictions: Predictions, decisions: Decisions) -> list[OperatingPoint]:
    """Return what each image of a manifest is decided with out of fold, n points.

    Args:
        manifest: n images.
        predictions: out of fold, of all of them.
        decisions: of these predictions, cross-fitted.
    """
    held_out = (predictions.frame["protocol"] == "folds").to_numpy(dtype=bool)
    ids = predictions.frame["image_id"].to_numpy(dtype=object)[held_out].tolist()
    point_of = dict(zip(ids, decisions.point_of[held_out].tolist(), strict=True))
    return [decisions.points[point_of[image_id]].image for image_id in manifest.frame["image_id"]]


def measure_robustness(
    manifest: Manifest,
    features: Features,
    fits: Sequence[Fit],
    *,
    trained: Trained,
    points: Sequence[OperatingPoint],
    config: Config,
    progress: Progress = silent,
) -> Robustness:
    """Judge a sample of images, changed in every way and by every amount, by the head of the fold that held them out.

    Args:
        manifest: n images.
        features: of these images; used for the heads that are trained without a magnification.
        fits: the model's trainings.
        trained: what they gave, in the same order.
        points: n, what each image is decided with; see `points_of_images`.
        config: the run's settings; `robustness.images` is the size of the sample.
        progress: told after each condition.

    Raises:
        DataError: a file can no longer be decoded to the pixels of the manifest.
    """
    fold_of = _fold_of(fits)
    judge = _Judge(manifest.frame, fold_of, points, config)
    rows = sample_rows(manifest.frame, config.robustness.images, seed=config.seed)
    groups = _groups(manifest, rows, fold_of[rows], fits, trained, features.views)
    table = _curves(judge, rows, groups, progress)
    epochs = round(float(np.median(trained.epochs["binary"])))
    for tested in leave_one_magnification_out(manifest, features.values, fits, epochs=epochs, config=config):
        for name, logits in (("all_magnifications", tested.beside), ("magnification_left_out", tested.without)):
            table.append(judge.row(name, tested.magnification, logits, rows=tested.rows, unchanged=tested.beside))
    progress("robustness", 1, 1)
    return Robustness(pd.DataFrame(table, columns=list(ROBUSTNESS_COLUMNS)))


_Row = tuple[str, float, int, int, float | None, float | None, float | None, float]


@dataclass(frozen=True, eq=False)
class _Judge:
    """Scores logits of some rows of a manifest."""

    frame: pd.DataFrame
    fold_of: NDArray[np.int64]
    points: Sequence[OperatingPoint]
    config: Config

    def row(
        self,
        condition: str,
        amount: float,
        logits: NDArray[np.float64],
        *,
        rows: NDArray[np.intp],
        unchanged: NDArray[np.float64],
    ) -> _Row:
        """Return a row of the table for the logits (m,) of some rows (m,)."""
        found = self._auroc(rows, logits)
        before, after = self._verdicts(rows, unchanged), self._verdicts(rows, logits)
        changes = sum(was != now for was, now in zip(before, after, strict=True)) / len(rows)
        return (condition, amount, found.n_images, found.n_cases, found.value, found.low, found.high, changes)

    def _verdicts(self, rows: NDArray[np.intp], logits: NDArray[np.float64]) -> list[str]:
        points = [self.points[row] for row in rows.tolist()]
        # As in the predictions of the run, which are rounded before they are judged.
        probability = round_digits(sigmoid(logits / np.array([point.temperature for point in points])))
        return [verdict_of(p, point).verdict for p, point in zip(probability.tolist(), points, strict=True)]

    def _auroc(self, rows: NDArray[np.intp], logits: NDArray[np.float64]) -> Measure:
        predictions = assemble_predictions(
            self.frame.iloc[rows],
            protocol="folds",
            fold=self.fold_of[rows],
            logits_binary=logits,
            logits_subtype=None,
        )
        units = units_of(images_of(predictions, "binary", "folds"), "image")
        rules = [rule for rule in binary_rules(units) if rule.name == "auroc"]
        values_of = partial(binary_values, units)
        bootstrap = self.config.report.bootstrap
        return measure(units, rules, values_of, bootstrap=bootstrap, seed=self.config.seed)["auroc"]


@dataclass(frozen=True, eq=False)
class _Group:
    """Sampled images whose folds share an encoder: all of them, unless the folds were fine-tuned."""

    places: NDArray[np.intp]
    folds: NDArray[np.int64]
    heads: Mapping[int, Head]
    perturbed: PerturbedFeatures

    def logits(self, condition: str, amount: float) -> NDArray[np.float64]:
        """Return the logit of each image, (m,), by the head of its fold."""
        features = self.perturbed.under(condition, amount)
        logits = np.empty(len(self.folds))
        for fold in np.unique(self.folds):
            there = self.folds == fold
            logits[there] = mean_logits(self.heads[int(fold)], features[:, there])[:, 0]
        return logits


def _groups(
    manifest: Manifest,
    rows: NDArray[np.intp],
    folds: NDArray[np.int64],
    fits: Sequence[Fit],
    trained: Trained,
    views: Sequence[str],
) -> list[_Group]:
    index_of = {fit.fold: index for index, fit in enumerate(fits) if fit.protocol == "folds"}
    heads = {fold: trained.heads["binary"][index] for fold, index in index_of.items()}
    specs = {trained.encoders[index].key: trained.encoders[index] for index in index_of.values()}
    keys = np.array([trained.encoders[index_of[int(fold)]].key for fold in folds])
    ids = manifest.frame["image_id"].to_numpy(dtype=object)[rows]
    return [
        _Group(
            places=np.flatnonzero(keys == key),
            folds=folds[keys == key],
            heads=heads,
            perturbed=PerturbedFeatures(manifest.select(ids[keys == key].tolist()), spec, views=views),
        )
        for key, spec in specs.items()
        if (keys == key).any()
    ]


def _curves(judge: _Judge, rows: NDArray[np.intp], groups: Sequence[_Group], progress: Progress) -> list[_Row]:
    def logits(condition: str, amount: float) -> NDArray[np.float64]:
        found = np.empty(len(rows))
        for group in groups:
            found[group.places] = group.logits(condition, amount)
        return found

    unchanged = logits(UNCHANGED, np.nan)
    table = [judge.row(UNCHANGED, np.nan, unchanged, rows=rows, unchanged=unchanged)]
    steps = [(name, amount) for name, condition in CONDITIONS.items() for amount in condition.amounts]
    for done, (name, amount) in enumerate(steps):
        progress("robustness", done, len(steps) + 1)
        same = amount == CONDITIONS[name].unchanged
        changed = unchanged if same else logits(name, amount)
        table.append(judge.row(name, amount, changed, rows=rows, unchanged=unchanged))
    return table


def _fold_of(fits: Sequence[Fit]) -> NDArray[np.int64]:
    fold_of = np.full(len(fits[0].train), -1, dtype=np.int64)
    for fit in fits:
        if fit.protocol == "folds":
            fold_of[fit.validation] = fit.fold
    return fold_of
