"""What a sweep searches: settings of features and heads, each with its options or its range."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from lobule.config import Config, load_config
from lobule.errors import ConfigError
from lobule.features.backbones import backbone

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Options", "Space", "Span", "configured_by", "default_space", "read_space"]

_BY_BACKBONE: Final = ("features.layers", "features.weights")
_ALLOWED: Final = (
    "features.backbone",
    *_BY_BACKBONE,
    "features.views",
    "head.hidden",
    "head.members",
    "head.dropout",
    "head.input_dropout",
    "head.learning_rate",
    "head.l2",
    "head.batch_size",
    "head.class_weights",
    "head.case_weights",
)
_HEADS: Final[Mapping[str, Any]] = {
    "features.views": [["identity"], ["identity", "flip_horizontal"]],
    "head.hidden": [0, 32, 64, 128, 256],
    "head.members": [1, 4, 8],
    "head.dropout": {"low": 0.0, "high": 0.7},
    "head.input_dropout": {"low": 0.0, "high": 0.7},
    "head.learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
    "head.l2": {"low": 1e-3, "high": 1.0, "log": True},
    "head.case_weights": [0.0, 0.5, 1.0],
}
_RANGE: Final = "{low: 0.001, high: 0.1, log: true}"


@dataclass(frozen=True)
class Options:
    """A setting that takes one of several values."""

    values: tuple[Any, ...]

    def to_json(self) -> Any:
        """Return the values."""
        return list(self.values)


@dataclass(frozen=True)
class Span:
    """A setting that takes any number of a range, ends included.

    Attributes:
        low: smallest value.
        high: largest value.
        log: whether the logarithm is drawn evenly instead of the value.
    """

    low: float
    high: float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are drawn: both ends were given as such."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def to_json(self) -> Any:
        """Return low, high and log."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        parameters: by setting, such as `head.hidden`, what it may be.
        by_backbone: by setting (`features.layers`, `features.weights`) and backbone, what it may be with that backbone.
    """

    parameters: Mapping[str, Options | Span]
    by_backbone: Mapping[str, Mapping[str, Options]]

    def draw(self, trial: Any) -> dict[str, Any]:
        """Return settings that a trial of Optuna suggests, by name."""
        drawn = {name: _suggested(trial, name, each) for name, each in self.parameters.items()}
        chosen = str(drawn.get("features.backbone"))
        for name, options in self.by_backbone.items():
            if chosen in options:
                drawn[name] = _suggested(trial, f"{name} of {chosen}", options[chosen])
        return drawn

    def to_json(self) -> dict[str, Any]:
        """Return the space as a JSON value."""
        return {
            **{name: each.to_json() for name, each in self.parameters.items()},
            **{
                name: {key: options.to_json() for key, options in of_each.items()}
                for name, of_each in self.by_backbone.items()
            },
        }


def default_space(config: Config, backbones: Sequence[str] = ()) -> Space:
    """Return the space that is searched where none is given.

    The last map of each backbone, or that of the block before its last; one and two views; size, dropout, rate, penalty
    and case weights of the head.

    Args:
        config: settings of everything that is not searched.
        backbones: names in the registry; none: that of `config`.

    Raises:
        ConfigError: a name is unknown.
    """
    names = tuple(backbones) or (config.features.backbone,)
    layers = {name: [[], *_end_of_the_block_before(name)] for name in names}
    return _space({"features.backbone": list(names), "features.layers": layers, **_HEADS}, config)


def _end_of_the_block_before(name: str) -> list[list[str]]:
    known = backbone(name)
    inside = [layer for layer in known.layers for block in known.blocks[-2:-1] if layer.startswith(block)]
    return [[inside[-1]]] if inside else []


def read_space(path: Path, config: Config, backbones: Sequence[str] = ()) -> Space:
    """Read a space from a YAML file.

    A setting is followed by a list of values, by `{low, high, log}`, or, for `features.layers` and
    `features.weights`, by a list for each backbone.

    Args:
        path: the file.
        config: settings of everything that is not searched.
        backbones: names in the registry, instead of those of the file; none: those of the file.

    Raises:
        ConfigError: the file cannot be read, or a setting or value is not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"--space {path}: cannot be read as YAML ({error}); name a file of settings.") from None
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"--space {path}: expected `setting: [values]` lines, received {type(content).__name__}.")
    content.setdefault("features.backbone", [config.features.backbone])
    if backbones:
        content["features.backbone"] = list(backbones)
    return _space(content, config)


