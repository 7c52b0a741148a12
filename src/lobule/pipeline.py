"""The whole job in one readable file: a folder of images in, a run folder out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lobule.assessment import Assessment, assess
from lobule.config import Config
from lobule.data.audit import apply_policy, audit
from lobule.data.failures import write_failures
from lobule.data.phantom import is_phantom
from lobule.data.scan import scan
from lobule.data.split import Split, split
from lobule.errors import LeakageError, RunError, SplitError
from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.evaluation.metrics import Metrics
from lobule.features.extract import Extractor, extract_spec
from lobule.features.precision import settle
from lobule.features.spec import encoder_spec
from lobule.inference.gallery import Lens, gallery_of
from lobule.model.plan import plan_fits
from lobule.model.ship import ship
from lobule.model.stages import finetune, train_heads
from lobule.progress import Progress, silent
from lobule.provenance import digest_of_file, write_atomically
from lobule.report.card import summarise
from lobule.report.html import write_report
from lobule.report.inputs import Banner, ReportInputs
from lobule.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lobule.data.findings import Audit
    from lobule.data.manifest import Failure, Manifest
    from lobule.features.spec import EncoderSpec
    from lobule.model.plan import Fit
    from lobule.model.stages import Trained
    from lobule.report.search_record import SearchRecord

__all__ = [
    "Material",
    "Run",
    "gather",
    "recorded_data",
    "refuse_nesting",
    "train",
    "write_assessment",
    "write_material",
    "write_page",
]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: the run folder.
        metrics: what metrics.json says.
        n_failures: files that could not be used, listed in failures.csv.
        was_done: whether the run had been finished before, so that nothing was done now.
    """

    folder: Path
    metrics: Metrics
    n_failures: int
    was_done: bool


@dataclass(frozen=True, eq=False)
class Material:
    """What is trained on: the images that are left after the audit's policy, and how they are divided.

    Attributes:
        manifest: the images that are left.
        failures: files that could not be used.
        audit: what was found before the policy.
        split: folds and holdout.
        fits: the trainings that follow from the split.
        is_synthetic: whether the images were drawn by a program.
    """

    manifest: Manifest
    failures: tuple[Failure, ...]
    audit: Audit
    split: Split
    fits: Sequence[Fit]
    is_synthetic: bool

    @property
    def seen(self) -> Manifest:
        """The training part of the holdout: what a quantised backbone may see."""
        return self.manifest.select(self.split.train)


def train(
    data: Path | str,
    out: Path | str,
    *,
    config: Config | None = None,
    split_file: Path | str | None = None,
    command: str = "",
    progress: Progress = silent,
    extractor: Extractor | None = None,
) -> Run:
    """Train, evaluate, explain and save a classifier for both tasks.

    Repeating the call on the same run folder resumes it, or returns at once where it is done; the result is the same
    as of an undisturbed run. Nothing is written before data, split and weights are known to be usable.

    Args:
        data: folder of images, manifest or CSV.
        out: run folder; created.
        config: settings; None: the defaults.
        split_file: split to use instead of drawing one.
        command: the command line, for the record.
        progress: told about every stage.
        extractor: who computes missing features instead of this process: `lobule.scale.cluster.Cluster.extract`.

    Raises:
        LobuleError: the data, the settings, the weights or the run folder cannot be used; LeakageError where
            `split_file` leaks.
    """
    data, out, config = Path(data), Path(out), config or Config()
    split_file = Path(split_file) if split_file else None
    refuse_nesting(data, out)
    folder = RunFolder.open(out, _arguments(data, config, split_file), command=command)
    if folder.is_done:
        return Run(out, Metrics.read(out / "metrics.json"), int(folder.record["n_failures"]), was_done=True)
    with folder.alone():
        return _train(data, folder, config, split_file, progress, extractor)


def _train(
    data: Path,
    folder: RunFolder,
    config: Config,
    split_file: Path | None,
    progress: Progress,
    extractor: Extractor | None,
) -> Run:
    with folder.timed("data"):
        material = gather(data, config, split_file, progress)
        encoder = encoder_spec(config.features, seed=config.seed)
        write_material(folder, material, config)
        encoder = settle(encoder, config.features, material.seen, seed=config.seed, progress=progress)
        folder.note(precision=encoder.precision)
    with folder.timed("features"):
        views = config.features.views
        features = extract_spec(material.manifest, encoder, views=views, progress=progress, extractor=extractor)
    with folder.timed("training"):
        trained = train_heads(material.manifest, features, material.fits, config=config, progress=progress)
        if config.finetune.blocks:
            trained = finetune(
                trained, material.manifest, material.fits, config=config, run=folder.path, progress=progress
            )
    with folder.timed("evaluation"):
        assessed = assess(
            material.manifest,
            features,
            material.fits,
            trained,
            config=config,
            run_id=folder.run_id,
            progress=progress,
        )
        write_assessment(folder, trained, assessed)
    with folder.timed("model"):
        ship(
            folder.path / "model",
            material.manifest,
            trained.encoders[-1],
            trained.shipped,
            assessed.metrics,
            operating=assessed.decisions.pooled,
            novelty=assessed.novelty,
            config=config,
            name=f"{features.spec.backbone} of run {folder.run_id}",
            data=summarise(material.manifest, group_by=material.split.group_by, synthetic=material.is_synthetic),
        )
    with folder.timed("report"):
        write_page(folder, material, trained, assessed, config)
        progress("report", 1, 1)
    folder.finish()
    return Run(folder.path, assessed.metrics, len(material.failures), was_done=False)


def _arguments(data: Path, config: Config, split_file: Path | None) -> dict[str, Any]:
    return {
        "data": str(data.resolve()),
        "split": digest_of_file(split_file) if split_file else None,
        "config": config.model_dump(mode="json"),
    }


