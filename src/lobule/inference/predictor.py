"""A trained model in use: images in, predictions and heat maps out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lobule.data.identity import unique_ids
from lobule.data.images import pixel_sha256
from lobule.errors import ConfigError, ImageError, VerificationError
from lobule.features.openvino_engine import OpenVINOEngine, load_graph
from lobule.features.statistics import STATISTICS_SIZE, image_statistics
from lobule.features.turns import result_of
from lobule.features.views import apply_view, apply_views
from lobule.inference.answers import Answer, Named, predictions_of
from lobule.inference.heatmap import HeatMap, default_class, explain
from lobule.inference.pixels import ImageInput, as_list, pixels_of
from lobule.model.bundle import Bundle, open_bundle
from lobule.progress import Progress, silent
from lobule.provenance import usable_cores
from lobule.taxonomy import Task

if TYPE_CHECKING:
    from lobule.evaluation.predictions import Predictions

__all__ = ["Load", "Predictor"]

Load = Callable[[], NDArray[np.uint8]]
"""Gives (height, width, 3) RGB, or raises ImageError."""

_MAX_THREADS: Final = 8
_AHEAD: Final = 4
_PLAIN: Final = "identity"
"""The view that novelty is judged by, whatever views the logits are averaged over."""


class _Prepared:
    """An image on its way to the graph.

    Args:
        pixels: (height, width, 3).
        views: what the graph is given.
        plain: the view that statistics are taken of, or the pixels; None where nothing is refused.
    """

    def __init__(
        self, pixels: NDArray[np.uint8], views: list[NDArray[np.uint8]], *, plain: NDArray[np.uint8] | None
    ) -> None:
        self._pixels: NDArray[np.uint8] | None = pixels
        self._views, self._plain = views, plain
        self.digest, self.statistics = "", np.empty(0, np.float32)

    def take_views(self) -> list[NDArray[np.uint8]]:
        """Return the views, which are not kept."""
        views, self._views = self._views, []
        return views

    def measure(self) -> _Prepared:
        """Fill in what does not need the graph, the digest of the pixels and the statistics; pixels are not kept."""
        if self._pixels is not None:
            self.digest = pixel_sha256(self._pixels)
            if self._plain is not None:
                self.statistics = image_statistics(self._plain)
            self._pixels = self._plain = None
        return self


class Predictor:
    """Answers for images with one bundle; made once, used as long as needed, from any thread.

    The graph is read when it is first needed. Each image is answered by itself, so an answer does not depend on what is
    asked beside it; at most a few dozen are in memory.

    Args:
        model: a bundle, or the folder of one, or a run folder.
        opening: the graph of the bundle, where it is being opened already.
        threads: that decode, and that compute unless `opening` is given; None: as many as there are cores.

    Raises:
        ConfigError: `model` is no bundle.
        VerificationError: the bundle is not what it claims to be.
    """

    def __init__(
        self,
        model: Bundle | Path | str,
        *,
        opening: Future[OpenVINOEngine] | None = None,
        threads: int | None = None,
    ) -> None:
        self._bundle = model if isinstance(model, Bundle) else open_bundle(Path(model))
        self._threads = threads
        self._opening = opening
        self._engine: OpenVINOEngine | None = None
        self._lock = threading.Lock()

    @property
    def bundle(self) -> Bundle:
        """The model."""
        return self._bundle

    def predict(self, images: ImageInput | Iterable[ImageInput], *, progress: Progress | None = None) -> Predictions:
        """Predict one image or many.

        Args:
            images: see `ImageInput`; one, or any iterable of them.
            progress: called as `progress("predict", done, total)`.

        Returns:
            A row an image, in order, protocol `predict`. What the BreakHis grammar tells of a file by its name is
            filled in; pixels in memory are called `image-1`, `image-2`, ... by their place.

        Raises:
            ImageError: an image cannot be used; the message says which.
        """
        sources = as_list(images)
        listen = progress or silent
        answers: list[Answer] = []
        for answer in self.stream(partial(pixels_of, source) for source in sources):
            if isinstance(answer, ImageError):
                raise ImageError(f"{_shown(sources[len(answers)], len(answers))}: {answer}")
            answers.append(answer)
            listen("predict", len(answers), len(sources))
        return predictions_of(_named(sources), answers, record=self._bundle.record)

    def heatmap(self, image: ImageInput, *, task: Task = "binary", toward: str | None = None) -> HeatMap:
        """Return the exact Grad-CAM of an image, made on its undistorted view.

        Args:
            image: see `ImageInput`.
            task: which head is explained.
            toward: the class whose evidence is shown. None: `malignant`, or the subtype that `predict` gives. `benign`
                shows what speaks against malignancy.

        Raises:
            ConfigError: the model does not answer the task, or `toward` is no class of it.
            ImageError: the image cannot be used.
        """
        if task not in self._bundle.heads:
            raise ConfigError(f"task: this model answers {', '.join(self._bundle.record.tasks)}, received {task!r}.")
        pixels = pixels_of(image)
        if toward is None:
            toward = default_class(task, self._answer(pixels).logits[task])
        return self.heatmaps(pixels, {task: toward})[task]

    def heatmaps(self, image: ImageInput, toward: Mapping[Task, str]) -> dict[Task, HeatMap]:
        """Return the heat maps of an image for one class of each task, in one pass; see `heatmap`.

        Args:
            image: see `ImageInput`.
            toward: by task, the class whose evidence is shown.
        """
        record = self._bundle.record
        view = apply_view(pixels_of(image), "identity", size=record.input_size)
        features, maps = self._running().maps(view[None])
        part, heads = slice(*record.backbone.map_slice), self._bundle.heads
        if maps.shape[-1] != part.stop - part.start:
            raise VerificationError(f"{self._bundle.graph}: its map has {maps.shape[-1]} channels, expected {part}.")
        return {
            task: explain(heads[task], features[0], maps[0], toward=wanted, part=part)
            for task, wanted in toward.items()
        }

    def _answer(self, pixels: NDArray[np.uint8]) -> Answer:
        (answer,) = self.stream([lambda: pixels])
        if isinstance(answer, ImageError):
            raise answer
        return answer

    def stream(self, loads: Iterable[Load]) -> Generator[Answer | ImageError, None, None]:
        """Answer for images in order, decoding ahead in threads while the graph works.

        Args:
            loads: one function an image; called in a thread.

        Yields:
            The answer, or why there is none.
        """
        pending: deque[_Prepared | ImageError] = deque()
        with closing(_ahead(loads, self._prepare, threads=self._threads)) as prepared:
            rows = self._running().stream(_views_of(prepared, pending))
            for features in _grouped(rows, len(self._views)):
                while isinstance(first := pending.popleft(), ImageError):
                    yield first
                yield self._judge(first, features)
        yield from (error for error in pending if isinstance(error, ImageError))

    def _prepare(self, load: Load) -> _Prepared | ImageError:
        try:
            pixels = load()
        except ImageError as error:
            return error
        size, names = self._bundle.record.input_size, self._views
        views = apply_views(pixels, names, size=size)
        if self._bundle.novelty is None:
            return _Prepared(pixels, views, plain=None)
        return _Prepared(pixels, views, plain=views[names.index(_PLAIN)] if size == STATISTICS_SIZE else pixels)

    @property
    def _views(self) -> tuple[str, ...]:
        """The views of the model; the identity view comes last where it is only there to judge novelty."""
        views: tuple[str, ...] = self._bundle.record.preprocessing.views
        return views if self._bundle.novelty is None or _PLAIN in views else (*views, _PLAIN)

    def _judge(self, image: _Prepared, features: NDArray[np.float32]) -> Answer:
        """Average the logits over the views, (views, D); one image at a time, so that rounding never differs."""
        heads, averaged = self._bundle.heads, features[: len(self._bundle.record.preprocessing.views)]
        logits = {task: head.logits(averaged).mean(axis=0, dtype=np.float64) for task, head in heads.items()}
        if not all(np.isfinite(values).all() for values in logits.values()):
            raise VerificationError(f"{self._bundle.folder}: gives logits that are not finite; train the model again.")
        novelty = self._bundle.novelty
        if novelty is None:
            return Answer(image.digest, logits)
        (score,), (refusal,) = novelty.judge(features[self._views.index(_PLAIN)][None], image.statistics[None])
        return Answer(image.digest, logits, float(score), refusal)

    def _running(self) -> OpenVINOEngine:
        """Return the graph; read it the first time.

        Raises:
            VerificationError: the graph is not the one that the record describes.
        """
        with self._lock:
            if self._engine is None:
                opened = self._opening.result() if self._opening else _opened(self._bundle, self._threads)
                self._engine, self._opening = _checked(opened, self._bundle), None
            return self._engine


def _opened(bundle: Bundle, threads: int | None) -> OpenVINOEngine:
    return load_graph(bundle.running_graph, precision=bundle.record.precision, threads=threads)


def _checked(engine: OpenVINOEngine, bundle: Bundle) -> OpenVINOEngine:
    record = bundle.record
    received = (engine.input_size, engine.feature_size)
    if received != (record.input_size, record.backbone.feature_size):
        raise VerificationError(
            f"{bundle.graph}: takes {received[0]} pixels and gives {received[1]} features; the record says "
            f"{record.input_size} and {record.backbone.feature_size}."
        )
    return engine


def _ahead(
    loads: Iterable[Load], prepare: Callable[[Load], _Prepared | ImageError], *, threads: int | None
) -> Generator[_Prepared | ImageError, None, None]:
    """Prepare images in threads, a few ahead of where they are taken, in order; a single one in this thread."""
    remaining, threads = iter(loads), threads or min(usable_cores(), _MAX_THREADS)
    first = list(islice(remaining, 2))
    if len(first) < 2:
        yield from map(prepare, first)
        return

    def whole(load: Load) -> _Prepared | ImageError:
        prepared = prepare(load)
        return prepared if isinstance(prepared, ImageError) else prepared.measure()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="lobule-decode")
    running = deque(pool.submit(whole, load) for load in chain(first, islice(remaining, _AHEAD * threads - len(first))))
    try:
        while running:
            result = result_of(running.popleft())
            running.extend(pool.submit(whole, load) for load in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _views_of(
    prepared: Iterable[_Prepared | ImageError], pending: deque[_Prepared | ImageError]
) -> Iterator[NDArray[np.uint8]]:
    """Yield the views of every usable image; what comes out for whom is noted in `pending`.

    What has not been measured yet is measured when the next view is asked for: while the graph works on these.
    """
    for item in prepared:
        if isinstance(item, ImageError):
            pending.append(item)
        else:
            pending.append(item)
            yield from item.take_views()
            item.measure()


def _grouped(rows: Iterator[NDArray[np.float32]], size: int) -> Iterator[NDArray[np.float32]]:
    while group := list(islice(rows, size)):
        yield np.stack(group)


def _named(sources: Sequence[ImageInput]) -> list[Named]:
    """Name images: files by their shortest unique id, what is in memory by its place, the same file twice by both."""
    paths = [Path(source).as_posix() if isinstance(source, Path | str) else "" for source in sources]
    distinct = list(dict.fromkeys(path for path in paths if path))
    short = dict(zip(distinct, unique_ids(distinct), strict=True))
    ids: list[str] = []
    taken: set[str] = set()
    for place, path in enumerate(paths, 1):
        wanted = short.get(path, f"image-{place}")
        ids.append(wanted if wanted not in taken else f"{wanted}-{place}")
        taken.add(ids[-1])
    return [Named(image_id, path) for image_id, path in zip(ids, paths, strict=True)]


def _shown(source: ImageInput, place: int) -> str:
    return str(source) if isinstance(source, Path | str) else f"image {place + 1}"
