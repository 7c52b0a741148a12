from __future__ import annotations

import webbrowser
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from lobule.pipeline import Run
from tests.cli.conftest import Lobule


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "a run"
    (folder / "figures").mkdir(parents=True)
    (folder / "report.html").write_text("<p>report</p>")
    for name in ("roc_binary.png", "roc_binary.csv", "loss & <curves>.png"):
        (folder / "figures" / name).write_bytes(b"")
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A desktop with a browser that notes what it is asked for."""
    addresses: list[str] = []

    def open_page(address: str) -> bool:
        addresses.append(address)
        return True

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", open_page)
    return addresses


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_report_is_opened(lobule: Lobule, run: Path, opened: list[str]) -> None:
    shown = lobule("show", run)
    assert (shown.code, shown.out) == (0, f"{run / 'report.html'}\n")
    assert opened == [(run / "report.html").as_uri()]


def test_the_figures_are_one_page_whose_links_exist(lobule: Lobule, run: Path, opened: list[str]) -> None:
    assert lobule("show", run, "--figures").code == 0
    page = run / "figures" / "index.html"
    assert opened == [page.as_uri()]
    links = _Links()
    links.feed(page.read_text(encoding="utf-8"))
    named = {(page.parent / unquote(link)).resolve() for link in links.found}
    assert named == {run / "report.html", *(run / "figures").glob("*.png"), run / "figures" / "roc_binary.csv"}
    assert "<curves>" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--print", "--json"])
def test_nothing_is_opened_where_only_the_path_is_wanted(
    lobule: Lobule, run: Path, opened: list[str], option: str
) -> None:
    shown = lobule("show", run, option)
    assert shown.code == 0
    assert opened == []
    assert str(run / "report.html") == (shown.json["page"] if option == "--json" else shown.out.strip())


@pytest.mark.parametrize("broken", ["no display", "no browser", "refuses"])
def test_without_a_browser_the_path_is_told(
    lobule: Lobule, run: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(address: str) -> bool:
        if broken == "refuses":
            return False
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr("lobule.cli.show.sys.platform", "linux")
    monkeypatch.setattr(webbrowser, "open", fail)
    if broken == "no display":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    shown = lobule("show", run)
    assert shown.code == 0
    assert shown.out.splitlines() == [
        str(run / "report.html"),
        "No browser could be opened here: open the file yourself.",
    ]


def test_what_is_no_run_is_named(lobule: Lobule, run: Path, tmp_path: Path) -> None:
    for path, found in ((tmp_path, "a folder without report.html"), (tmp_path / "x", "nothing there")):
        shown = lobule("show", path)
        assert (shown.code, shown.out) == (1, "")
        assert found in shown.err
    for figure in (run / "figures").glob("*.png"):
        figure.unlink()
    assert "holds no figure" in lobule("show", run, "--figures").err


def test_a_finished_run_has_both(lobule: Lobule, finished: Run) -> None:
    assert lobule("show", finished.folder, "--print").out.strip() == str(finished.folder.resolve() / "report.html")
    shown = lobule("show", finished.folder, "--figures", "--print")
    assert Path(shown.out.strip()).read_text(encoding="utf-8").count("<figure>") > 5
