"""Where the model looks: shown, chosen, faded, zoomed and moved."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from tests.server.page.browser import Visit

_PLACE = """() => {
  const { a, e, f } = new DOMMatrix(getComputedStyle(document.querySelector("dialog[open] .canvas")).transform);
  return [a, e, f];
}"""


def _place(page: Page) -> tuple[float, float, float]:
    """Return the scale of the picture and its offset."""
    scale, x, y = page.evaluate(_PLACE)
    return scale, x, y


@pytest.fixture
def opened(visit: Visit, few: list[Path]) -> Visit:
    """Return a visit at which the first of two images is open in full."""
    visit.choose(*few[:2])
    visit.settled()
    visit.view(visit.names()[0])
    return visit


def test_the_heat_map_of_a_card_can_be_shown_and_hidden(visit: Visit, few: list[Path]) -> None:
    visit.choose(few[0])
    visit.settled()
    switch = visit.card(few[0].name).get_by_role("button", name="Heat map")
    layer = visit.card(few[0].name).locator(".layer")
    switch.click()
    expect(layer).to_be_visible()
    expect(switch).to_have_attribute("aria-pressed", "true")
    pixels = layer.evaluate(
        """async (image) => {
          await image.decode();
          const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
          canvas.drawImage(image, 0, 0);
          const { data } = canvas.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
          return data.filter((_, place) => place % 4 === 3).reduce((most, alpha) => Math.max(most, alpha), 0);
        }"""
    )
    assert pixels > 0
    switch.click()
    expect(layer).to_have_count(0)


def test_task_and_class_are_chosen_and_the_strength_fades_the_map(opened: Visit) -> None:
    page = opened.page
    page.get_by_role("switch", name="Show where the model looks").check()
    layer = page.locator("dialog[open] .layer")
    expect(layer).to_have_attribute("alt", "Where the model finds evidence for malignant")
    first = layer.get_attribute("src")
    page.get_by_label("Evidence for").select_option("ductal carcinoma")
    expect(layer).to_have_attribute("alt", "Where the model finds evidence for ductal carcinoma")
    assert layer.get_attribute("src") != first
    asked = [parse_qs(urlparse(url).query) for url in opened.requests if "v1/heatmaps" in url]
    assert [(each["task"], each["toward"]) for each in asked] == [
        (["binary"], ["malignant"]),
        (["subtype"], ["ductal_carcinoma"]),
    ]
    page.get_by_label("Strength").fill("30")
    expect(layer).to_have_css("opacity", "0.3")
    page.get_by_label("Evidence for").select_option("malignant")
    expect(layer).to_have_attribute("src", first or "")


def test_keys_zoom_and_move_and_fit(opened: Visit) -> None:
    page = opened.page
    fitted = _place(page)
    expect(page.locator("dialog[open] .stage")).to_be_focused()
    page.keyboard.press("+")
    page.keyboard.press("+")
    zoomed = _place(page)
    assert zoomed[0] == pytest.approx(fitted[0] * 1.25**2, rel=1e-4)
    page.keyboard.press("ArrowRight")
    assert _place(page)[1] == pytest.approx(zoomed[1] - 60, abs=0.5)
    page.keyboard.press("0")
    assert _place(page) == pytest.approx(fitted, abs=0.01)
    page.keyboard.press("h")
    expect(page.locator("dialog[open] .layer")).to_be_visible()


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves(opened: Visit) -> None:
    page = opened.page
    box = page.locator("dialog[open] .stage").bounding_box()
    assert box is not None
    x, y = box["width"] * 0.4, box["height"] * 0.6
    scale, left, top = _place(page)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.wheel(0, -600)
    page.wait_for_function(f"() => ({_PLACE})()[0] > {scale} * 1.5")
    zoomed = _place(page)
    # The tissue under the pointer stays under the pointer.
    assert ((x - zoomed[1]) / zoomed[0], (y - zoomed[2]) / zoomed[0]) == pytest.approx(
        ((x - left) / scale, (y - top) / scale), abs=1
    )
    page.mouse.down()
    page.mouse.move(box["x"] + x + 40, box["y"] + y - 25)
    page.mouse.up()
    moved = _place(page)
    assert (moved[1] - zoomed[1], moved[2] - zoomed[2]) == pytest.approx((40, -25), abs=1)


def test_two_fingers_zoom(opened: Visit) -> None:
    page = opened.page
    before = _place(page)[0]
    page.evaluate(
        """() => {
          const stage = document.querySelector("dialog[open] .stage");
          const { left, top } = stage.getBoundingClientRect();
          // A synthetic pointer cannot be captured.
          stage.setPointerCapture = () => {};
          const send = (type, pointerId, x, y) => stage.dispatchEvent(
            new PointerEvent(type, { pointerId, pointerType: "touch", button: type === "pointermove" ? -1 : 0,
              clientX: left + x, clientY: top + y, bubbles: true }));
          send("pointerdown", 1, 300, 300);
          send("pointerdown", 2, 400, 300);
          send("pointermove", 2, 500, 300);
          send("pointerup", 1, 300, 300);
          send("pointerup", 2, 500, 300);
        }"""
    )
    assert _place(page)[0] == pytest.approx(before * 2, rel=0.01)


def test_one_goes_from_image_to_image(opened: Visit) -> None:
    page, names = opened.page, opened.names()
    title = page.locator("#viewer-title")
    expect(title).to_have_text(names[0])
    page.keyboard.press("PageDown")
    expect(title).to_have_text(names[1])
    expect(page.locator("dialog[open]")).to_contain_text("Image 2 of 2")
    expect(page.get_by_role("button", name="Next image")).to_be_disabled()
    page.get_by_role("button", name="Previous image").click()
    expect(title).to_have_text(names[0])
    page.get_by_text("For the record").click()
    expect(page.locator("dialog[open] .technical")).to_contain_text(re.compile("[0-9a-f]{64}"))
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
