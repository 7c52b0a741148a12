"""What a batch asks of workers that are not in this process, and how one of them answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from lobule.data.images import decode
from lobule.errors import ImageError
from lobule.inference.answers import Answer
from lobule.inference.heatmap import default_class
from lobule.inference.journal import Stamp
from lobule.inference.overlay_files import overlay_bytes
from lobule.inference.predictor import Load, Predictor
from lobule.taxonomy import Task

__all__ = ["UNDRAWN", "Question", "Reply", "Workers", "replies"]

UNDRAWN: Final = "predicted, but its heat maps could not be drawn"


@dataclass(frozen=True)
class Question:
    """What is wanted of one image.

    Attributes:
        stamp: the file, as it was listed.
        known: its answer, where an earlier batch gave it and only heat maps are wanted.
        draw: the tasks whose heat maps are wanted.
    """

    stamp: Stamp
    known: Answer | None = None
    draw: tuple[Task, ...] = ()


@dataclass(frozen=True, eq=False)
class Reply:
    """What became of a question.

    Attributes:
        answer: the answer, or why there is none.
        overlays: by task, a PNG file.
        undrawn: why heat maps are missing; "" where none is.
    """

    answer: Answer | ImageError
    overlays: Mapping[Task, bytes] = field(default_factory=dict)
    undrawn: str = ""


class Workers(Protocol):
    """Whoever answers questions, such as `lobule.scale.cluster.Cluster.answer`."""

    def __call__(self, questions: Sequence[Question], predictor: Predictor) -> Iterator[Sequence[tuple[int, Reply]]]:
        """Yield replies with the places of their questions as soon as they are there, each once, in any order."""
        ...


def replies(asked: Sequence[tuple[Question, Path | bytes | ImageError]], predictor: Predictor) -> list[Reply]:
    """Answer questions, in a worker; the same answers and heat maps as without workers.

    Args:
        asked: each with its file, the bytes of it, or why it cannot be read.
        predictor: the model.
    """
    loads = [_load(source) for _, source in asked]
    new = (load for (question, _), load in zip(asked, loads, strict=True) if question.known is None)
    stream = predictor.stream(new)
    answers = [next(stream) if question.known is None else question.known for question, _ in asked]
    stream.close()
    return [
        Reply(answer) if isinstance(answer, ImageError) else _drawn(answer, load, question.draw, predictor)
        for answer, load, (question, _) in zip(answers, loads, asked, strict=True)
    ]


def _load(source: Path | bytes | ImageError) -> Load:
    if isinstance(source, ImageError):
        raised = source

        def fail() -> None:
            raise raised

        return fail  # type: ignore[return-value]
    return partial(decode, source)


def _drawn(answer: Answer, load: Load, tasks: Sequence[Task], predictor: Predictor) -> Reply:
    if not tasks:
        return Reply(answer)
    try:
        pixels = load()
    except ImageError as error:
        return Reply(answer, undrawn=f"{UNDRAWN}: {error}")
    toward = {task: default_class(task, answer.logits[task]) for task in tasks}
    made_of = {"model_id": predictor.bundle.record.model_id, "pixel_sha256": answer.pixel_sha256}
    maps = predictor.heatmaps(pixels, toward)
    return Reply(answer, {task: overlay_bytes(pixels, heat_map, **made_of) for task, heat_map in maps.items()})
