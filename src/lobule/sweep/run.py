"""The whole sweep: a folder of images in, a run folder out whose settings were searched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lobule.assessment import assess_fits
from lobule.errors import ConfigError
from lobule.evaluation.metrics import Metrics
from lobule.model.plan import targets_of
from lobule.model.ship import ship
from lobule.pipeline import Material, Run, gather, refuse_nesting, write_assessment, write_material, write_page
from lobule.progress import Progress, silent
from lobule.provenance import digest_of_file, write_atomically
from lobule.report.card import summarise
from lobule.report.search_record import SEARCH_FILE
from lobule.run_folder import RunFolder
from lobule.sweep.encodings import encode_space, encoders_of
from lobule.sweep.journal import SearchJournal
from lobule.sweep.nested import plan_nested
from lobule.sweep.outer import train_outer
from lobule.sweep.record import record_of, table_of
from lobule.sweep.sampler import import_optuna
from lobule.sweep.search import Search
from lobule.sweep.settings import SweepPlan

if TYPE_CHECKING:
    from lobule.sweep.encodings import Encodings
    from lobule.sweep.nested import Nested
    from lobule.sweep.search import Found
    from lobule.sweep.space import Space

__all__ = ["sweep"]

_JOURNAL: Final = "search.jsonl"


def sweep(
    data: Path | str,
    out: Path | str,
    *,
    plan: SweepPlan | None = None,
    split_file: Path | str | None = None,
    command: str = "",
    progress: Progress = silent,
) -> Run:
    """Search settings and train with what was found; every reported number is untouched by the search.

    Each outer fit (folds, holdout, final model) has a search of its own on inner folds of its own training cases, see
    `lobule.sweep.nested.plan_nested`. Repeating the call on the same run folder goes on where it was stopped, with the
    same result.

    Args:
        data: folder of images, manifest or CSV.
        out: run folder; created.
        plan: what is searched and how; None: the usual.
        split_file: split to use instead of drawing one.
        command: the command line, for the record.
        progress: told about every stage.

    Raises:
        LobuleError: the data, the settings, the weights or the run folder cannot be used; MissingExtraError where
            Optuna is missing.
    """
    data, out, plan = Path(data), Path(out), plan or SweepPlan()
    split_file = Path(split_file) if split_file else None
    _check(plan)
    refuse_nesting(data, out)
    folder = RunFolder.open(out, _arguments(data, plan, plan.searched, split_file), command=command)
    if folder.is_done:
        (out / _JOURNAL).unlink(missing_ok=True)
        return Run(out, Metrics.read(out / "metrics.json"), int(folder.record["n_failures"]), was_done=True)
    with folder.alone():
        return _sweep(data, folder, plan, split_file, progress)


def _sweep(data: Path, folder: RunFolder, plan: SweepPlan, split_file: Path | None, progress: Progress) -> Run:
    space = plan.searched
    with folder.timed("data"):
        material = gather(data, plan.config, split_file, progress)
        manifest = material.manifest
        nested = plan_nested(material.fits, material.split.fold_of(manifest), targets_of(manifest.frame, "binary"))
        encoders = encoders_of(space, plan.config)
        write_material(folder, material, plan.config)
    with folder.timed("features"):
        encodings = encode_space(manifest, material.seen, encoders, space, config=plan.config, progress=progress)
    with folder.timed("search"):
        found = _search(folder, material, nested, encodings, plan, progress)
    _finish(folder, material, nested, encodings, found, plan, progress)
    return Run(folder.path, Metrics.read(folder.path / "metrics.json"), len(material.failures), was_done=False)


def _check(plan: SweepPlan) -> None:
    """Refuse what a sweep cannot do, before anything is read.

    Raises:
        ConfigError: the settings ask for fine-tuning or robustness.
        MissingExtraError: Optuna is not installed.
    """
    import_optuna()
    for name, asked in (
        ("finetune.blocks", plan.config.finetune.blocks),
        ("robustness.images", plan.config.robustness.images),
    ):
        if asked:
            raise ConfigError(
                f"{name}: a sweep searches frozen features and cannot do this, allowed is 0, received {asked}; run "
                "`lobule train` with the config.yaml that the sweep leaves."
            )


def _arguments(data: Path, plan: SweepPlan, space: Space, split_file: Path | None) -> dict[str, Any]:
    return {
        "data": str(data.resolve()),
        "split": digest_of_file(split_file) if split_file else None,
        "config": plan.config.model_dump(mode="json"),
        "sweep": plan.settings.model_dump(mode="json"),
        "space": space.to_json(),
    }


def _search(
    folder: RunFolder, material: Material, nested: Nested, encodings: Encodings, plan: SweepPlan, progress: Progress
) -> Found:
    frame = material.manifest.frame
    encoded = sorted(features.spec.key for features in encodings.known.values())
    origin = {"run": folder.run_id, "dataset": material.manifest.digest, "features": encoded}
    with SearchJournal(folder.path / _JOURNAL, origin=origin) as journal:
        return Search(
            config=plan.config,
            space=plan.searched,
            settings=plan.settings,
            nested=nested,
            features_of=encodings.of,
            targets=targets_of(frame, "binary"),
            cases=frame["case_id"].to_numpy(dtype=str),
            journal=journal,
            progress=progress,
        ).run()


def _finish(
    folder: RunFolder,
    material: Material,
    nested: Nested,
    encodings: Encodings,
    found: Found,
    plan: SweepPlan,
    progress: Progress,
) -> None:
    """Train with what was chosen, say everything that is to be said, and ship the final model."""
    manifest = material.manifest
    configs = [choice.config for choice in found.choices]
    shipped = configs[-1]
    features_of = [encodings.of(config) for config in configs]
    with folder.timed("training"):
        trained = train_outer(manifest, nested, configs, features_of, progress=progress)
    with folder.timed("evaluation"):
        assessed = assess_fits(
            manifest, features_of, material.fits, trained, configs=configs, run_id=folder.run_id, progress=progress
        )
        record = record_of(found, trained, nested, manifest, plan)
        assessed = assessed.with_search(record.summary())
        write_atomically(folder.path / "config.yaml", shipped.to_yaml())
        write_atomically(folder.path / "search.csv", table_of(found).to_csv(index=False, float_format="%.9g"))
        record.write(folder.path / SEARCH_FILE)
        # Not noted: last digits may differ where another processor resumes, and nobody should be refused for them.
        folder.record["search"] = record.summary()
        folder.note(precision=trained.encoders[-1].precision)
        write_assessment(folder, trained, assessed)
    with folder.timed("model"):
        ship(
            folder.path / "model",
            manifest,
            trained.encoders[-1],
            trained.shipped,
            assessed.metrics,
            operating=assessed.decisions.pooled,
            novelty=assessed.novelty,
            config=shipped,
            name=f"{shipped.features.backbone} of sweep {folder.run_id}",
            data=summarise(manifest, group_by=material.split.group_by, synthetic=material.is_synthetic),
        )
    with folder.timed("report"):
        write_page(folder, material, trained, assessed, shipped, search=record)
        progress("report", 1, 1)
    folder.finish()
    (folder.path / _JOURNAL).unlink(missing_ok=True)
