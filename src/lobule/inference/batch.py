"""Predict every image that is named: failures are listed, the rest goes on, and a stopped batch can go on later."""

from __future__ import annotations

import glob
import os
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lobule.data.failures import Failure, read_failures, write_failures
from lobule.data.images import DECODER, pixel_sha256
from lobule.data.remote import address_of, written_whole
from lobule.errors import ConfigError, DataError, ImageError
from lobule.evaluation.parquet import SUFFIX, require_parquet
from lobule.features.openvino_runtime import import_openvino
from lobule.inference.answers import Answer, Named, write_predictions
from lobule.inference.elsewhere import UNDRAWN, Question, Reply, Workers
from lobule.inference.heatmap import default_class
from lobule.inference.inputs import InputImage, Inputs, expand
from lobule.inference.journal import Journal, Stamp
from lobule.inference.overlay_files import file_names, shows, write_overlay
from lobule.inference.predictor import Predictor
from lobule.progress import Progress, silent
from lobule.provenance import usable_cores, write_atomically
from lobule.storage import sweep
from lobule.taxonomy import Task

__all__ = ["BatchSummary", "predict_paths"]

_CHUNK: Final = 32
_MAX_THREADS: Final = 4


@dataclass(frozen=True)
class BatchSummary:
    """How a batch ended.

    Attributes:
        n_predicted: images with a row in `out`.
        n_failed: inputs listed in `failures`.
        n_resumed: of the predicted, those that an earlier, stopped batch had answered.
        out: predictions.csv.
        failures: failures.csv beside it; None where nothing failed.
        n_refused: of the predicted, those that are not assessable; `out` says why.
    """

    n_predicted: int
    n_failed: int
    n_resumed: int
    out: Path
    failures: Path | None
    n_refused: int = 0

    @property
    def exit_code(self) -> int:
        """What the command line returns: 2 if some inputs failed, else 0."""
        return 2 if self.n_failed else 0


@dataclass(frozen=True)
class _Job:
    """One image on its way; `name` is that of its heat maps, without task and extension."""

    image: InputImage
    name: str
    stamp: Stamp


