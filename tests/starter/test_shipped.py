from __future__ import annotations

from pathlib import Path

import pytest

from lobule.errors import ConfigError
from lobule.starter import shipped, starter_bundle


def test_an_installation_without_the_starter_model_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="--force-reinstall"):
        starter_bundle()
