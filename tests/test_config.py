from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lobule.config import Config, load_config
from lobule.errors import ConfigError


@given(
    seed=st.integers(0, 2**31 - 1),
    hidden=st.integers(0, 1024).map(lambda units: 4 * units),
    labels=st.dictionaries(st.text(min_size=1), st.sampled_from(["benign", "malignant"]), max_size=3),
)
def test_yaml_reads_back_to_the_same_settings(seed: int, hidden: int, labels: dict[str, str]) -> None:
    config = load_config(settings={"seed": seed, "head": {"hidden": hidden}, "data": {"labels": labels}})
    assert Config.model_validate(yaml.safe_load(config.to_yaml())) == config


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("head: {hidden: 16, dropout: 0.1}\nseed: 3\n")
    config = load_config(file, ("head.hidden=32", "features.layers=block3_pool,block5_pool"), {"seed": 5})
    assert (config.head.hidden, config.head.dropout, config.seed) == (32, 0.1, 5)
    assert config.features.layers == ("block3_pool", "block5_pool")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("head.hiden=3", "known here: batch_size"),
        ("nonsense", "expected key=value"),
        ("head.dropout=1.5", "setting head.dropout: Input should be less than 1, received 1.5"),
        ("seed.deep=1", "setting seed"),
        ("head=3", "setting head"),
        ("features.views=identity,sideways", "features.views.1"),
    ],
)
def test_a_wrong_setting_is_named(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"head|nonsense|seed|features") as error:
        load_config(None, (override,))
    assert said in str(error.value)


@pytest.mark.parametrize("content", ["- a list", "head: [", "\x00"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match="--config"):
        load_config(file)


def test_every_setting_is_described() -> None:
    for group in Config.model_fields.values():
        for name, setting in getattr(group.annotation, "model_fields", {}).items():
            assert setting.description, name
