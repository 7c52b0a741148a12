"""The rules inside the page: names, arithmetic, and what may not stand in its files."""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from lobule.data.breakhis import parse_name
from tests.server.page.browser import Visit

_FOLDER = Path(str(resources.files("lobule.server"))) / "page"
_NAMES = [
    "SOB_B_A-14-22549AB-40-001.png",
    "SOB_M_DC-14-2523-100-001.tif",
    "SOB_M_PC-15-190EF-400-021.JPEG",
    "SOB_B_DC-14-2523-100-001.png",
    "SOB_M_DC-14-2523-150-001.png",
    "SOB_M_DC-14-2523-100-001.txt",
    "SOB_M_DC-14-2523-100-001",
    "sob_m_dc-14-2523-100-001.png",
    "SOB_M_DC-14-AB-100-001.png",
    "x.SOB_B_A-14-22549AB-40-001.png",
    ".png",
    "",
]


def _call(visit: Visit, module: str, function: str, *arguments: Any) -> Any:
    code = "async ([module, name, values]) => (await import(`./page/js/${module}.js`))[name](...values)"
    return visit.page.evaluate(code, [module, function, list(arguments)])


def test_cases_are_read_from_names_as_the_library_reads_them(visit: Visit) -> None:
    listed = Path(os.environ.get("LOBULE_SHARED", "../shared")) / "breakhis" / "all_filenames.txt"
    names = [*_NAMES, *(listed.read_text().split()[::20] if listed.is_file() else [])]
    code = """async (names) => {
      const { breakhisCase } = await import("./page/js/names.js");
      return names.map(breakhisCase);
    }"""
    expected = [known.case_id if (known := parse_name(name)) else "" for name in names]
    assert visit.page.evaluate(code, names) == expected


def test_zooming_keeps_what_is_under_the_pointer(visit: Visit) -> None:
    size, room = {"width": 700, "height": 460}, {"width": 900, "height": 600}
    fitted = _call(visit, "zoom", "fitted", size, room)
    assert fitted["scale"] == pytest.approx(900 / 700)
    zoomed = _call(visit, "zoom", "zoomedAt", fitted, 3, {"x": 200, "y": 100})
    before, after = [
        ((200 - each["x"]) / each["scale"], (100 - each["y"]) / each["scale"]) for each in (fitted, zoomed)
    ]
    assert after == pytest.approx(before)
    lost = {"scale": 2, "x": 5000, "y": -5000}
    assert _call(visit, "zoom", "clamped", lost, size, room) == {"scale": 2, "x": 0, "y": 600 - 920}


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0004, "< 0.01"), (0.005, "0.01"), (0.5, "0.50"), (0.995, "0.99"), (0.9999, "> 0.99")]
)
def test_no_probability_is_shown_as_certain(visit: Visit, value: float, shown: str) -> None:
    assert _call(visit, "format", "probability", value) == shown


def test_the_files_would_pass_a_strict_policy() -> None:
    index = (_FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=", index)
    assert not re.search(r"(?:src|href)=\"(?!page/|docs\"|#)", index)
    for path in [*_FOLDER.rglob("*.js"), *_FOLDER.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)[a-z]", text), path


def test_every_file_of_the_page_is_used() -> None:
    files = {path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*") if path.is_file()}
    index = (_FOLDER / "index.html").read_text(encoding="utf-8")
    used = {"index.html", *re.findall(r"\"page/([^\"]+)\"", index)}
    for path in _FOLDER.glob("js/*.js"):
        used |= {f"js/{name}" for name in re.findall(r"from \"\./([^\"]+)\"", path.read_text(encoding="utf-8"))}
    assert files == used
