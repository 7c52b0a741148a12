"""What the service tells of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobule.server.messages import LimitsMessage, ModelResponse

if TYPE_CHECKING:
    from lobule.model.bundle import Bundle
    from lobule.server.limits import Limits

__all__ = ["model_response"]


def model_response(bundle: Bundle, limits: Limits) -> ModelResponse:
    """Return record, card and limits as one message; the card is read once, from the verified bundle."""
    record = bundle.record
    return ModelResponse(
        model_id=record.model_id,
        name=record.backbone.name,
        created=record.created,
        tasks=list(record.tasks),
        classes={task: list(names) for task, names in record.classes.items()},
        input_size=record.input_size,
        threshold=record.threshold.value,
        temperature=dict(record.temperature),
        operating=record.operating.model_dump(mode="json"),
        refuses=bundle.novelty is not None,
        training=record.training.model_dump(mode="json"),
        metrics=record.metrics,
        intended_use=record.intended_use,
        card=(bundle.folder / "README.md").read_text(encoding="utf-8"),
        limits=LimitsMessage(**{name: getattr(limits, name) for name in LimitsMessage.model_fields}),
    )
