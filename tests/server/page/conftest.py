"""The real page of a real server with a really trained model, in Debian's Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from lobule.data.breakhis import parse_name
from lobule.data.phantom import write_phantom
from lobule.inference.predictor import Predictor
from tests.server.page.browser import Visit
from tests.server.page.process import ServerProcess
from tests.server.page.real_model import write_real_bundle

_IMAGES_A_CASE = 2
_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("the page is not tested: there is no Chromium (apt install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def tissue(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return images with BreakHis names: the originals of the real sample where it is there, else synthetic ones."""
    shared = Path(os.environ.get("LOBULE_SHARED", "../shared")).resolve()
    images = sorted((shared / "breakhis" / "BreaKHis_v1").rglob("*.png"))
    if not images:
        folder = tmp_path_factory.mktemp("synthetic")
        images = sorted(write_phantom(folder, cases=24, images_per_case=4, size=(230, 350)).images.rglob("*.png"))
    by_case: dict[str, list[Path]] = {}
    for path in images:
        by_case.setdefault(case_of(path), []).append(path)
    return [path for paths in by_case.values() for path in paths[:_IMAGES_A_CASE]]


def case_of(path: Path) -> str:
    """Return the case in a BreakHis name."""
    name = parse_name(path.name)
    assert name is not None
    return name.case_id


@pytest.fixture(scope="session")
def model(tissue: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_real_bundle(tmp_path_factory.mktemp("page") / "model", tissue)


@pytest.fixture(scope="session")
def predictor(model: Path) -> Predictor:
    return Predictor(model)


@pytest.fixture(scope="session")
def server(model: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(model).start()
    yield process
    process.close()


@pytest.fixture
def visit(browser: Browser, server: ServerProcess) -> Iterator[Visit]:
    """Return a fresh visit; at its end nothing may have been complained of."""
    context = browser.new_context(viewport={"width": 1440, "height": 950})
    made = Visit(context.new_page(), server.url)
    yield made.open()
    context.close()
    made.check()


@pytest.fixture
def few(tissue: list[Path]) -> list[Path]:
    """Return six images of three cases."""
    by_case: dict[str, list[Path]] = {}
    for path in tissue:
        by_case.setdefault(case_of(path), []).append(path)
    return [path for paths in by_case.values() if len(paths) >= 2 for path in paths[:2]][:6]


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """Return a picture of a meadow: green under blue, in focus."""
    rng = np.random.default_rng(0)
    colours = np.where(np.arange(460)[:, None, None] < 200, (70, 130, 235), (40, 160, 30))
    path = tmp_path / "meadow.png"
    Image.fromarray((colours + rng.normal(0, 18, (460, 700, 3))).clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def corrupt(few: list[Path], tmp_path: Path) -> Path:
    """Return the first half of an image's file."""
    path = tmp_path / "corrupt.png"
    content = few[0].read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