def refuse_nesting(data: Path, out: Path) -> None:
    """Refuse a run folder inside the folder of images: a run's own figures must not become images of its data.

    Raises:
        RunError: it lies there.
    """
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise RunError(f"--out {out}: lies inside the folder of the images, {data}; name a folder outside it.")


def gather(data: Path, config: Config, split_file: Path | None, progress: Progress) -> Material:
    """Scan, audit, clean and divide.

    Args:
        data: folder of images, manifest or CSV.
        config: settings.
        split_file: split to use instead of drawing one.
        progress: told about every stage.

    Raises:
        LobuleError: the data cannot be used, or cannot be divided.
    """
    scanned = scan(data, settings=config.data, progress=progress)
    if (scanned.manifest.frame["pixel_sha256"] == "").any():
        raise RunError(
            f"DATA {data}: names without pixels cannot be trained on; name a folder of images or a manifest."
        )
    found = audit(scanned.manifest, progress=progress)
    manifest = apply_policy(scanned.manifest, found)
    if split_file:
        divided = _read_split(split_file, scanned.manifest, manifest, config, policy=found.policy)
    else:
        divided = split(manifest, config.data, seed=config.seed, policy=found.policy)
    fits = plan_fits(divided.fold_of(manifest), divided.is_validation(manifest))
    return Material(manifest, scanned.failures, found, divided, fits, is_phantom(data))


def _read_split(path: Path, scanned: Manifest, cleaned: Manifest, config: Config, *, policy: str) -> Split:
    """Read a split of the images as they were found, or as they are left; its groups are those of the settings."""
    try:
        divided = Split.read(path, cleaned)
    except LeakageError:
        raise
    except SplitError:
        divided = Split.read(path, scanned).kept(cleaned, policy=policy)
    replace(divided, group_by=config.data.group).check(cleaned)
    return divided


def write_material(folder: RunFolder, material: Material, config: Config) -> None:
    """Write what the run stands on; data that have changed since an earlier start are refused before that."""
    folder.note(dataset_sha256=material.manifest.digest, n_failures=len(material.failures))
    write_atomically(folder.path / "config.yaml", config.to_yaml())
    material.manifest.write(folder.path / "manifest.csv")
    write_failures(folder.path / "failures.csv", material.failures)
    audited = json.dumps(material.audit.to_json(), indent=2, ensure_ascii=False)
    write_atomically(folder.path / "audit.json", audited + "\n")
    material.split.write(folder.path / "split.json", material.manifest)


def write_assessment(folder: RunFolder, trained: Trained, assessed: Assessment) -> None:
    """Write predictions, curves and metrics; those of the rivals too, so that all can be scored again."""
    assessed.predictions.write(folder.path / "predictions.csv")
    for name, rival in assessed.rivals.items():
        rival.write(folder.path / "controls" / f"{name}.csv")
    write_atomically(folder.path / "history.csv", _history(trained.history).to_csv(index=False, float_format="%.9g"))
    folder.note(epochs={task: list(epochs) for task, epochs in trained.epochs.items()})
    if assessed.robustness:
        assessed.robustness.write(folder.path / "robustness.csv")
    assessed.metrics.write(folder.path / "metrics.json")


def _history(history: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of holdout and folds; the final model has no validation images, hence no curve."""
    shown = history[history["protocol"] != "final"]
    return shown.assign(fold=shown["fold"].where(shown["fold"] >= 0).astype("Int64"))[list(HISTORY_COLUMNS)]


def write_page(
    folder: RunFolder,
    material: Material,
    trained: Trained,
    assessed: Assessment,
    config: Config,
    *,
    search: SearchRecord | None = None,
) -> None:
    """Draw the figures and the page, the worst errors with the heat map of the fold that made them."""
    spec = trained.encoders[-1]
    lenses = [Lens.of(trained, index) for index, fit in enumerate(material.fits) if fit.protocol == "folds"]
    inputs = ReportInputs(
        title=f"{folder.path.name}: {spec.backbone} on {Path(folder.record['arguments']['data']).name}",
        metrics=assessed.metrics,
        predictions=assessed.predictions,
        history=_history(trained.history),
        chosen_epochs={task: epochs[-1] for task, epochs in trained.epochs.items()},
        manifest=material.manifest,
        split=material.split,
        audit=material.audit,
        config=config,
        run=folder.record,
        robustness=assessed.robustness.frame if assessed.robustness else None,
        gallery=gallery_of(assessed.predictions, material.manifest, lenses, n=config.report.gallery),
        banners=_banners(config, spec),
        synthetic=material.is_synthetic,
        search=search,
    )
    write_report(inputs, folder.path / "report.html")


def _banners(config: Config, spec: EncoderSpec) -> tuple[Banner, ...]:
    """Return what a reader must know of the weights, and which numbers fine-tuning is in."""
    noted = (Banner(severity="info", text=spec.weights.note),) if spec.weights.note else ()
    if not config.finetune.blocks:
        return noted
    where = (
        "holdout and folds"
        if config.finetune.folds
        else "holdout only; the folds (the headline) are of frozen features"
    )
    text = (
        f"The shipped model was fine-tuned. Numbers with fine-tuning: {where}. The holdout's number of epochs was "
        "chosen on the same images that are scored, which flatters its numbers."
    )
    return (*noted, Banner(severity="warning", text=text))


def recorded_data(run: Path) -> Path:
    """Return the folder that the paths in a run's manifest.csv are relative to.

    Raises:
        RunError: `run` is no run folder.
    """
    arguments = RunFolder.read_record(run)["arguments"]
    data, root = Path(arguments["data"]), arguments["config"]["data"]["root"]
    return data if data.is_dir() else Path(root) if root else data.parent
