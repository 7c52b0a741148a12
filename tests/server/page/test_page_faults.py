"""What a person sees when something goes wrong, and that going on is one click."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.server.page.browser import Visit
from tests.server.page.process import ServerProcess


@pytest.fixture
def mortal(model: Path) -> Iterator[ServerProcess]:
    """Return a server that may be killed."""
    process = ServerProcess(model).start()
    yield process
    process.close()


def test_losing_the_server_in_mid_upload_is_shown_and_mended(
    browser: Browser, mortal: ServerProcess, few: list[Path]
) -> None:
    context = browser.new_context()
    visit = Visit(context.new_page(), mortal.url).open()
    page = visit.page
    # One answer, then a server that accepts everything and says nothing: the rest is on its way when it dies.
    visit.choose(few[0])
    visit.settled()
    mortal.freeze()
    visit.choose(*few[1:])
    expect(page.locator(".card").filter(has_text="Being judged")).to_have_count(4)
    expect(page.locator(".card").filter(has_text="Waiting")).to_have_count(1)
    mortal.kill()

    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("The server does not answer.")
    expect(page.locator(".card").filter(has_text="Interrupted")).to_have_count(4)
    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_contain_text("The server does not answer.")

    mortal.start()
    # The page also tries by itself, and may have found the server while this one was coming up.
    banner.evaluate("banner => banner.querySelector('button')?.click()")
    visit.settled()
    expect(banner).to_contain_text("The server is back")
    expect(page.locator(".card .verdict")).to_have_count(len(few))
    expect(page.locator('.card[data-kind="failed"]')).to_have_count(0)
    visit.expect_complaints("net::ERR_")
    context.close()
    visit.check()


def test_a_heat_map_that_the_server_cannot_give_is_explained(visit: Visit, few: list[Path]) -> None:
    visit.expect_complaints("500", "net::ERR_FAILED")
    visit.choose(few[0])
    visit.settled()
    problem = '{"type": "about:blank", "title": "x", "status": 500, "code": "broken", "detail": "The graph is gone."}'
    visit.page.route("**/v1/heatmaps*", lambda route: route.fulfill(status=500, body=problem))
    switch = visit.card(few[0].name).get_by_role("button", name="Heat map")
    switch.click()
    expect(visit.page.locator("#notes")).to_contain_text("The graph is gone.")
    expect(switch).to_have_attribute("aria-pressed", "false")
    visit.page.unroute("**/v1/heatmaps*")
    switch.click()
    expect(visit.card(few[0].name).locator(".layer")).to_be_visible()


def test_a_busy_server_is_asked_again_after_the_time_it_names(visit: Visit, few: list[Path]) -> None:
    visit.expect_complaints("503")
    refused: list[str] = []

    def busy(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.url)
        route.fulfill(
            status=503, headers={"Retry-After": "1"}, body='{"status": 503, "code": "busy", "detail": "Full."}'
        )

    visit.page.route("**/v1/predictions", busy)
    visit.choose(few[0])
    expect(visit.card(few[0].name)).to_contain_text("The server is busy. Again in")
    visit.settled()
    expect(visit.card(few[0].name).locator(".verdict")).to_be_visible()
    assert len(refused) == 1


def test_what_is_under_way_can_be_cancelled_and_tried_again(visit: Visit, few: list[Path]) -> None:
    visit.expect_complaints("net::ERR_FAILED")
    page, held = visit.page, []
    page.route("**/v1/predictions", lambda route: held.append(route))
    visit.choose(*few)
    expect(page.locator(".card").filter(has_text="Waiting")).to_have_count(2)
    page.get_by_role("button", name=f"Cancel {few[0].name}").click()
    expect(visit.card(few[0].name).locator(".verdict")).to_have_text("Cancelled")
    page.get_by_role("button", name="Cancel the rest").click()
    visit.settled()
    expect(page.locator("[data-part=headline]")).to_have_text("6 images: 6 without an answer")
    page.unroute("**/v1/predictions")
    page.get_by_role("button", name="Try failed ones again").click()
    expect(page.locator("[data-part=headline]")).not_to_contain_text("without an answer")
    visit.settled()
    expect(page.locator('.card[data-kind="failed"]')).to_have_count(0)


def test_a_file_that_is_too_large_is_not_sent(visit: Visit, tmp_path: Path) -> None:
    visit.page.route("**/v1/predictions", lambda route: pytest.fail("it was sent"))
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(33 * 2**20)
    visit.choose(path)
    visit.settled()
    expect(visit.card("large.png").locator(".reason")).to_have_text(
        "The file has 33 MiB; this server takes at most 32 MiB a file."
    )


def test_the_token_is_asked_for_once_and_kept_for_the_tab(
    browser: Browser, model: Path, few: list[Path], tmp_path: Path
) -> None:
    token = secrets.token_hex(16)
    file = tmp_path / "token"
    file.write_text(token)
    process = ServerProcess(model, "--token-file", str(file)).start()
    context = browser.new_context()
    visit = Visit(context.new_page(), process.url)
    page = visit.page
    try:
        page.goto(process.url)
        page.get_by_label("Token", exact=True).fill("not the token")
        page.get_by_role("button", name="Use this token").click()
        expect(page.get_by_text("The token was refused.")).to_be_visible()
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Use this token").click()
        expect(page.locator("#model-intro")).to_contain_text("trained on")
        visit.choose(*few[:2])
        visit.settled()
        expect(page.locator('.card[data-kind="failed"]')).to_have_count(0)
        page.reload()
        expect(page.locator("#model-intro")).to_contain_text("trained on")
        assert page.evaluate("Object.values(localStorage)") == []
    finally:
        context.close()
        process.close()
    visit.expect_complaints(re.escape("401"))
    visit.check()
