"""What a run can say of its model: predictions of what was held out, beside rivals, on changed images, with metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lobule.controls.rivals import rival_predictions
from lobule.controls.rivals_of_fits import rivals_of_fits
from lobule.controls.robustness import measure_robustness, points_of_images
from lobule.evaluation.compare import paired_differences
from lobule.evaluation.decision.decide import decide, decided
from lobule.evaluation.metrics import evaluate
from lobule.features.extract import extract_spec
from lobule.features.statistics import statistics_of
from lobule.model.held_out import held_out_predictions
from lobule.model.novelty import fit_novelty, held_out_novelty
from lobule.model.side_by_side import side_by_side
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.controls.robustness import Robustness
    from lobule.data.manifest import Manifest
    from lobule.evaluation.decision.operating import Decisions
    from lobule.evaluation.metrics import Metrics
    from lobule.evaluation.predictions import Predictions
    from lobule.features.extract import Features
    from lobule.features.spec import EncoderSpec
    from lobule.model.novelty import Novelty
    from lobule.model.plan import Fit
    from lobule.model.stages import Trained

__all__ = ["Assessment", "assess", "assess_fits", "score"]


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is known of a trained model.

    Attributes:
        predictions: of every held-out image, decided by numbers of other cases.
        decisions: those numbers, and the pooled ones that are shipped.
        rivals: by name, their predictions.
        metrics: of the model and of its rivals, with the paired differences.
        novelty: what the shipped model refuses.
        robustness: what becomes of answers when images change; None where it was not asked for.
    """

    predictions: Predictions
    decisions: Decisions
    rivals: Mapping[str, Predictions]
    metrics: Metrics
    novelty: Novelty
    robustness: Robustness | None

    def with_search(self, summary: Mapping[str, Any]) -> Assessment:
        """Return the same, its metrics with what a search tried and chose beside them."""
        return replace(self, metrics=self.metrics.with_search(summary))


def assess(
    manifest: Manifest,
    features: Features,
    fits: Sequence[Fit],
    trained: Trained,
    *,
    config: Config,
    run_id: str,
    progress: Progress = silent,
) -> Assessment:
    """Predict what was held out, with the model and with its rivals, and score all of it.

    Args:
        manifest: n images.
        features: of these images, frozen.
        fits: the trainings.
        trained: what they gave.
        config: the run's settings.
        run_id: names the run in predictions.
        progress: told about every stage.
    """
    statistics, cases = statistics_of(manifest, progress=progress), manifest.frame["case_id"].to_numpy(dtype=str)
    rate = config.novelty.false_refusal
    frozen = _identity_features(manifest, features.spec, features)
    progress("novelty", 0, 2)
    novelty = held_out_novelty(frozen, statistics, fits, cases=cases, false_refusal=rate)
    progress("novelty", 1, 2)
    shipped = _identity_features(manifest, trained.encoders[-1], features)
    refusing = fit_novelty(shipped, statistics, cases=cases, false_refusal=rate)
    progress("novelty", 2, 2)
    predictions, decisions = _held_out(manifest, fits, trained, novelty, config=config, run_id=run_id)
    rivals = rival_predictions(
        manifest,
        features,
        fits,
        list(trained.heads),
        trained=trained,
        config=config,
        run_id=run_id,
        progress=progress,
    )
    robustness = (
        measure_robustness(
            manifest,
            features,
            fits,
            trained=trained,
            points=points_of_images(manifest, predictions, decisions),
            config=config,
            progress=progress,
        )
        if config.robustness.images
        else None
    )
    metrics = score(predictions, rivals, config=config, progress=progress)
    return Assessment(predictions, decisions, rivals, metrics, refusing, robustness)