def predict_paths(
    paths: Sequence[Path],
    predictor: Predictor,
    out: Path,
    *,
    heatmaps: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> BatchSummary:
    """Predict files, and every image under folders, into predictions.csv.

    Answers are kept in `<out>.partial` every few images; with `resume` a later call uses those of unchanged files, and
    the result is the same, byte for byte. What cannot be used is listed in failures.csv beside `out`.

    Args:
        paths: files, folders and addresses (s3://...), which fsspec lists and fetches.
        predictor: the model.
        out: predictions.csv to be (or .parquet); replaced where it exists. At an address it is put whole, at the end.
        heatmaps: folder for a PNG overlay of every image and task; None: none.
        resume: go on where a stopped batch left off; a finished one is left as it is.
        progress: called as `progress("predict", done, total)`.
        workers: who answers instead of this process, such as `lobule.scale.cluster.Cluster.answer`.

    Raises:
        MissingExtraError: `out` is a .parquet, or something is an address, and the extra `data` is not installed.
        ConfigError: `out` is a folder, or `heatmaps` a file or an address.
        DataError: not one image is named.
        RunError: another process is writing the same output.
        StorageError: the output cannot be written; what was answered is kept for `resume`.
    """
    out = Path(out)
    if address := address_of(out):
        with written_whole(address, beside=(_failures_csv(out).name,), resume=resume) as here:
            summary = predict_paths(
                paths, predictor, here, heatmaps=heatmaps, resume=resume, progress=progress, workers=workers
            )
        return replace(summary, out=out, failures=summary.failures and _failures_csv(out))
    _check_targets(out, heatmaps)
    inputs = expand(paths)
    jobs = _jobs(inputs.images)
    if resume and (finished := _finished(jobs, inputs, predictor, out, heatmaps)):
        return finished
    failures = list(inputs.failures)
    with Journal(_partial(out), origin=_origin(predictor), resume=resume) as journal:
        new = [job for job in jobs if job.stamp not in journal.answers]
        with closing(
            _here(jobs, new, predictor, journal, heatmaps)
            if workers is None
            else _elsewhere(jobs, workers, predictor, journal, heatmaps)
        ) as steps:
            for done, failed in steps:
                failures += failed
                (progress or silent)("predict", done, len(jobs))
        write_failures(_failures_csv(out), sorted(failures, key=lambda failure: (failure.path, failure.reason)))
        answered = [(job, answer) for job in jobs if (answer := journal.answers.get(job.stamp))]
        named = [Named(job.image.image_id, job.image.path) for job, _ in answered]
        write_predictions(out, named, [answer for _, answer in answered], record=predictor.bundle.record)
        journal.discard()
    _sweep(out, heatmaps)
    refused = sum(bool(answer.refusal) for _, answer in answered)
    listed = _failures_csv(out) if failures else None
    return BatchSummary(len(answered), len(failures), len(jobs) - len(new), out, listed, refused)


def _check_targets(out: Path, heatmaps: Path | None) -> None:
    if out.is_dir():
        raise ConfigError(f"--out {out}: expected a file such as {out / 'predictions.csv'}, received a folder.")
    if out.suffix == SUFFIX:
        require_parquet()
    if heatmaps is not None and (address := address_of(heatmaps)):
        raise ConfigError(f"--heatmaps {address}: heat maps are written to a folder of this machine; name one.")
    if heatmaps is not None and heatmaps.exists() and not heatmaps.is_dir():
        raise ConfigError(f"--heatmaps {heatmaps}: expected a folder, received a file.")


def _partial(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial")


def _origin(predictor: Predictor) -> Mapping[str, Any]:
    """Return what an answer depends on besides the image."""
    version = import_openvino().__version__
    return {"model_id": predictor.bundle.record.model_id, "decoder": DECODER, "openvino": version}


def _jobs(images: Sequence[InputImage]) -> list[_Job]:
    names = file_names([image.image_id for image in images])
    return [_Job(image, name, image.stamp) for image, name in zip(images, names, strict=True)]


_Steps = Generator[tuple[int, list[Failure]], None, None]
"""After a few images each: how many are done, and why those of the last step failed that did."""


def _here(
    jobs: Sequence[_Job], new: Sequence[_Job], predictor: Predictor, journal: Journal, heatmaps: Path | None
) -> _Steps:
    """Answer and draw in this process, in order."""
    is_new = set(new)
    with closing(predictor.stream(job.image.decode for job in new)) as stream:
        for start in range(0, len(jobs), _CHUNK):
            chunk = jobs[start : start + _CHUNK]
            failures = _note({job: next(stream) for job in chunk if job in is_new}, journal)
            if heatmaps is not None:
                failures += _draw(chunk, journal.answers, predictor, heatmaps)
            yield start + len(chunk), failures


def _elsewhere(
    jobs: Sequence[_Job], workers: Workers, predictor: Predictor, journal: Journal, heatmaps: Path | None
) -> _Steps:
    """Let others answer and draw; what comes, in whatever order, is noted and written at once."""
    asked: list[tuple[_Job, Question]] = []
    for job in jobs:
        known = journal.answers.get(job.stamp)
        wanted = tuple(_missing(job, known, predictor, heatmaps)) if heatmaps is not None else ()
        if known is None or wanted:
            asked.append((job, Question(job.stamp, known, wanted)))
    done = len(jobs) - len(asked)
    if done:
        yield done, []
    for replies in workers([question for _, question in asked], predictor):
        failures: list[Failure] = []
        told = [(asked[place][0], reply) for place, reply in replies]
        # What was known is noted already; the journal holds each answer once.
        failures += _note({job: reply.answer for job, reply in told if job.stamp not in journal.answers}, journal)
        for job, reply in told:
            failures += _keep(job, reply, predictor, heatmaps)
        done += len(replies)
        yield done, failures


def _missing(job: _Job, known: Answer | None, predictor: Predictor, folder: Path) -> dict[Task, Path]:
    """Return the heat maps that an image lacks: all, where its pixels are not known yet."""
    paths = _overlays(job, predictor, folder)
    if known is None:
        return paths
    made_of = {"model_id": predictor.bundle.record.model_id, "pixel_sha256": known.pixel_sha256}
    return {task: path for task, path in paths.items() if not shows(path, **made_of)}


def _keep(job: _Job, reply: Reply, predictor: Predictor, folder: Path | None) -> list[Failure]:
    """Write the heat maps of a reply; return why some are missing, if they are."""
    if folder is not None:
        paths = _overlays(job, predictor, folder)
        for task, content in reply.overlays.items():
            write_atomically(paths[task], content)
    return [Failure(job.image.path, reply.undrawn)] if reply.undrawn else []


def _note(answers: Mapping[_Job, Answer | ImageError], journal: Journal) -> list[Failure]:
    """Note the answers of some images; return why others have none."""
    journal.append((job.stamp, answer) for job, answer in answers.items() if not isinstance(answer, ImageError))
    return [Failure(job.image.path, str(error)) for job, error in answers.items() if isinstance(error, ImageError)]


def _draw(jobs: Sequence[_Job], answers: Mapping[Stamp, Answer], predictor: Predictor, folder: Path) -> list[Failure]:
    """Write the heat maps of answered images that are not there yet."""
    answered = [job for job in jobs if job.stamp in answers]

    def draw(job: _Job) -> str:
        return _draw_one(job, answers[job.stamp], predictor, folder)

    with ThreadPoolExecutor(min(usable_cores(), _MAX_THREADS), thread_name_prefix="lobule-draw") as pool:
        reasons = list(pool.map(draw, answered))
    return [Failure(job.image.path, reason) for job, reason in zip(answered, reasons, strict=True) if reason]


def _draw_one(job: _Job, answer: Answer, predictor: Predictor, folder: Path) -> str:
    """Write one image's heat maps; return why that was not possible, or nothing."""
    missing = _missing(job, answer, predictor, folder)
    if not missing:
        return ""
    made_of = {"model_id": predictor.bundle.record.model_id, "pixel_sha256": answer.pixel_sha256}
    try:
        pixels = job.image.decode()
    except ImageError as error:
        return f"{UNDRAWN}: {error}"
    toward = {task: default_class(task, answer.logits[task]) for task in missing}
    for task, heat_map in predictor.heatmaps(pixels, toward).items():
        write_overlay(missing[task], pixels, heat_map, **made_of)
    return ""


def _overlays(job: _Job, predictor: Predictor, folder: Path) -> dict[Task, Path]:
    return {task: folder / f"{job.name}_{task}.png" for task in predictor.bundle.record.tasks}


def _failures_csv(out: Path) -> Path:
    return out.with_name("failures.csv")


def _finished(
    jobs: Sequence[_Job], inputs: Inputs, predictor: Predictor, out: Path, heatmaps: Path | None
) -> BatchSummary | None:
    """Return how an earlier batch of the same model and unchanged inputs ended, if it did."""
    if _partial(out).exists() or not out.is_file():
        return None
    from lobule.evaluation.predictions import Predictions

    try:
        frame = Predictions.read(out).frame
    except DataError:
        return None
    failures = read_failures(_failures_csv(out))
    digests = dict(zip(frame["path"], frame["pixel_sha256"], strict=True))
    named = {*(job.image.path for job in jobs), *(failure.path for failure in inputs.failures)}
    if named != {*digests, *(failure.path for failure in failures)}:
        return None
    if not frame["model_id"].eq(predictor.bundle.record.model_id).all() or not _are_unchanged(jobs, digests):
        return None
    if heatmaps is not None and not all(
        _is_drawn(job, digests[job.image.path], predictor, heatmaps) for job in jobs if job.image.path in digests
    ):
        return None
    refused = int((frame["verdict"] == "not assessable").sum())
    return BatchSummary(len(frame), len(failures), len(frame), out, _failures_csv(out) if failures else None, refused)


def _are_unchanged(jobs: Sequence[_Job], digests: Mapping[str, str]) -> bool:
    """Tell whether files hold the pixels that were predicted, and what had failed still does.

    Times of change do not tell: a clock may jump, and a copy may keep the time of its original.
    """

    def is_unchanged(job: _Job) -> bool:
        try:
            return pixel_sha256(job.image.decode()) == digests.get(job.image.path)
        except ImageError:
            return job.image.path not in digests

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="lobule-look") as pool:
        return all(pool.map(is_unchanged, jobs))


def _sweep(out: Path, heatmaps: Path | None) -> None:
    """Remove what killed batches of the same output left half written."""
    for file in (out, _failures_csv(out)):
        sweep(out.parent, f".{glob.escape(file.name)}.*.tmp")
    if heatmaps is not None:
        sweep(heatmaps)


def _is_drawn(job: _Job, pixel_sha256: str, predictor: Predictor, folder: Path) -> bool:
    model_id = predictor.bundle.record.model_id
    paths = _overlays(job, predictor, folder).values()
    return all(shows(path, model_id=model_id, pixel_sha256=pixel_sha256) for path in paths)
