"""For everybody: keyboard, screen reader, dark rooms, small screens and paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.server.page.browser import Visit
from tests.server.page.process import ServerProcess


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def coloured(browser: Browser, server: ServerProcess, scheme: Any) -> Iterator[Visit]:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1440, "height": 950})
    made = Visit(context.new_page(), server.url)
    made.expect_complaints("422")
    yield made.open()
    context.close()
    made.check()


def _violations(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_nothing_seriously_inaccessible(coloured: Visit, few: list[Path], photograph: Path, corrupt: Path) -> None:
    page = coloured.page
    assert _violations(page) == []
    coloured.choose(*few[:4], photograph, corrupt)
    coloured.settled()
    page.get_by_role("checkbox", name=f"Select {few[0].name}").check()
    page.get_by_label("Cases").select_option("Case in file name")
    expect(page.locator("header.case .verdict")).to_have_count(2)
    assert _violations(page) == []
    page.get_by_role("button", name="Table").click()
    page.get_by_role("button", name="Download", exact=True).click()
    assert _violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name=few[0].name, exact=True).click()
    page.get_by_role("switch").check()
    expect(page.locator("dialog[open] .layer")).to_be_visible()
    assert _violations(page) == []
    page.keyboard.press("Escape")
    for name in ("Model card", "Limits"):
        page.get_by_role("button", name=name).click()
        assert _violations(page) == []
        page.keyboard.press("Escape")


def _background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_dark_and_light_follow_the_system_or_the_user(browser: Browser, server: ServerProcess) -> None:
    context = browser.new_context(color_scheme="dark")
    visit = Visit(context.new_page(), server.url).open()
    page = visit.page
    dark = _background(page)
    page.emulate_media(color_scheme="light")
    light = _background(page)
    assert dark != light
    button = page.get_by_role("button", name=re.compile("^Colours"))
    button.click()
    button.click()
    expect(button).to_contain_text("Dark")
    assert _background(page) == dark
    page.reload()
    assert _background(page) == dark
    context.close()
    visit.check()


def test_everything_can_be_done_with_the_keyboard_alone(visit: Visit, few: list[Path]) -> None:
    page = visit.page
    # Dialogs are caught from here on: where that began with the key press itself, a browser's first one went uncaught.
    page.on("filechooser", lambda _: None)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the images")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as opened:
        page.keyboard.press("Enter")
    opened.value.set_files([str(path) for path in few[:2]])
    visit.settled()
    frame = page.locator(".card .frame").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if frame.evaluate("frame => frame === document.activeElement"):
            break
    expect(frame).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open] .stage")).to_be_focused()
    page.keyboard.press("h")
    expect(page.locator("dialog[open] .layer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(frame).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#selection")).to_contain_text("1 image selected")


def test_a_screen_reader_is_told_what_happens(visit: Visit, few: list[Path]) -> None:
    visit.choose(*few[:3])
    visit.settled()
    expect(visit.page.locator("#announcements")).to_have_text(re.compile("^3 images answered: "))
    scale = visit.page.get_by_role("img", name=re.compile(r"Probability of malignancy .*, threshold 0\.50"))
    expect(scale.first).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_no_screen_is_too_small_and_the_disclaimer_is_always_there(
    browser: Browser, server: ServerProcess, few: list[Path], width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, has_touch=width < 1000)
    visit = Visit(context.new_page(), server.url).open()
    page = visit.page
    disclaimer = page.locator(".masthead .disclaimer")
    expect(disclaimer).to_have_text("Research use only. Not for diagnosis.")
    visit.choose(*few)
    visit.settled()
    page.get_by_label("Cases").select_option("Case in file name")
    for view in ("Table", "Cards"):
        page.get_by_role("button", name=view).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(disclaimer).to_be_in_viewport()
    for opener in (page.locator(".card .frame").first, page.locator("#show-card"), page.locator("#show-limits")):
        opener.click()
        expect(page.locator("dialog[open] .disclaimer")).to_be_in_viewport()
        page.keyboard.press("Escape")
    context.close()
    visit.check()


def test_the_card_of_the_model_is_text_whatever_stands_in_it(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Model card").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading", name="Limits")).to_be_visible()
    expect(dialog.get_by_role("cell", name="AUROC")).to_be_visible()
    expect(dialog.get_by_text("<img src=x")).to_be_visible()
    expect(dialog.locator("img, a")).to_have_count(0)
    page.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Limits").click()
    expect(page.locator("dialog[open]")).to_contain_text("Only a few benign cases stand behind these numbers.")
    expect(page.locator("dialog[open]")).to_contain_text("A file: 32 MiB")


def test_print_shows_a_summary_and_nothing_else(visit: Visit, few: list[Path], photograph: Path) -> None:
    page = visit.page
    visit.choose(*few[:2], photograph)
    visit.settled()
    page.evaluate("window.print = () => document.body.classList.add('printed')")
    page.get_by_role("button", name="Download", exact=True).click()
    page.get_by_role("button", name="Print, or save as PDF").click()
    expect(page.locator("body")).to_have_class(re.compile("printed"))
    page.emulate_media(media="print")
    summary = page.locator("#summary")
    expect(summary).to_be_visible()
    expect(summary).to_contain_text("For research use only. Not for diagnosis.")
    for name in (few[0].name, few[1].name, photograph.name):
        expect(summary).to_contain_text(name)
    expect(page.locator("#results")).to_be_hidden()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
