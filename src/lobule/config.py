"""Every setting of a run, described once: YAML, `--set`, schema and manual derive from these fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from lobule.errors import ConfigError
from lobule.threshold_rule import ALLOWED, parse_rule
from lobule.view_names import ViewName

__all__ = [
    "Config",
    "DataSettings",
    "DecisionSettings",
    "FeatureSettings",
    "FinetuneSettings",
    "HeadSettings",
    "NoveltySettings",
    "ReportSettings",
    "RobustnessSettings",
    "load_config",
]


def _split_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]
Views = Annotated[tuple[ViewName, ...], BeforeValidator(_split_commas), Field(min_length=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DataSettings(_Settings):
    """How a data set is read and divided."""

    group: Literal["case", "patient", "image"] = Field(
        "case", description="Unit that is never divided by a split; `image` leaks and turns the report red."
    )
    folds: int = Field(5, ge=2, le=20, description="Number of folds of the grouped cross-validation.")
    validation: float = Field(0.2, gt=0, lt=0.6, description="Share of images in the validation part of the holdout.")
    root: str | None = Field(None, description="Folder that the paths of a CSV are relative to; none: the CSV's own.")
    case_pattern: str | None = Field(
        None,
        description="Regular expression whose first group (or whole match) in the relative path is the case.",
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Map from the user's class names to Lobule's labels or subtypes."
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="Map from manifest columns to the columns of the user's CSV."
    )


class FeatureSettings(_Settings):
    """How images become features."""

    backbone: str = Field("vgg16", description="Name in the backbone registry; see `lobule doctor`.")
    weights: str = Field("imagenet", description="`imagenet`, `none` (seeded random filters) or the path of a file.")
    layers: Names = Field((), description="Layers whose maps are averaged; empty: the last map only.")
    views: Views = Field(
        ("identity", "flip_horizontal"),
        description="Fixed views of each image: all are trained on, and their logits are averaged at prediction.",
    )
    engine: Literal["auto", "keras", "openvino"] = Field(
        "auto", description="What runs the backbone; auto: OpenVINO on a processor, Keras on a GPU."
    )
    precision: Literal["auto", "f32", "bf16", "int8"] = Field(
        "auto",
        description="Arithmetic of the backbone; auto: bf16 where the processor has it and the features of sample "
        "images keep a cosine of 0.999 with single precision, else f32. int8 (extra `int8`): quantised, refused below "
        "0.99.",
    )


class HeadSettings(_Settings):
    """The fully connected head and how it is trained."""

    hidden: int = Field(256, ge=0, le=4096, description="Units of the hidden layer; 0: no hidden layer.")
    members: int = Field(
        4,
        ge=1,
        le=64,
        description="Equal parts of the hidden layer, each trained to answer alone; the head is their mean.",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout before the output layer.")
    input_dropout: float = Field(0.5, ge=0, lt=1, description="Dropout on the standardised features.")
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Adam's learning rate.")
    l2: float = Field(0.1, ge=0, description="L2 penalty on the kernels.")
    batch_size: int = Field(128, ge=1, description="Images (times views) in a step.")
    max_epochs: int = Field(12, ge=1, le=1000, description="Epochs tried; the folds choose how many are used.")
    class_weights: Literal["balanced", "none"] = Field("balanced", description="Weight of a class in the loss.")
    case_weights: float = Field(
        0.0,
        ge=0,
        le=1,
        description="0: every image counts the same; 1: every case counts the same; between: a power.",
    )

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        if self.hidden % self.members:
            raise ValueError(f"head.members {self.members} must divide head.hidden {self.hidden}")
        return self


class FinetuneSettings(_Settings):
    """The second stage: the last blocks of the backbone trained at a low learning rate."""

    blocks: int = Field(0, ge=0, le=5, description="Blocks that are unfrozen, from the last; 0: none.")
    epochs: int = Field(10, ge=1, le=1000, description="Epochs tried; the best on the holdout is used.")
    learning_rate: float = Field(1e-5, gt=0, le=1, description="Adam's learning rate for blocks and heads.")
    batch_size: int = Field(32, ge=1, description="Images in a step.")
    folds: bool = Field(False, description="Fine-tune every fold too (costs as many trainings as there are folds).")


class DecisionSettings(_Settings):
    """How probabilities become labels and label sets; fitted on out-of-fold predictions."""

    threshold: Annotated[str, BeforeValidator(str)] = Field(
        "balanced_accuracy",
        description="Rule of the threshold: `balanced_accuracy` (the largest), `sensitivity:0.95` (at least that share "
        "of the malignant is found) or `fixed:0.5`.",
    )
    alpha: float = Field(
        0.1, gt=0, lt=0.5, description="Share of cases whose own label may be missing from their label set."
    )

    @field_validator("threshold")
    @classmethod
    def _check_threshold(cls, text: str) -> str:
        try:
            parse_rule(text)
        except ConfigError:
            raise ValueError(f"allowed is {ALLOWED}") from None
        return text


class NoveltySettings(_Settings):
    """When an image is not assessable."""

    false_refusal: float = Field(
        0.01, gt=0, lt=0.5, description="Share of images like the training images that may be refused as too different."
    )


class ReportSettings(_Settings):
    """What the report shows."""

    gallery: int = Field(12, ge=0, le=100, description="Worst errors shown with their heat maps.")
    bootstrap: int = Field(2000, ge=0, le=100_000, description="Replicates of the case bootstrap.")


class RobustnessSettings(_Settings):
    """How the model is tried on changed images."""

    images: int = Field(
        0,
        ge=0,
        description="Images that are compressed, blurred, lit and stained otherwise and judged again; 0: not measured.",
    )


class Config(_Settings):
    """All settings of a run."""

    seed: int = Field(0, ge=0, lt=2**31, description="One seed for split, weights, training and intervals.")
    data: DataSettings = Field(default_factory=DataSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    head: HeadSettings = Field(default_factory=HeadSettings)
    finetune: FinetuneSettings = Field(default_factory=FinetuneSettings)
    decision: DecisionSettings = Field(default_factory=DecisionSettings)
    novelty: NoveltySettings = Field(default_factory=NoveltySettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    robustness: RobustnessSettings = Field(default_factory=RobustnessSettings)

    def to_yaml(self) -> str:
        """Return the settings as YAML that `load_config` reads back to an equal object."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def load_config(
    path: Path | None = None, overrides: tuple[str, ...] = (), settings: Mapping[str, Any] | None = None
) -> Config:
    """Read settings from a YAML file, `key=value` overrides and a nested mapping; later ones win.

    Args:
        path: YAML file with any subset of the settings; None: the defaults.
        overrides: such as `head.hidden=128`; values are read as YAML.
        settings: such as `{"head": {"hidden": 128}}`.

    Raises:
        ConfigError: the file cannot be read, a key is unknown or a value is not allowed.
    """
    values = _read_yaml(path) if path else {}
    for override in overrides:
        _apply_override(values, override)
    _merge(values, settings or {})
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"--config {path}: cannot be read as YAML ({error}); name a file of settings.") from None
    if not isinstance(values, dict | None):
        raise ConfigError(f"--config {path}: expected `key: value` lines, received {type(values).__name__}.")
    return values or {}


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set {override!r}: expected key=value, such as head.hidden=128.")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override!r}: {parent} is a value, not a group of settings.")
    try:
        values[leaf] = yaml.safe_load(text)
    except yaml.YAMLError:
        values[leaf] = text


def _merge(values: dict[str, Any], settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(_known_keys(problem["loc"]))
            lines.append(f"setting {key}: unknown; known here: {known}.")
        else:
            said = problem["msg"].removeprefix("Value error, ")
            lines.append(f"setting {key}: {said}, received {problem['input']!r}.")
    return "\n".join(lines)


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return sorted(model.model_fields)
