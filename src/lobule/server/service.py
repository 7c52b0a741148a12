"""The work of a request, without HTTP: files in, messages out."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lobule.data.images import decode, pixel_sha256
from lobule.errors import ImageError
from lobule.inference.answers import Answer
from lobule.inference.heatmap import HeatMap, layer, overlay
from lobule.server.answers import Judged, case_message, items_of
from lobule.server.dispatcher import BusyError, Dispatcher
from lobule.server.messages import Answered, CaseResponse, Failed, PredictionsResponse, Reason
from lobule.server.problems import ProblemError
from lobule.server.watch import LOGGER, Watch
from lobule.taxonomy import Task

if TYPE_CHECKING:
    from lobule.evaluation.predictions import Predictions
    from lobule.inference.predictor import Predictor
    from lobule.server.audit_log import AuditLog
    from lobule.server.limits import Limits
    from lobule.server.uploads import Upload

__all__ = ["Drawn", "Service", "Shape", "Wanted"]

Shape = Literal["overlay", "layer"]
_T = TypeVar("_T")
_R = TypeVar("_R")
_LONGEST_RETRY: Final = 60
_NOT_AUDITED: Final = {"index", "name", "status"}
_OF_CASE: Final = {"n_images", "n_refused", "prob_malignant", "label", "label_set", "verdict", "reason", "subtype"}


@dataclass(frozen=True)
class Wanted:
    """Which heat map is asked for.

    Attributes:
        task: head that is explained.
        toward: class whose evidence is shown; None: malignant, or the likeliest subtype.
        form: the image with the map on it, or the map alone.
    """

    task: Task
    toward: str | None
    form: Shape


@dataclass(frozen=True, eq=False)
class Drawn:
    """A heat map as a file.

    Attributes:
        png: the file.
        heat_map: what it shows.
        image_sha256: digest of the decoded pixels of the image.
    """

    png: bytes
    heat_map: HeatMap
    image_sha256: str


class _Load:
    """Decodes a file when it is its turn, and remembers how large the image is."""

    def __init__(self, content: bytes, max_pixels: int) -> None:
        self._content = content
        self._max_pixels = max_pixels
        self.size = (0, 0)

    def __call__(self) -> NDArray[np.uint8]:
        pixels = decode(self._content, max_pixels=self._max_pixels)
        self.size = (pixels.shape[1], pixels.shape[0])
        return pixels


class Service:
    """A model that answers the files of requests.

    Args:
        predictor: the model.
        limits: what is accepted.
        audit: where every answer is recorded; None: nowhere.
    """

    def __init__(self, predictor: Predictor, limits: Limits, *, audit: AuditLog | None = None) -> None:
        self.predictor = predictor
        self.limits = limits
        self.record = predictor.bundle.record
        self.dispatcher = Dispatcher(predictor, capacity=limits.queue)
        self.watch = Watch(self.record.model_id, lambda: self.dispatcher.waiting)
        self._audit = audit

    def warm_up(self) -> None:
        """Compile the graph and answer for one empty image, so that the first client does not wait for it."""
        self.predictor.predict(np.zeros((8, 8, 3), np.uint8))

    def close(self) -> None:
        """Finish what was accepted, and accept nothing more."""
        self.dispatcher.close()
        if self._audit is not None:
            self._audit.close()

    async def predictions(self, uploads: Sequence[Upload], *, digests: list[str]) -> PredictionsResponse:
        """Answer files.

        Args:
            uploads: files.
            digests: takes the digests of the images that were answered, for the log.

        Raises:
            ProblemError: not one could be answered (422), or too much is waiting (503).
        """
        items, _ = await self._answer(uploads, digests)
        await self._note([_entry(item) for item in items if isinstance(item, Answered)])
        return PredictionsResponse(model_id=self.record.model_id, predictions=items)

    async def case(self, case_id: str, uploads: Sequence[Upload], *, digests: list[str]) -> CaseResponse:
        """Answer the files of a case, and the case; see `predictions`."""
        items, predictions = await self._answer(uploads, digests)
        case = await asyncio.to_thread(case_message, case_id, predictions, record=self.record)
        of_case = {"case": digests.copy(), **case.model_dump(include=_OF_CASE)}
        await self._note([*(_entry(item) for item in items if isinstance(item, Answered)), of_case])
        return CaseResponse(model_id=self.record.model_id, case=case, predictions=items)

    async def heatmap(self, upload: Upload, wanted: Wanted, *, digests: list[str]) -> Drawn:
        """Draw the heat map of a file; see `predictions`."""
        if wanted.task not in self.record.tasks:
            raise ProblemError(422, "unknown_task", f"task: this model answers {', '.join(self.record.tasks)}.")
        classes = self.record.classes[wanted.task]
        if wanted.toward is not None and wanted.toward not in classes:
            raise ProblemError(422, "unknown_class", f"toward: allowed are {', '.join(classes)}.")
        if upload.is_too_large:
            raise ProblemError(413, "file_too_large", self._too_large().detail)
        load = _Load(upload.content, self.limits.max_pixels)
        try:
            (drawn,) = await self._finished(self._accepted(self.dispatcher.call, lambda: self._draw(load, wanted)))
        except ImageError as error:
            raise ProblemError(422, "unusable_image", _sentence(str(error))) from None
        digests.append(drawn.image_sha256)
        told = {"heat_map": drawn.heat_map.class_name, "logit": drawn.heat_map.logit}
        await self._note([{"image_sha256": drawn.image_sha256, **told}])
        return drawn

    def _draw(self, load: _Load, wanted: Wanted) -> Drawn:
        pixels = load()
        heat_map = self.predictor.heatmap(pixels, task=wanted.task, toward=wanted.toward)
        width, height = load.size
        shown = overlay(pixels, heat_map) if wanted.form == "overlay" else layer(heat_map, height=height, width=width)
        stream = io.BytesIO()
        Image.fromarray(shown).save(stream, "PNG", compress_level=1)
        return Drawn(stream.getvalue(), heat_map, pixel_sha256(pixels))

    async def _answer(
        self, uploads: Sequence[Upload], digests: list[str]
    ) -> tuple[list[Answered | Failed], Predictions]:
        loads = {
            place: _Load(upload.content, self.limits.max_pixels)
            for place, upload in enumerate(uploads)
            if not upload.is_too_large
        }
        outcomes = dict(zip(loads, await self._outcomes(list(loads.values())), strict=True))
        judged = [
            Judged(upload.name, outcomes[place], loads[place].size)
            if place in loads
            else Judged(upload.name, self._too_large())
            for place, upload in enumerate(uploads)
        ]
        items, predictions = await asyncio.to_thread(items_of, judged, record=self.record)
        digests += [item.image_sha256 for item in items if isinstance(item, Answered)]
        self.watch.images(item.verdict if isinstance(item, Answered) else item.error.code for item in items)
        if not digests:
            raise _nothing(items)
        return items, predictions

    async def _outcomes(self, loads: Sequence[_Load]) -> list[Answer | Reason]:
        if not loads:
            return []
        answers = await self._finished(self._accepted(self.dispatcher.submit, loads))
        return [
            Reason(code="unusable_image", detail=_sentence(str(answer))) if isinstance(answer, ImageError) else answer
            for answer in answers
        ]

    def _accepted(self, submit: Callable[[_T], list[Future[_R]]], work: _T) -> list[Future[_R]]:
        try:
            return submit(work)
        except BusyError:
            raise self._busy("busy", "Too much is waiting; try again when Retry-After says.") from None

    async def _finished(self, futures: Sequence[Future[_R]]) -> list[_R]:
        """Wait for results, not longer than allowed; where nobody waits any more, what is not begun is dropped."""
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                return await asyncio.gather(*map(asyncio.wrap_future, futures))
        except TimeoutError:
            raise self._busy("too_slow", "The answer took too long and was given up; send fewer images.") from None

    def _busy(self, code: str, detail: str) -> ProblemError:
        seconds = min(max(math.ceil(self.dispatcher.seconds_waiting), 1), _LONGEST_RETRY)
        return ProblemError(503, code, detail, headers={"Retry-After": str(seconds)})

    async def _note(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Record answers; without a record there is no answer.

        Raises:
            ProblemError: they could not be recorded (503).
        """
        if self._audit is None:
            return
        try:
            await asyncio.to_thread(self._audit.record, entries)
        except OSError as error:
            LOGGER.error("audit log failed", exc_info=error)
            raise self._busy("audit_failed", "The answer could not be recorded, so it is not given.") from None

    def _too_large(self) -> Reason:
        return Reason(code="file_too_large", detail=f"A file may have at most {self.limits.max_file_bytes:,} bytes.")


def _entry(item: Answered) -> dict[str, Any]:
    return item.model_dump(exclude=_NOT_AUDITED)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _nothing(items: Sequence[Answered | Failed]) -> ProblemError:
    failed = [item for item in items if isinstance(item, Failed)]
    errors = [{"index": item.index, "name": item.name, **item.error.model_dump()} for item in failed]
    return ProblemError(422, "no_usable_image", "Not one of the files could be answered; see errors.", errors=errors)
