"""What workers are given to do: answering images with a bundle, or computing features with a graph.

Work travels as bytes, so that a worker on another computer needs nothing of ours on its disk; its files lie there
while it is being opened, no longer. An image is read by the worker where it sees the same file, else sent as bytes.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lobule.data.images import decode
from lobule.data.remote import address_of, read_remote
from lobule.errors import DataError, ImageError, VerificationError
from lobule.features.extract import Wanted, loaded_views
from lobule.features.openvino_engine import GRAPH_FILES, INT8_FILES, OpenVINOEngine, load_graph, precisions
from lobule.inference.elsewhere import Question, Reply, replies
from lobule.inference.journal import stamp_of
from lobule.inference.predictor import Predictor
from lobule.model.bundle import open_bundle
from lobule.storage import scratch_folder

if TYPE_CHECKING:
    from lobule.features.engines import Precision
    from lobule.model.bundle import Bundle

__all__ = ["Answering", "Carried", "Encoding", "carried"]

Carried = bytes | ImageError | None
"""An image beside a question: its bytes, why it cannot be read, or None: look for yourself."""

_THREADS: Final = 1
"""Of a worker: Ray counts a worker as one processor."""


@dataclass(frozen=True)
class Answering:
    """Answering questions with a bundle.

    Attributes:
        files: the bundle, by name.
        arithmetic: what the bundle's graph computes in on the computer that asks.
    """

    files: Mapping[str, bytes]
    arithmetic: str

    @classmethod
    def of(cls, bundle: Bundle) -> Answering:
        """Return the work of a bundle that has been verified."""
        files = {entry.name: entry.read_bytes() for entry in sorted(bundle.folder.iterdir())}
        return cls(files, _arithmetic(bundle.record.precision))

    def file_of(self, item: tuple[int, Question]) -> Path:
        """Return where the image of an item lies."""
        return Path(item[1].stamp.path)

    def open(self) -> Callable[[Sequence[tuple[tuple[int, Question], Carried]]], list[Reply | None]]:
        """Verify and open the bundle; return what answers, with None for images that are not seen here.

        Raises:
            VerificationError: it is damaged, or this processor computes in other arithmetic.
        """
        with _unpacked(self.files) as folder:
            bundle = open_bundle(folder)
            engine = load_graph(bundle.running_graph, precision=bundle.record.precision, threads=_THREADS)
            _require_arithmetic(engine, self.arithmetic)
            opened: Future[OpenVINOEngine] = Future()
            opened.set_result(engine)
            predictor = Predictor(bundle, opening=opened, threads=_THREADS)
        return lambda asked: _answer(asked, predictor)


def _answer(asked: Sequence[tuple[tuple[int, Question], Carried]], predictor: Predictor) -> list[Reply | None]:
    seen: dict[int, tuple[Question, Path | bytes | ImageError]] = {}
    for place, ((_, question), given) in enumerate(asked):
        path = Path(question.stamp.path)
        if given is not None:
            seen[place] = (question, given)
        elif address := address_of(path):
            seen[place] = (question, _fetched(address))
        elif stamp_of(path) == question.stamp:
            seen[place] = (question, path)
    answered = dict(zip(seen, replies(list(seen.values()), predictor), strict=True))
    return [answered.get(place) for place in range(len(asked))]


def _fetched(address: str) -> bytes | ImageError:
    try:
        return read_remote(address)
    except ImageError as error:
        return error


@dataclass(frozen=True)
class Encoding:
    """Computing features with the graph of a specification.

    Attributes:
        files: the graph and its weights, by name.
        precision: of the arithmetic.
    """

    files: Mapping[str, bytes]
    precision: Precision

    @classmethod
    def of(cls, graph: Path, *, precision: Precision) -> Encoding:
        """Return the work of a graph, named by its `.xml`."""
        return cls({part.name: part.read_bytes() for part in (graph, graph.with_suffix(".bin"))}, precision)

    def file_of(self, item: tuple[int, Wanted]) -> Path:
        """Return where the image of an item lies."""
        return item[1].path

    def open(self) -> Callable[[Sequence[tuple[tuple[int, Wanted], Carried]]], list[NDArray[np.float32] | None]]:
        """Open the graph; return what computes (views, D) features, with None for images that are not seen here.

        Raises:
            VerificationError: this processor computes in other arithmetic.
        """
        name = next(names[0] for names in (GRAPH_FILES, INT8_FILES) if names[0] in self.files)
        with _unpacked(self.files) as folder:
            engine = load_graph(folder / name, precision=self.precision, threads=_THREADS)
        _require_arithmetic(engine, self.precision)
        return lambda asked: [_encode(wanted, given, engine) for (_, wanted), given in asked]


def _encode(wanted: Wanted, given: Carried, engine: OpenVINOEngine) -> NDArray[np.float32] | None:
    if isinstance(given, ImageError):
        raise DataError(f"{wanted.path}: {given}; scan the data again.")
    try:
        views = loaded_views(wanted, wanted.path if given is None else given, size=engine.input_size)
    except DataError:
        if given is None:  # not the file that was meant, or none: whoever asks has it
            return None
        raise
    return engine.encode(views)


def carried(path: Path) -> Carried:
    """Return the bytes of an image for workers that do not see it, or why it cannot be read.

    Nothing for an image at an address: every worker fetches it itself.
    """
    if address_of(path):
        return None
    try:
        if path.is_file():
            return path.read_bytes()
        decode(path)
    except ImageError as error:
        return error
    except OSError as error:
        return ImageError(f"cannot be decoded: {(error.strerror or str(error)).lower()}")
    return ImageError("not a regular file")


@contextmanager
def _unpacked(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Yield a folder with the files; what killed workers left of theirs is swept."""
    with scratch_folder(Path(tempfile.gettempdir()) / f"lobule-worker-{_user()}") as folder:
        folder.chmod(0o700)
        for part, content in files.items():
            (folder / part).write_bytes(content)
        yield folder


def _user() -> object:
    """Return the number of the user, who needs no name here, or the name where the system has no numbers."""
    return getattr(os, "getuid", getpass.getuser)()


def _arithmetic(precision: Precision) -> str:
    return "f32" if precision == "bf16" and "BF16" not in precisions() else precision


def _require_arithmetic(engine: OpenVINOEngine, expected: str) -> None:
    if engine.precision != expected:
        raise VerificationError(
            f"its processor computes this model in {engine.precision}, the computer that asks in {expected}: answers "
            "would not be the same; use computers of one kind, or a model with features.precision=f32"
        )
