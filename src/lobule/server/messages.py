"""What the service says, as types; the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from lobule.taxonomy import DISCLAIMER

__all__ = [
    "Answered",
    "CaseMessage",
    "CaseResponse",
    "Failed",
    "FileError",
    "Item",
    "LimitsMessage",
    "ModelResponse",
    "PredictionsResponse",
    "Problem",
    "Reason",
    "Status",
]

Probability = Annotated[float, Field(ge=0, le=1)]
VerdictName = Literal["benign", "malignant", "uncertain", "not assessable"]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Reason(_Message):
    """Why a file has no answer."""

    code: str = Field(description="For programs, such as `unusable_image`.")
    detail: str = Field(description="For people.")


class Answered(_Message):
    """The answer for one image."""

    index: int = Field(ge=0, description="Place of the file in the request, from 0.")
    name: str = Field(description="As the client called the file, cleaned; for display only.")
    status: Literal["ok"] = "ok"
    image_sha256: str = Field(description="SHA-256 over shape and decoded pixels.")
    width: int = Field(gt=0, description="Of the decoded image, in pixels.")
    height: int = Field(gt=0, description="Of the decoded image, in pixels.")
    verdict: VerdictName
    reason: str = Field(description="Why the verdict is not simply the label; else empty.")
    prob_malignant: Probability = Field(description="After temperature scaling.")
    logit_malignant: float = Field(description="Before temperature scaling.")
    label: Literal["benign", "malignant"] = Field(description="By the threshold alone.")
    label_set: list[str] = Field(description="Labels that fit; empty where none does or no promise can be made.")
    subtype: str | None = Field(description="The most probable subtype; null without a subtype head.")
    prob_subtype: dict[str, Probability] | None = Field(description="By subtype; null without a subtype head.")
    novelty: float | None = Field(description="How unlike the training images; above 1 is refused; null: unknown.")


class Failed(_Message):
    """A file without an answer."""

    index: int = Field(ge=0, description="Place of the file in the request, from 0.")
    name: str = Field(description="As the client called the file, cleaned; for display only.")
    status: Literal["error"] = "error"
    error: Reason


Item = Annotated[Answered | Failed, Field(discriminator="status")]


class PredictionsResponse(_Message):
    """The answers for the files of a request, in the order sent."""

    model_id: str
    disclaimer: str = DISCLAIMER
    predictions: list[Item]


class CaseMessage(_Message):
    """The answer for all images of a case together."""

    case_id: str = Field(description="As sent.")
    n_images: int = Field(ge=1, description="Images that were answered.")
    n_refused: int = Field(ge=0, description="Of these, not assessable; they do not count.")
    prob_malignant: Probability | None = Field(description="Null where all images were refused.")
    label: Literal["benign", "malignant"] | None = Field(description="Null where all images were refused.")
    label_set: list[str]
    verdict: VerdictName
    reason: str
    prob_subtype: dict[str, Probability] | None = Field(description="Null without a subtype head or a usable image.")
    subtype: str | None


class CaseResponse(_Message):
    """The answer for a case and for each of its files."""

    model_id: str
    disclaimer: str = DISCLAIMER
    case: CaseMessage
    predictions: list[Item]


class LimitsMessage(_Message):
    """What the service accepts."""

    max_file_bytes: int
    max_request_bytes: int
    max_files: int
    max_pixels: int
    requests_per_minute: int


class ModelResponse(_Message):
    """What the model is, what it was trained on, how good it is, and what it is for."""

    model_id: str
    name: str = Field(description="Backbone of the model.")
    created: str = Field(description="When it was written, UTC.")
    tasks: list[str]
    classes: dict[str, list[str]] = Field(description="By task, class names in the order of the outputs.")
    input_size: int = Field(description="Images are squashed to this many pixels on each side.")
    threshold: float = Field(description="Lowest P(malignant) of an image that is called malignant.")
    temperature: dict[str, float] = Field(description="By task, what logits are divided by.")
    operating: dict[str, JsonValue] = Field(description="All operating points, as in calibration.json.")
    refuses: bool = Field(description="Whether the model can say `not assessable`.")
    training: dict[str, JsonValue]
    metrics: dict[str, JsonValue] = Field(description="Headline metrics, as in metrics.json.")
    intended_use: str
    disclaimer: str = DISCLAIMER
    card: str = Field(description="The model card, Markdown.")
    limits: LimitsMessage


class FileError(_Message):
    """Why one file of a request has no answer."""

    index: int
    name: str
    code: str
    detail: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="For programs.")
    detail: str = Field(description="For people.")
    errors: list[FileError] | None = Field(None, description="One entry for each file, where files have their own.")


class Status(_Message):
    """Whether the service is as it should be."""

    status: Literal["ok"] = "ok"
