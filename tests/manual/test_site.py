"""The manual as it is built: no warning, nothing missing, nothing fetched from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lobule
from tests.manual.blocks import ROOT
from tests.manual.commands import COMMANDS, SETTINGS
from tests.manual.reference import reference_pages

_FETCHED = re.compile(
    r"<(?:link|script|img|iframe|source|video|audio|object|embed)\b[^>]*?\b(?:href|src|data|srcset)=\"?([^\"\s>]+)"
)
_IN_STYLE = re.compile(r"(?:url\(|@import )[\"']?([^\"')]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the manual, built as `scripts/manual` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert 'not included in the "nav"' not in done.stderr, done.stderr
    return folder


@pytest.mark.slow
def test_every_command_option_setting_endpoint_and_public_name_is_in_the_reference(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for name, command in COMMANDS.items():
        section = commands.split(f'id="lobule-{name.replace(" ", "-")}"')[1].split("<h2")[0]
        shown = {parameter.name: _shown(parameter) for parameter in command.params if parameter.name != "help"}
        assert [parameter for parameter, text in shown.items() if f"<code>{text}" not in section] == [], name
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert [name for name in SETTINGS if f"<code>{name}</code>" not in settings] == []
    rest = (site / "reference" / "rest.html").read_text(encoding="utf-8")
    paths = reference_pages.openapi()["paths"]
    assert {"/v1/predictions", "/v1/cases", "/v1/heatmaps", "/v1/model", "/healthz", "/readyz", "/metrics"} <= set(
        paths
    )
    told = [f"{method.upper()} {path}<" for path, operations in paths.items() for method in operations]
    assert [operation for operation in told if operation not in rest] == []
    python = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert [name for name in lobule.__all__ if not re.search(rf'id="lobule\.[a-z_.]*{name}"', python)] == [
        "__version__"
    ]


def _shown(parameter: Any) -> str:
    if parameter.opts[0].startswith("-"):
        return str(parameter.opts[0])
    return f"{'' if parameter.required else '['}{parameter.name.upper()}"


@pytest.mark.slow
def test_nothing_of_the_site_is_fetched_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert [each for each in _FETCHED.findall(text) if _is_elsewhere(each)] == [], page
    for style in site.rglob("*.css"):
        assert [each for each in _IN_STYLE.findall(style.read_text(encoding="utf-8")) if _is_elsewhere(each)] == [], (
            style
        )


def _is_elsewhere(address: str) -> bool:
    return address.startswith(("http:", "https:", "//"))


@pytest.mark.slow
def test_every_page_says_what_it_is_not_for(site: Path) -> None:
    silent = [
        page
        for page in site.rglob("*.html")
        if "For research use only. Not for diagnosis." not in page.read_text(encoding="utf-8")
    ]
    assert silent == []


@pytest.mark.slow
def test_the_site_works_from_a_folder_and_asks_nobody(site: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("the manual is not opened: there is no Chromium (apt install chromium)")
    asked: list[str] = []
    complaints: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        tab = browser.new_page(viewport={"width": 390, "height": 844})
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        # 404.html is for the root of a server.
        for page in sorted(set(site.rglob("*.html")) - {site / "404.html"}):
            tab.goto(page.as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{page} is too wide"
        tab.set_viewport_size({"width": 1280, "height": 900})
        tab.goto((site / "index.html").as_uri())
        tab.click(".md-search__input")
        tab.keyboard.type("clopper")
        tab.wait_for_selector(".md-search-result__item a")
        found = [link.get_attribute("href") or "" for link in tab.query_selector_all(".md-search-result__item a")]
        browser.close()
    assert complaints == []
    assert {address for address in asked if not address.startswith((site.as_uri(), "data:"))} == set()
    assert any("explanation/intervals.html" in link for link in found), found