def configured_by(config: Config, drawn: Mapping[str, Any]) -> Config:
    """Return a configuration with drawn settings in the place of its own.

    Raises:
        ConfigError: a value is not allowed.
    """
    groups: dict[str, dict[str, Any]] = {}
    for name, value in drawn.items():
        group, _, key = name.partition(".")
        groups.setdefault(group, {})[key] = value
    known = config.model_dump()
    return load_config(settings={**known, **{group: {**known[group], **values} for group, values in groups.items()}})


def _suggested(trial: Any, name: str, parameter: Options | Span) -> Any:
    if isinstance(parameter, Options):
        # Optuna's choices are numbers and texts; lists go through JSON.
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in parameter.values]))
    if parameter.is_whole:
        return trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
    return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)


def _space(content: Mapping[str, Any], config: Config) -> Space:
    if unknown := [str(name) for name in content if name not in _ALLOWED]:
        raise ConfigError(f"--space {unknown[0]}: cannot be searched; allowed: {', '.join(_ALLOWED)}.")
    names = [str(name) for name in _options("features.backbone", content["features.backbone"]).values]
    by_backbone = {name: _of_backbones(name, content[name], names) for name in _BY_BACKBONE if name in content}
    others = {name: value for name, value in content.items() if name not in _BY_BACKBONE}
    space = Space({name: _parameter(name, value) for name, value in others.items()}, by_backbone)
    _check(space, config)
    return space


def _of_backbones(name: str, value: Any, backbones: Sequence[str]) -> dict[str, Options]:
    of_each = value if isinstance(value, dict) else dict.fromkeys(backbones, value)
    if missing := [each for each in backbones if each not in of_each]:
        raise ConfigError(f"--space {name}: has nothing for backbone {missing[0]}; add a list for it.")
    return {each: _options(f"{name}.{each}", of_each[each]) for each in backbones}


def _parameter(name: str, value: Any) -> Options | Span:
    return _span(name, value) if isinstance(value, dict) else _options(name, value)


def _options(name: str, value: Any) -> Options:
    if not isinstance(value, list) or not value:
        raise ConfigError(f"--space {name}: expected a list of values or {_RANGE}, received {value!r}.")
    return Options(tuple(value))


def _span(name: str, value: Mapping[str, Any]) -> Span:
    low, high, log = value.get("low"), value.get("high"), value.get("log", False)
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
    if set(value) - {"low", "high", "log"} or not numbers or not isinstance(log, bool):
        raise ConfigError(f"--space {name}: expected a list of values or {_RANGE}, received {dict(value)!r}.")
    span = Span(cast(float, low), cast(float, high), log)
    if not span.low < span.high or (log and span.low <= 0):
        above = " above 0" if log else ""
        raise ConfigError(f"--space {name}: low must lie{above} below high, received {span.low} and {span.high}.")
    return span


def _check(space: Space, config: Config) -> None:
    """Refuse a value that no configuration may have, before anything is computed."""
    for name, parameter in space.parameters.items():
        ends = parameter.values if isinstance(parameter, Options) else (parameter.low, parameter.high)
        for value in ends:
            # Members are judged beside every size below; alone, any number of them fits no hidden layer.
            neutral = {"head.hidden": 0, "head.members": 1}
            configured_by(config, {**neutral, name: value})
    for hidden in _values(space, "head.hidden", config.head.hidden):
        for members in _values(space, "head.members", config.head.members):
            configured_by(config, {"head.hidden": hidden, "head.members": members})
    for name in _values(space, "features.backbone", config.features.backbone):
        for layers in space.by_backbone.get("features.layers", {}).get(name, Options((config.features.layers,))).values:
            tried = configured_by(config, {"features.backbone": name, "features.layers": layers})
            backbone(name).chosen(tried.features.layers)
    for views in _values(space, "features.views", list(config.features.views)):
        if "identity" not in views:
            raise ConfigError(f"--space features.views: every choice needs the view identity, received {views}.")


def _values(space: Space, name: str, otherwise: Any) -> tuple[Any, ...]:
    parameter = space.parameters.get(name, Options((otherwise,)))
    if isinstance(parameter, Span):
        if name in ("head.hidden", "head.members"):
            raise ConfigError(f"--space {name}: expected a list of values, received a range; members must divide it.")
        return (parameter.low, parameter.high)
    return parameter.values
