from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lobule.config import Config
from lobule.errors import ConfigError
from lobule.features.backbones import BACKBONES
from lobule.sweep.sampler import Sampler
from lobule.sweep.space import Options, Space, Span, configured_by, default_space, read_space


def space_file(folder: Path, **settings: Any) -> Path:
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump({name.replace("__", "."): value for name, value in settings.items()}))
    return path


@pytest.mark.parametrize("names", [(), tuple(BACKBONES)])
def test_the_usual_space_gives_configurations_that_are_allowed(names: tuple[str, ...]) -> None:
    space = default_space(Config(), names)
    drawn = Sampler(space, kind="random", seed=0).draw(60)
    configs = [configured_by(Config(), each) for each in drawn]
    assert {config.features.backbone for config in configs} == set(names or ["vgg16"])
    for config in configs:
        assert len(BACKBONES[config.features.backbone].chosen(config.features.layers)) == 1
        assert BACKBONES[config.features.backbone].last_map not in config.features.layers
        assert "identity" in config.features.views
        assert 3e-4 <= config.head.learning_rate <= 1e-2
    assert len({config.head.learning_rate for config in configs}) == 60
    assert {config.head.hidden for config in configs} == {0, 32, 64, 128, 256}
    assert {config.features.layers for config in configs if config.features.backbone == "vgg16"} == {
        (),
        ("block4_pool",),
    }


def test_what_is_not_searched_stays_as_given() -> None:
    given = Config.model_validate({"seed": 5, "head": {"max_epochs": 7}, "report": {"gallery": 1}})
    made = configured_by(given, {"head.hidden": 0, "features.views": ["identity"]})
    assert (made.seed, made.head.max_epochs, made.report.gallery, made.head.hidden) == (5, 7, 1, 0)
    assert configured_by(given, {}) == given


def test_a_file_is_read(tmp_path: Path) -> None:
    path = space_file(
        tmp_path,
        features__backbone=["vgg16", "densenet121"],
        features__layers={"vgg16": [[], ["block4_pool", "block5_pool"]], "densenet121": [["relu"]]},
        head__hidden=[0, 32],
        head__batch_size={"low": 16, "high": 64},
        head__l2={"low": 0.01, "high": 1, "log": True},
    )
    space = read_space(path, Config())
    assert space.parameters["head.hidden"] == Options((0, 32))
    assert space.parameters["head.l2"] == Span(0.01, 1, log=True)
    drawn = Sampler(space, kind="random", seed=1).draw(40)
    assert all(isinstance(each["head.batch_size"], int) and 16 <= each["head.batch_size"] <= 64 for each in drawn)
    assert {tuple(each["features.layers"]) for each in drawn if each["features.backbone"] == "vgg16"} == {
        (),
        ("block4_pool", "block5_pool"),
    }
    assert space.to_json()["features.layers"]["densenet121"] == [["relu"]]
    alone = read_space(path, Config(), ["densenet121"])
    assert {each["features.backbone"] for each in Sampler(alone, kind="random", seed=1).draw(5)} == {"densenet121"}


def test_the_same_seed_draws_the_same() -> None:
    space = default_space(Config())

    def drawn(seed: int, kind: str = "random") -> list[dict[str, Any]]:
        sampler = Sampler(space, kind=kind, seed=seed)
        first = sampler.draw(4)
        sampler.tell([0.1, 0.4, 0.2, 0.3])
        return first + sampler.draw(4)

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1, "tpe") == drawn(1, "tpe")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data__folds": [3]}, "data.folds: cannot be searched; allowed: features.backbone"),
        ({"head__hidden": 8}, r"head.hidden: expected a list of values or \{low"),
        ({"head__hidden": {"low": 1, "high": 8}}, "head.hidden: expected a list of values, received a range"),
        ({"head__dropout": {"low": 0.5, "high": 0.1}}, "head.dropout: low must lie below high, received 0.5 and 0.1"),
        ({"head__l2": {"low": 0, "high": 1, "log": True}}, "head.l2: low must lie above 0 below high"),
        ({"head__l2": {"low": 0, "upper": 1}}, "head.l2: expected a list"),
        ({"head__dropout": [1.5]}, "setting head.dropout: .* received 1.5"),
        ({"head__hidden": [8], "head__members": [3]}, "head.members 3 must divide head.hidden 8"),
        ({"features__backbone": ["vgg17"]}, "vgg17: unknown"),
        ({"features__layers": [["conv9"]]}, "features.layers: conv9 unknown"),
        ({"features__views": [["flip_horizontal"]]}, "every choice needs the view identity"),
        (
            {"features__backbone": ["vgg16", "vgg19"], "features__layers": {"vgg16": [[]]}},
            "features.layers: has nothing for backbone vgg19",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_space(space_file(tmp_path, **settings), Config())


@pytest.mark.parametrize("content", ["", "- a list\n", "a: [unclosed"])
def test_a_file_that_is_no_space_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match="--space"):
        read_space(path, Config())
    with pytest.raises(ConfigError, match="cannot be read"):
        read_space(tmp_path / "none.yaml", Config())


def test_a_backbone_without_choices_draws_none() -> None:
    space = Space({"features.backbone": Options(("vgg16",))}, {"features.layers": {"vgg19": Options(((),))}})
    assert Sampler(space, kind="random", seed=0).draw(1) == [{"features.backbone": "vgg16"}]
