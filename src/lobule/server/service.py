"""The work of a request, without HTTP: files in, messages out."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lobule.data.images import decode
from lobule.errors import ImageError
from lobule.inference.answers import Answer
from lobule.inference.heatmap import HeatMap, layer, overlay
from lobule.server.answers import Judged, case_message, items_of
from lobule.server.dispatcher import BusyError, Dispatcher
from lobule.server.messages import Answered, CaseResponse, Failed, PredictionsResponse, Reason
from lobule.server.problems import ProblemError
from lobule.taxonomy import Task

if TYPE_CHECKING:
    from lobule.inference.predictor import Predictor
    from lobule.server.limits import Limits
    from lobule.server.uploads import Upload

__all__ = ["Drawn", "Form", "Service"]

Form = Literal["overlay", "layer"]
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A heat map as a file.

    Attributes:
        png: the file.
        heat_map: what it shows.
    """

    png: bytes
    heat_map: HeatMap


class _Load:
    """Decodes a file when it is its turn, and remembers how large the image is."""

    def __init__(self, content: bytes, max_pixels: int) -> None:
        self._content: bytes = content
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
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor = predictor
        self.limits = limits
        self.record = predictor.bundle.record
        self.dispatcher = Dispatcher(predictor, capacity=limits.queue)

    def warm_up(self) -> None:
        """Compile the graph and answer for one empty image, so that the first client does not wait for it."""
        self.predictor.predict(np.zeros((8, 8, 3), np.uint8))

    async def predictions(self, uploads: Sequence[Upload]) -> PredictionsResponse:
        """Answer files.

        Raises:
            ProblemError: not one could be answered (422), or too much is waiting (503).
        """
        items, _ = await self._answer(uploads)
        return PredictionsResponse(model_id=self.record.model_id, predictions=items)

    async def case(self, case_id: str, uploads: Sequence[Upload]) -> CaseResponse:
        """Answer the files of a case, and the case.

        Raises:
            ProblemError: not one could be answered (422), or too much is waiting (503).
        """
        items, predictions = await self._answer(uploads)
        case = await asyncio.to_thread(case_message, case_id, predictions, record=self.record)
        return CaseResponse(model_id=self.record.model_id, case=case, predictions=items)

    async def heatmap(self, upload: Upload, *, task: Task, toward: str | None, form: Form) -> Drawn:
        """Draw the heat map of a file.

        Raises:
            ProblemError: the file cannot be used (422), or too much is waiting (503).
        """
        if upload.is_too_large:
            raise ProblemError(413, "file_too_large", self._too_large().detail)
        load = _Load(upload.content, self.limits.max_pixels)
        try:
            return await self._wait(
                self._accepted(lambda: self.dispatcher.call(lambda: self._draw(load, task, toward, form)))
            )
        except ImageError as error:
            raise ProblemError(422, "unusable_image", _sentence(str(error))) from None

    def _draw(self, load: Callable[[], NDArray[np.uint8]], task: Task, toward: str | None, form: Form) -> Drawn:
        pixels = load()
        heat_map = self.predictor.heatmap(pixels, task=task, toward=toward)
        height, width, _ = pixels.shape
        shown = overlay(pixels, heat_map) if form == "overlay" else layer(heat_map, height=height, width=width)
        stream = io.BytesIO()
        Image.fromarray(shown).save(stream, "PNG", compress_level=1)
        return Drawn(stream.getvalue(), heat_map)

    async def _answer(self, uploads: Sequence[Upload]) -> tuple[list[Answered | Failed], Any]:
        loads = {
            place: _Load(upload.content, self.limits.max_pixels)
            for place, upload in enumerate(uploads)
            if not upload.is_too_large
        }
        futures = self._accepted(lambda: self.dispatcher.submit(list(loads.values()))) if loads else []
        outcomes = dict(zip(loads, [await self._wait(future) for future in futures], strict=True))
        judged = [
            Judged(upload.name, self._too_large())
            if place not in loads
            else Judged(upload.name, _reason(outcomes[place]), loads[place].size)
            for place, upload in enumerate(uploads)
        ]
        items, predictions = await asyncio.to_thread(items_of, judged, record=self.record)
        if not len(predictions):
            raise _nothing(items)
        return items, predictions

    def _accepted(self, submit: Callable[[], _T]) -> _T:
        try:
            return submit()
        except BusyError:
            raise ProblemError(
                503,
                "busy",
                "Too much is waiting to be answered; try again in a few seconds.",
                headers={"Retry-After": "2"},
            ) from None

    async def _wait(self, future: Future[_T]) -> _T:
        return await asyncio.wrap_future(future)

    def _too_large(self) -> Reason:
        return Reason(code="file_too_large", detail=f"A file may have at most {self.limits.max_file_bytes:,} bytes.")


def _reason(outcome: Answer | ImageError) -> Answer | Reason:
    return Reason(code="unusable_image", detail=_sentence(str(outcome))) if isinstance(outcome, ImageError) else outcome


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _nothing(items: Sequence[Answered | Failed]) -> ProblemError:
    errors = [
        {"index": item.index, "name": item.name, "code": item.error.code, "detail": item.error.detail}
        for item in items
        if isinstance(item, Failed)
    ]
    return ProblemError(
        422, "no_usable_image", "Not one of the files could be answered; errors says why.", errors=errors
    )
