"""Whether an image is one that a model can judge: how far it lies from everything the model was trained on.

Two distances decide, one in the features of the backbone and one in the statistics of the image. Both are Mahalanobis
distances under probabilistic principal components (Tipping and Bishop 1999, J R Stat Soc B 61:611-622): what varies
among the training images counts in units of its own spread, everything else in units of what is left over. The limits
are quantiles of the distances of images whose cases were left out, so that the stated share of images like the training
images is refused, with both distances together. Beside them stand three rules that no training image comes near:
blank, blurred, not stained with H&E.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.errors import DataError, VerificationError
from lobule.features.statistics import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.model.plan import Fit

__all__ = ["REFUSAL_KINDS", "Novelty", "Subspace", "fit_novelty", "held_out_novelty", "load_novelty", "save_novelty"]

REFUSAL_KINDS: Final = ("blank", "blurred", "not H&E", "unfamiliar", "unusual")
"""What a reason begins with, before its colon."""

_DIRECTIONS: Final = 32
_IMAGES_A_DIRECTION: Final = 4
_IMAGES_OF_A_SUBSPACE: Final = 2000
_EXPLAINED: Final = 0.9
_SMALLEST_SCALE: Final = 0.01
_SMALLEST_LIMIT: Final = 1e-6
_PARTS: Final = 5
_SHARES: Final = [STATISTICS.index(name) for name in ("empty", "stained", "off_stain")]
_LIGHTNESS_SD, _SHARPNESS = STATISTICS.index("lightness_sd"), STATISTICS.index("sharpness")
_EMPTY, _OFF_STAIN = STATISTICS.index("empty"), STATISTICS.index("off_stain")
_SPREADS: Final = 4
_EMPTIEST: Final = 0.9
_SHARPNESS_MARGIN: Final = 0.15
_STAIN_MARGIN: Final = 0.05
_VISIBLE_CONTRAST: Final = 2.0


@dataclass(frozen=True, eq=False)
class Subspace:
    """Where numbers of training images lie; D numbers an image, k directions.

    Attributes:
        mean: (D,).
        scale: (D,), positive; numbers are standardised by both.
        directions: (k, D), orthonormal: where the standardised numbers vary most.
        variances: (k,), along the directions.
        rest: (), mean variance along all other directions.
        limit: (), largest distance that is not refused; 1 until it is known.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    directions: NDArray[np.float32]
    variances: NDArray[np.float32]
    rest: NDArray[np.float32]
    limit: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that the shapes fit each other and that nothing is divided by zero.

        Raises:
            VerificationError: they do not.
        """
        size, count = self.mean.shape[-1] if self.mean.ndim else 0, len(np.atleast_1d(self.variances))
        expected = ((size,), (size,), (count, size), (count,), (), ())
        for field, shape in zip(fields(self), expected, strict=True):
            array = getattr(self, field.name)
            if array.shape != shape or not np.isfinite(array).all():
                raise VerificationError(f"novelty: {field.name} is {array.shape}, expected {shape} of finite numbers.")
        if min(self.scale.min(), self.rest, self.limit, *self.variances) <= 0:
            raise VerificationError("novelty: scale, variances, rest and limit must be positive.")

    def ratios(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return distance over limit of each row, (n,); row by row, so that none depends on the others."""
        directions = self.directions.astype(np.float64)
        centred = (values.astype(np.float64) - self.mean) / self.scale
        return np.array([self._distance(row, directions) for row in centred], dtype=np.float64) / self.limit

    def _distance(self, row: NDArray[np.float64], directions: NDArray[np.float64]) -> float:
        along = np.einsum("kd,d->k", directions, row)  # One thread: no other image, and no processor, changes a bit.
        outside = max(float(row @ row - along @ along), 0.0)
        return float(np.sqrt((along**2 / self.variances).sum() + outside / float(self.rest)))


