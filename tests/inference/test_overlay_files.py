from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lobule.inference.heatmap import HeatMap, overlay
from lobule.inference.overlay_files import file_names, shows, write_overlay
from lobule.taxonomy import DISCLAIMER
from tests.inference.conftest import noise


@given(st.lists(st.text(min_size=1, max_size=300), unique=True, max_size=20))
def test_names_differ_on_every_file_system(ids: list[str]) -> None:
    names = file_names(ids)
    assert len({name.casefold() for name in names}) == len(ids)
    for name in names:
        assert Path(name).name == name
        assert not name.startswith(".")
        assert name.isascii()
        assert len(name) < 200


def test_plain_names_are_kept() -> None:
    assert file_names(["SOB_B_A-14-22549AB-40-001", "slide.7"]) == ["SOB_B_A-14-22549AB-40-001", "slide.7"]
    upper, lower = file_names(["A", "a"])
    assert (upper, lower[:2]) == ("A", "a-")


def test_an_overlay_says_what_it_shows(tmp_path: Path) -> None:
    path, image = tmp_path / "maps" / "a.png", noise(0)
    heat_map = HeatMap(np.eye(3, dtype=np.float32), "binary", "malignant", 1.0)
    write_overlay(path, image, heat_map, model_id="m", pixel_sha256="p")
    with Image.open(path) as written:
        np.testing.assert_array_equal(np.asarray(written), overlay(image, heat_map))
        assert "malignant" in written.info["Title"]
        assert DISCLAIMER in written.info["Description"]
    assert shows(path, model_id="m", pixel_sha256="p")
    assert not shows(path, model_id="other", pixel_sha256="p")
    assert not shows(path, model_id="m", pixel_sha256="other")


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_overlay_shows_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    assert not shows(path, model_id="m", pixel_sha256="p")
