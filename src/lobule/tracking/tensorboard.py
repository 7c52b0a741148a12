"""A run as event files of TensorBoard: curves, metrics, settings, figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lobule.errors import MissingExtraError
from lobule.storage import scratch_folder

if TYPE_CHECKING:
    from lobule.tracking.tracked import Scalar, TrackedRun

__all__ = ["EVENTS_FOLDER", "require_tensorboard", "write_events"]

EVENTS_FOLDER: Final = "tensorboard"
_SUMMARY: Final = "metrics"


def require_tensorboard() -> None:
    """Do nothing where TensorBoard is installed.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise MissingExtraError("--track tensorboard", "tracking")


def write_events(tracked: TrackedRun, run: Path) -> Path:
    """Write a run's event files into its folder, all or none; what is there already stays.

    Each training (a fold, the holdout) is a run of TensorBoard's, so that their curves lie over each other; metrics
    with the ends of their intervals, settings and figures stand in one more.

    Args:
        tracked: what is written.
        run: the run folder.

    Returns:
        The folder to give `tensorboard --logdir`.

    Raises:
        OSError: it cannot be written.
    """
    folder = run / EVENTS_FOLDER
    if folder.is_dir():
        return folder
    with scratch_folder(folder) as unfinished:
        for name, scalars in {**tracked.curves, **_of_search(tracked)}.items():
            _write(unfinished / name, map(_scalar, scalars))
        _write(unfinished / _SUMMARY, _summaries(tracked))
        unfinished.replace(folder)
    return folder


def _of_search(tracked: TrackedRun) -> dict[str, tuple[Scalar, ...]]:
    return {f"search-{part.replace(' ', '-')}": scalars for part, scalars in tracked.search.items()}


def _write(folder: Path, summaries: Iterable[tuple[int, Any]]) -> None:
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    try:
        for step, summary in summaries:
            writer.add_event(event_pb2.Event(step=step, summary=summary))
    finally:
        writer.close()


def _scalar(scalar: Scalar) -> tuple[int, Any]:
    from tensorboard.compat.proto import summary_pb2

    value = summary_pb2.Summary.Value(tag=scalar.name, simple_value=scalar.value)
    return scalar.step, summary_pb2.Summary(value=[value])


def _summaries(tracked: TrackedRun) -> Iterable[tuple[int, Any]]:
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import summary_v2

    yield 0, summary_v2.hparams_pb(dict(tracked.settings), trial_id=tracked.run_id)
    values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in tracked.metrics.items()]
    yield 0, summary_pb2.Summary(value=values)
    for path in tracked.figures:
        yield 0, summary_pb2.Summary(value=[_picture(path)])


def _picture(path: Path) -> Any:
    from PIL import Image
    from tensorboard.compat.proto import summary_pb2

    with Image.open(path) as image:
        width, height = image.size
    encoded = summary_pb2.Summary.Image(
        width=width, height=height, colorspace=3, encoded_image_string=path.read_bytes()
    )
    return summary_pb2.Summary.Value(tag=f"figures/{path.stem}", image=encoded)
