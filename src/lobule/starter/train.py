"""The starter model from nothing: real images and a teacher in, a run folder with its bundle out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.assessment import assess_fits
from lobule.config import Config, FeatureSettings, ReportSettings
from lobule.evaluation.metrics import Metrics
from lobule.features.backbones import STARTER
from lobule.features.extract import extract_spec
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.features.weights import finetuned_weights
from lobule.model.finetune import WEIGHTS_FILE, training_folder
from lobule.model.image_source import open_images
from lobule.model.plan import plan_fits
from lobule.model.ship import ship
from lobule.pipeline import Material, Run, gather, refuse_nesting, write_assessment, write_material, write_page
from lobule.progress import Progress, silent
from lobule.report.card import summarise
from lobule.run_folder import RunFolder
from lobule.starter.distil import Recipe, distil
from lobule.starter.heads import train_heads_of
from lobule.starter.teacher import TEACHER_LAYER, lessons_of
from lobule.storage import written_by_others

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lobule.features.extract import Features

__all__ = ["STARTER_CONFIG", "StarterPlan", "teacher_settings", "train_starter"]

STARTER_CONFIG: Final = Config(
    features=FeatureSettings(backbone=STARTER.name, weights="distilled"), report=ReportSettings(gallery=12)
)
"""Settings of the starter model: those of `lobule train`, but for the backbone."""

_NAME: Final = "Lobule starter model"


@dataclass(frozen=True)
class StarterPlan:
    """What decides the starter model besides the images.

    Attributes:
        teacher: which network is the teacher, and at which layer.
        config: settings of split, heads, decisions and report.
        recipe: how encoders are made.
    """

    teacher: FeatureSettings
    config: Config = STARTER_CONFIG
    recipe: Recipe = field(default_factory=Recipe)


def teacher_settings(weights: Path) -> FeatureSettings:
    """Return the teacher of the starter model.

    Args:
        weights: DenseNet121 without its classifier, trained on ImageNet.
    """
    return FeatureSettings(
        backbone="densenet121", weights=str(weights), layers=(TEACHER_LAYER,), views=("identity",), engine="openvino"
    )


def train_starter(data: Path, out: Path, plan: StarterPlan, *, command: str = "", progress: Progress = silent) -> Run:
    """Make the starter model, with an encoder for every fold that never saw an image of the cases it is tested on.

    The holdout is the first fold, so that one encoder serves both; six are made for five folds. Repeating the call on
    the same run folder starts again with what the cache holds, or returns at once where it is done.

    Args:
        data: folder of images.
        out: run folder; created.
        plan: everything else that decides the result.
        command: the command line, for the record.
        progress: told about every stage.

    Raises:
        LobuleError: the data, the teacher's weights or the run folder cannot be used.
    """
    refuse_nesting(data, out)
    teacher = encoder_spec(plan.teacher, seed=plan.config.seed)
    folder = RunFolder.open(out, _arguments(data, plan, teacher), command=command)
    if folder.is_done:
        return Run(out, Metrics.read(out / "metrics.json"), int(folder.record["n_failures"]), was_done=True)
    with folder.alone():
        return _train_starter(data, folder, plan, teacher, progress)


def _train_starter(data: Path, folder: RunFolder, plan: StarterPlan, teacher: EncoderSpec, progress: Progress) -> Run:
    config = plan.config
    with folder.timed("data"):
        material = _first_fold_as_holdout(gather(data, config, None, progress))
        write_material(folder, material, config)
    manifest, fits = material.manifest, material.fits
    with folder.timed("features"):
        encoders = _encoders(material, teacher, folder.path, plan, progress)
        views = tuple(config.features.views)
        known = {spec: extract_spec(manifest, spec, views=views, progress=progress) for spec in dict.fromkeys(encoders)}
        features_of: Sequence[Features] = [known[spec] for spec in encoders]
    with folder.timed("training"):
        trained = train_heads_of(manifest, features_of, fits, config=config, progress=progress)
    with folder.timed("evaluation"):
        assessed = assess_fits(
            manifest,
            features_of,
            fits,
            trained,
            configs=[config] * len(fits),
            run_id=folder.run_id,
            progress=progress,
        )
        write_assessment(folder, trained, assessed)
    with folder.timed("model"):
        ship(
            folder.path / "model",
            manifest,
            encoders[-1],
            trained.shipped,
            assessed.metrics,
            operating=assessed.decisions.pooled,
            novelty=assessed.novelty,
            config=config,
            name=_NAME,
            data=summarise(manifest, synthetic=material.is_synthetic),
        )
    with folder.timed("report"):
        write_page(folder, material, trained, assessed, config)
        progress("report", 1, 1)
    folder.finish()
    return Run(folder.path, assessed.metrics, len(material.failures), was_done=False)


def _arguments(data: Path, plan: StarterPlan, teacher: EncoderSpec) -> dict[str, Any]:
    return {
        "data": str(data.resolve()),
        "config": plan.config.model_dump(mode="json"),
        "teacher": teacher.graph_key,
        "recipe": asdict(plan.recipe),
    }


def _first_fold_as_holdout(material: Material) -> Material:
    first = set(material.split.folds[0])
    rest = sorted(image for fold in material.split.folds[1:] for image in fold)
    divided = replace(material.split, train=tuple(rest), validation=tuple(sorted(first)))
    divided.check(material.manifest)
    fits = plan_fits(divided.fold_of(material.manifest), divided.is_validation(material.manifest))
    return replace(material, split=divided, fits=fits)


def _encoders(
    material: Material, teacher: EncoderSpec, run: Path, plan: StarterPlan, progress: Progress
) -> list[EncoderSpec]:
    """Make the encoder of each fit, once for fits that train on the same images."""
    lessons = lessons_of(material.manifest, teacher, progress=progress)
    source = open_images(material.manifest.paths, size=STARTER.input_size, progress=progress)
    pixels = source.take(np.arange(len(source)))
    made: dict[bytes, EncoderSpec] = {}
    for number, fit in enumerate(material.fits, start=1):
        if fit.train.tobytes() not in made:
            encoder = distil(pixels[fit.train], lessons.of(fit.train), recipe=plan.recipe, seed=plan.config.seed)
            path = training_folder(run, fit) / WEIGHTS_FILE
            with written_by_others(path) as unfinished:
                encoder.save_weights(str(unfinished))
            made[fit.train.tobytes()] = EncoderSpec(STARTER.name, finetuned_weights(path, STARTER), engine="openvino")
        progress("encoders", number, len(material.fits))
    return [made[fit.train.tobytes()] for fit in material.fits]