def assess_fits(
    manifest: Manifest,
    features_of: Sequence[Features],
    fits: Sequence[Fit],
    trained: Trained,
    *,
    configs: Sequence[Config],
    run_id: str,
    progress: Progress = silent,
) -> Assessment:
    """Predict what was held out, with fits that each have an encoder and settings of their own, and score all of it.

    As `assess`, but everything that is said of an image comes from the encoder of the fit that held it out, refusals
    included, and the rivals that are the model trained anew have the settings of that fit.

    Args:
        manifest: n images.
        features_of: of all images, by the encoder of each fit; the identity view is the first.
        fits: the trainings.
        trained: what they gave.
        configs: the settings of each fit; those of the last, the shipped model, decide how all are scored.
        run_id: names the run in predictions.
        progress: told about every stage.
    """
    config = configs[-1]
    statistics, cases = statistics_of(manifest, progress=progress), manifest.frame["case_id"].to_numpy(dtype=str)
    rate = config.novelty.false_refusal
    novelty = {}
    for index, (features, fit) in enumerate(zip(features_of, fits, strict=True)):
        plain = features.values[0]
        for found in held_out_novelty(plain, statistics, [fit], cases=cases, false_refusal=rate).values():
            novelty[index] = found
    refusing = fit_novelty(features_of[-1].values[0], statistics, cases=cases, false_refusal=rate)
    predictions, decisions = _held_out(manifest, fits, trained, novelty, config=config, run_id=run_id)
    rivals = rivals_of_fits(manifest, features_of, fits, trained, configs=configs, run_id=run_id, progress=progress)
    metrics = score(predictions, rivals, config=config, progress=progress)
    return Assessment(predictions, decisions, rivals, metrics, refusing, None)


def score(
    predictions: Predictions,
    rivals: Mapping[str, Predictions],
    *,
    config: Config,
    keep_given: bool = True,
    progress: Progress = silent,
) -> Metrics:
    """Return the metrics of a model, those of its rivals, and what it is better by, paired by case.

    Args:
        predictions: of the model.
        rivals: by name.
        config: rule of the threshold, alpha, replicates and seed.
        keep_given: as in `evaluate`.
        progress: told after each part.
    """
    bootstrap, seed = config.report.bootstrap, config.seed
    measure = partial(evaluate, decision=config.decision, bootstrap=bootstrap, seed=seed)
    paired = partial(paired_differences, decision=config.decision, bootstrap=bootstrap, seed=seed)

    def beside(rival: Predictions) -> tuple[Metrics, dict[str, Any] | None]:
        return measure(rival, in_full=False), paired(predictions, rival)

    total, controls, differences = 1 + len(rivals), {}, {}
    with side_by_side(total) as pool:
        of_model = pool.submit(measure, predictions, keep_given=keep_given)
        of_rivals = pool.map(beside, rivals.values())
        own = of_model.result()
        progress("evaluate", 1, total)
        for done, (name, found) in enumerate(zip(rivals, of_rivals, strict=True), start=2):
            controls[name], differences[name] = found
            progress("evaluate", done, total)
    return own.with_controls(controls, differences=differences)


def _held_out(
    manifest: Manifest,
    fits: Sequence[Fit],
    trained: Trained,
    novelty: Mapping[int, tuple[NDArray[np.float64], Sequence[str]]],
    *,
    config: Config,
    run_id: str,
) -> tuple[Predictions, Decisions]:
    """Return what is said of every held-out image, and the numbers that decided it."""
    undecided = held_out_predictions(manifest, fits, trained.logits, model_id=run_id, novelty=novelty)
    decisions = decide(undecided, config.decision)
    return decided(undecided, decisions), decisions


def _identity_features(manifest: Manifest, spec: EncoderSpec, known: Features) -> NDArray[np.float32]:
    """Return the features of the undistorted view, (n, D), from what is known where it holds them."""
    if spec == known.spec and "identity" in known.views:
        return np.asarray(known.values[known.views.index("identity")], dtype=np.float32)
    return np.asarray(extract_spec(manifest, spec, views=("identity",)).values[0], dtype=np.float32)
