"""A tiny teacher with a cache of the test's own, and images of noise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lobule.config import DataSettings, FeatureSettings
from lobule.data.manifest import Manifest
from lobule.data.scan import scan
from lobule.features.spec import EncoderSpec, encoder_spec
from tests.runs import write_own_folder
from tests.tiny_backbone import SETTINGS, install_tiny_graph, tiny_backbone


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny_teacher(cache: Path) -> Iterator[EncoderSpec]:
    with tiny_backbone():
        install_tiny_graph()
        yield encoder_spec(FeatureSettings.model_validate({**SETTINGS, "views": ("identity",)}), seed=0)


@pytest.fixture
def noise(tmp_path: Path) -> Manifest:
    folder = write_own_folder(tmp_path / "images")
    return scan(folder, settings=DataSettings(case_pattern=r"case(\w+)-")).manifest
