"""What `bundle.json` says: everything a stranger must know to use a model, checked field by field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from lobule.evaluation.decision.operating import Operating
from lobule.features.engines import Precision
from lobule.provenance import digest_of_json
from lobule.taxonomy import DISCLAIMER, LABELS, TASKS, Task, classes_of
from lobule.view_names import ViewName

__all__ = [
    "INTENDED_USE",
    "SCHEMA_VERSION",
    "BackboneRecord",
    "BundleRecord",
    "NoveltyRecord",
    "Preprocessing",
    "Threshold",
    "TrainingData",
    "temperatures_of",
]

SCHEMA_VERSION = 2
INTENDED_USE = (
    "Research on the classification of H&E breast histopathology images into benign and malignant and into eight "
    "tumour subtypes, at 40X to 400X. Not a medical device; not for diagnosis, screening or treatment decisions."
)

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_UNIDENTIFIED = {"model_id", "created", "lobule_version"}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class BackboneRecord(_Record):
    """The extractor whose graph lies beside the record."""

    name: str = Field(min_length=1, description="Name in the backbone registry.")
    weights: str = Field(description="Where its weights came from, e.g. `imagenet` and a digest.")
    layers: tuple[str, ...] = Field((), description="Layers whose maps are averaged; empty: the last map only.")
    feature_size: int = Field(gt=0, description="D, the number of features.")
    map_slice: tuple[int, int] = Field(
        description="Start and stop of the features that are the average of the graph's map (its deepest layer)."
    )

    @model_validator(mode="after")
    def _check_slice(self) -> BackboneRecord:
        start, stop = self.map_slice
        if not 0 <= start < stop <= self.feature_size:
            raise ValueError(f"map_slice: expected a part of 0..{self.feature_size}, received {self.map_slice}")
        return self


class Preprocessing(_Record):
    """How an image becomes the graph's input; what the graph does itself is described, not repeated."""

    resize: str = Field("squashed to a square, bicubic (Pillow)", description="How any size becomes the input size.")
    views: tuple[ViewName, ...] = Field(min_length=1, description="Views whose logits are averaged.")
    graph: str = Field(description="What happens inside the graph, from RGB 0..255 on.")


class Threshold(_Record):
    """From which probability on an image is called malignant."""

    value: float = Field(gt=0, le=1, allow_inf_nan=False, description="Lowest P(malignant) called malignant.")
    rule: str = Field(min_length=1, description="How the value was chosen.")

    @classmethod
    def of(cls, operating: Operating) -> Self:
        """Return the threshold of images."""
        return cls(value=operating.image.threshold, rule=operating.rule)


class NoveltyRecord(_Record):
    """When an image is not assessable; the numbers lie in `novelty.safetensors`."""

    false_refusal: float = Field(gt=0, lt=0.5, description="Share of images like the training images that is refused.")
    limit: Literal[1] = Field(1, description="Largest novelty that is not refused.")
    view: Literal["identity"] = Field("identity", description="View whose features are judged.")
    statistics: tuple[str, ...] = Field(description="Image statistics that are judged, in order.")


class TrainingData(_Record):
    """What the model was trained on."""

    dataset_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the data set, as in split.json.")
    n_images: Count = Field(description="Images trained on.")
    n_cases: Count = Field(description="Cases trained on.")
    images_by_class: dict[str, Count] = Field(default_factory=dict, description="Images of each label and subtype.")


class BundleRecord(_Record):
    """The document `bundle.json`, schema version 2 (version 1 had no `operating` and no `novelty`)."""

    schema_version: Literal[2] = 2
    model_id: str = Field("", description="Digest of what decides the predictions; set by `write_bundle`.")
    created: str = Field("", description="When it was written, UTC; set by `write_bundle`.")
    lobule_version: str = Field("", description="What wrote it; set by `write_bundle`.")
    classes: dict[Task, tuple[str, ...]] = Field(description="Class names of each task, in the order of the outputs.")
    backbone: BackboneRecord
    input_size: int = Field(gt=0, le=4096, description="S: the graph takes (n, S, S, 3) RGB 0..255.")
    precision: Precision = Field("f32", description="Arithmetic that the heads were trained on; it is used again.")
    preprocessing: Preprocessing
    threshold: Threshold
    temperature: dict[Task, Positive] = Field(description="By task, what logits are divided by before probabilities.")
    operating: Operating = Field(description="Everything that is decided with; `threshold` and `temperature` agree.")
    novelty: NoveltyRecord | None = Field(None, description="Set by `write_bundle`; null: every image is assessable.")
    training: TrainingData
    metrics: dict[str, JsonValue] = Field(default_factory=dict, description="Headline metrics, as in metrics.json.")
    intended_use: str = INTENDED_USE
    disclaimer: str = DISCLAIMER

    @model_validator(mode="after")
    def _check_tasks(self) -> BundleRecord:
        if "binary" not in self.classes:
            raise ValueError(f"classes: the binary task {LABELS} is needed in every bundle")
        for task, names in self.classes.items():
            if names != classes_of(task):
                raise ValueError(f"classes.{task}: expected {classes_of(task)}, received {names}")
        if set(self.temperature) != set(self.classes):
            raise ValueError(f"temperature: needed for {', '.join(self.tasks)}, received {sorted(self.temperature)}")
        return self

    @model_validator(mode="after")
    def _check_operating(self) -> BundleRecord:
        if self.threshold != Threshold.of(self.operating):
            raise ValueError(f"threshold: {self.threshold} is not that of operating.image, or its rule")
        if self.temperature != temperatures_of(self.operating, self.tasks):
            raise ValueError(f"temperature: {self.temperature} does not agree with operating")
        return self

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What the model answers."""
        return tuple(task for task in TASKS if task in self.classes)

    def identify(self, digests: dict[str, str]) -> str:
        """Return the model's id: 16 hexadecimal digits of the record and the SHA-256 of its files.

        When and by which version it was written does not count: the same training gives the same id.
        """
        return digest_of_json({"record": self.model_dump(mode="json", exclude=_UNIDENTIFIED), "files": digests})[:16]


def temperatures_of(operating: Operating, tasks: Sequence[Task]) -> dict[Task, float]:
    """Return what the logits of an image are divided by, by task."""
    known: dict[Task, float] = {"binary": operating.image.temperature, "subtype": operating.subtype_temperature}
    return {task: known[task] for task in tasks}