@dataclass(frozen=True, eq=False)
class Novelty:
    """What a model was trained on, as far as it takes to tell what it was not trained on.

    Attributes:
        features: of the backbone, in the identity view.
        statistics: of the image, shares transformed to an even spread.
        rules: (3,), largest `empty`, smallest `sharpness` and largest `off_stain` that are not refused.
        false_refusal: (), share of images like the training images that the limits of both distances refuse.
    """

    features: Subspace
    statistics: Subspace
    rules: NDArray[np.float64]
    false_refusal: NDArray[np.float64]

    def judge(
        self, features: NDArray[np.float32], statistics: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], list[str]]:
        """Judge images, each by itself.

        Args:
            features: (n, D), of the identity view.
            statistics: (n, S), `lobule.features.statistics.image_statistics`.

        Returns:
            (n,) novelty, above 1 where an image is refused; and n reasons in words, "" where it is not.
        """
        ratios = np.stack(
            [
                *self._rule_ratios(statistics),
                self.features.ratios(features),
                self.statistics.ratios(_spread(statistics)),
            ],
            axis=1,
        )
        scores = ratios.max(axis=1)
        return scores, [
            self._reason(row, numbers) if row.max() > 1 else "" for row, numbers in zip(ratios, statistics, strict=True)
        ]

    def _rule_ratios(self, statistics: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
        emptiest, bluntest, oddest = self.rules
        numbers = statistics.astype(np.float64)
        visible = numbers[:, _LIGHTNESS_SD] >= _VISIBLE_CONTRAST
        blurred = 10 ** ((bluntest - numbers[:, _SHARPNESS]) / 2)
        return numbers[:, _EMPTY] / emptiest, np.where(visible, blurred, 0.0), numbers[:, _OFF_STAIN] / oddest

    def _reason(self, ratios: NDArray[np.float64], numbers: NDArray[np.float32]) -> str:
        blank, blurred, off_stain, unfamiliar, unusual = (float(ratio) for ratio in ratios)
        score = f"(novelty {ratios.max():.2f}, limit 1)"
        if blurred > 1:
            return f"blurred: fine detail {blurred:.1f} times weaker than in any image it was trained on {score}"
        if blank > 1:
            return f"blank: {numbers[_EMPTY]:.0%} of the image is without detail {score}".replace("%", " %")
        if off_stain > 1:
            return f"not H&E: colours that no mixture of haematoxylin and eosin has {score}"
        if unfamiliar >= unusual:
            return f"unfamiliar: does not look like the H&E breast images it was trained on {score}"
        return f"unusual: colours or sharpness unlike the H&E breast images it was trained on {score}"


def fit_novelty(
    features: NDArray[np.float32],
    statistics: NDArray[np.float32],
    *,
    cases: NDArray[Any],
    false_refusal: float = 0.01,
) -> Novelty:
    """Learn what the training images look like, and from left-out cases how far they lie from each other.

    Args:
        features: (n, D), of the identity view.
        statistics: (n, S), of the same images.
        cases: (n,), case of each image.
        false_refusal: share of images like these that may be refused, above 0 and below 0.5. With fewer than
            `1 / false_refusal` images the limits are extrapolated, the logarithm of a distance taken as normal.

    Raises:
        DataError: there are fewer than two images, or arrays do not fit each other.
    """
    _check(features, statistics, cases, false_refusal)
    spaces = (np.asarray(features, np.float32), _spread(statistics))
    left_out = np.empty((len(cases), len(spaces)))
    parts = _parts_of(cases)
    for part in range(int(parts.max()) + 1):
        inside = parts == part
        for column, values in enumerate(spaces):
            left_out[inside, column] = _subspace(values[~inside]).ratios(values[inside])
    limits = _limits(left_out, false_refusal)
    whole = [_subspace(values, limit=limit) for values, limit in zip(spaces, limits, strict=True)]
    return Novelty(whole[0], whole[1], _rules(statistics.astype(np.float64)), np.array(false_refusal))


def held_out_novelty(
    features: NDArray[np.float32],
    statistics: NDArray[np.float32],
    fits: Sequence[Fit],
    *,
    cases: NDArray[Any],
    false_refusal: float = 0.01,
) -> dict[int, tuple[NDArray[np.float64], list[str]]]:
    """Judge what each fit held out by the images that it was trained on, limits included.

    Args:
        features: (n, D), of the identity view.
        statistics: (n, S).
        fits: which images each fit holds out; those that hold out none are passed over.
        cases: (n,), case of each image.
        false_refusal: as in `fit_novelty`.

    Returns:
        By index of the fit: novelty of its validation images, (n_validation,), and as many reasons.
    """
    from lobule.model.side_by_side import side_by_side

    def judge(fit: Fit) -> tuple[NDArray[np.float64], list[str]]:
        known = fit.train
        novelty = fit_novelty(features[known], statistics[known], cases=cases[known], false_refusal=false_refusal)
        return novelty.judge(features[fit.validation], statistics[fit.validation])

    judged = {index: fit for index, fit in enumerate(fits) if fit.validation.any()}
    with side_by_side(len(judged)) as pool:
        return dict(zip(judged, pool.map(judge, judged.values()), strict=True))


def save_novelty(path: Path, novelty: Novelty) -> None:
    """Write it to one safetensors file."""
    from safetensors.numpy import save

    from lobule.provenance import write_atomically

    tensors = {
        f"{name}/{field.name}": getattr(getattr(novelty, name), field.name)
        for name in ("features", "statistics")
        for field in fields(Subspace)
    }
    numbers = {"rules": novelty.rules, "false_refusal": novelty.false_refusal}
    write_atomically(path, save({name: np.array(array, order="C") for name, array in {**tensors, **numbers}.items()}))


def load_novelty(path: Path) -> Novelty:
    """Read what `save_novelty` wrote.

    Raises:
        VerificationError: the file is missing, damaged or something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise VerificationError(f"{path}: cannot be read as a measure of novelty ({error}).") from None
    names = [f"{part}/{field.name}" for part in ("features", "statistics") for field in fields(Subspace)]
    if set(tensors) != {*names, "rules", "false_refusal"}:
        raise VerificationError(f"{path}: holds no measure of novelty; found {sorted(tensors)}.")
    novelty = Novelty(
        _loaded(tensors, "features"), _loaded(tensors, "statistics"), tensors["rules"], tensors["false_refusal"]
    )
    if novelty.statistics.mean.shape != (len(STATISTICS),) or novelty.rules.shape != (3,):
        raise VerificationError(f"{path}: was made for other image statistics than this version of Lobule measures.")
    return novelty


def _loaded(tensors: Mapping[str, NDArray[Any]], part: str) -> Subspace:
    return Subspace(*(tensors[f"{part}/{field.name}"] for field in fields(Subspace)))


def _check(
    features: NDArray[np.float32], statistics: NDArray[np.float32], cases: NDArray[Any], false_refusal: float
) -> None:
    n = len(cases)
    if len(features) != n or statistics.shape != (n, len(STATISTICS)):
        raise DataError(
            f"novelty: a row of features and of {len(STATISTICS)} statistics is needed for each of {n} cases, received "
            f"{features.shape} and {statistics.shape}."
        )
    if n < 2:
        raise DataError(f"novelty: at least two images are needed, received {n}.")
    if not 0 < false_refusal < 0.5:
        raise DataError(f"novelty.false_refusal: expected a share above 0 and below 0.5, received {false_refusal}.")


def _spread(statistics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the statistics with shares on the angular scale, where they spread about evenly."""
    spread = np.array(statistics, dtype=np.float32)
    spread[:, _SHARES] = np.arcsin(np.sqrt(np.clip(spread[:, _SHARES], 0, 1)))
    return spread


def _parts_of(cases: NDArray[Any]) -> NDArray[np.int64]:
    """Return the part of each image, (n,): cases together, parts about equally large; one case is divided by image."""
    names, first, inverse, counts = np.unique(
        cases.astype(str), return_index=True, return_inverse=True, return_counts=True
    )
    if len(names) == 1:
        return np.arange(len(cases), dtype=np.int64) % 2
    number = min(_PARTS, len(names))
    part_of, filled = np.zeros(len(names), dtype=np.int64), np.zeros(number, dtype=np.int64)
    for case in np.lexsort((first, -counts)):
        part_of[case] = int(filled.argmin())
        filled[part_of[case]] += counts[case]
    return part_of[inverse]


def _subspace(values: NDArray[np.float32], *, limit: float = 1.0) -> Subspace:
    """Fit it to (n, D), of many images to some, evenly spaced: enough for its directions, and quick."""
    n = min(len(values), _IMAGES_OF_A_SUBSPACE)
    values = values[np.linspace(0, len(values) - 1, n).astype(np.int64)]
    mean, spread = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    smallest = _SMALLEST_SCALE * float(np.sqrt(np.mean(spread**2)))
    scale = np.maximum(spread, max(smallest, 1e-12))
    standardised = ((values - mean) / scale).astype(np.float32)
    size = values.shape[1]
    most = max(1, min(_DIRECTIONS, size - 1, n // _IMAGES_A_DIRECTION))
    directions = _principal(standardised, min(most, n))
    variances = np.asarray(np.mean((standardised @ directions.T) ** 2, axis=0, dtype=np.float64))
    total = float(np.mean(standardised**2, axis=0, dtype=np.float64).sum())
    enough = int(np.searchsorted(np.cumsum(variances), _EXPLAINED * total)) + 1
    kept = variances[:enough]
    rest = max((total - float(kept.sum())) / max(size - len(kept), 1), 1e-6)
    return Subspace(
        mean.astype(np.float32),
        scale.astype(np.float32),
        np.ascontiguousarray(directions[: len(kept)], dtype=np.float32),
        np.maximum(kept, rest).astype(np.float32),
        np.array(rest, dtype=np.float32),
        np.array(limit, dtype=np.float64),
    )


def _principal(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the directions in which rows (n, D) vary most, (count, D), by the smaller of their two products."""
    from scipy.linalg import eigh

    n, size = values.shape
    products = (values @ values.T if n < size else values.T @ values).astype(np.float64)
    last = len(products) - 1
    vectors = eigh(products, subset_by_index=(last - count + 1, last))[1][:, ::-1].T
    if n < size:
        vectors = vectors @ values
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors, dtype=np.float32)


def _limits(distances: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Return the limit of each distance, (p,), from (n, p): equally many images lie above each, few above any.

    A new image exchangeable with these lies above a limit with a probability of at most `rate` (the rank argument of
    conformal prediction: at most rate * (n + 1) - 1 of the n lie above).
    """
    n = len(distances)
    allowed = int(np.floor(rate * (n + 1))) - 1
    largest_first: NDArray[np.float64] = np.sort(distances, axis=0)[::-1]
    if allowed < 0:
        return np.asarray(np.maximum(largest_first[0], _extrapolated(distances, rate)), dtype=np.float64)
    largest_first = np.maximum(largest_first, _SMALLEST_LIMIT)
    above = [int((distances > largest_first[rank]).any(axis=1).sum()) for rank in range(allowed + 1)]
    chosen = max(rank for rank, count in enumerate(above) if count <= allowed)
    return np.asarray(largest_first[chosen], dtype=np.float64)


def _extrapolated(distances: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    from scipy.stats import norm

    logarithms = np.log(np.maximum(distances, _SMALLEST_LIMIT))
    tail = float(norm.isf(rate / distances.shape[1])) * np.sqrt(1 + 1 / len(distances))
    return np.asarray(np.exp(logarithms.mean(axis=0) + tail * logarithms.std(axis=0, ddof=1)))


def _rules(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return limits of `empty`, `sharpness` and `off_stain` that lie beyond every training image, by a margin."""
    mean, spread = statistics.mean(axis=0), _SPREADS * statistics.std(axis=0)
    low = np.minimum(statistics.min(axis=0), mean - spread)
    high = np.maximum(statistics.max(axis=0), mean + spread)
    emptiest = max(_EMPTIEST, (1 + statistics[:, _EMPTY].max()) / 2)
    return np.array([emptiest, low[_SHARPNESS] - _SHARPNESS_MARGIN, high[_OFF_STAIN] + _STAIN_MARGIN])
