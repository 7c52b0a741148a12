"""A person at the page: what they do, and what they see."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

LONG = 120_000
"""Milliseconds after which waiting is given up: nothing takes long, but a machine may have other work."""

expect.set_options(timeout=LONG)


class Visit:
    """A visit to the page that notes what a person would not see: console messages and requests.

    Args:
        page: an empty tab.
        url: of the server.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.expected: list[str] = []
        page.set_default_timeout(LONG)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self) -> Visit:
        """Go to the page and wait until it knows its model."""
        self.page.goto(self.url)
        expect(self.page.locator("#model-intro")).to_contain_text("trained on", timeout=LONG)
        return self

    def expect_complaints(self, *patterns: str) -> None:
        """Say which console messages a fault must leave; browsers report every failed request there."""
        self.expected += patterns

    def check(self) -> None:
        """Assert that nothing was complained of and nothing was asked of anybody else."""
        assert [text for text in self.complaints if not any(re.search(each, text) for each in self.expected)] == []
        assert {url for url in self.requests if not url.startswith((self.url, f"blob:{self.url}", "data:"))} == set()

    def choose(self, *files: Path) -> None:
        """Choose files in the dialog."""
        self.page.set_input_files("#files", [str(file) for file in files])

    def drop(self, *files: Path) -> None:
        """Drop files on the page."""
        self._carry("drop", files)

    def paste(self, *files: Path) -> None:
        """Paste files."""
        self._carry("paste", files)

    def settled(self) -> None:
        """Wait until every image has its answer, or has none for good."""
        expect(self.page.locator("[data-part=headline]")).to_contain_text(re.compile(r"images?: "), timeout=LONG)

    def card(self, name: str) -> Locator:
        """Return the card of an image."""
        return self.page.locator(".card", has=self.page.get_by_role("heading", name=name, exact=True))

    def names(self) -> list[str]:
        """Return the names of the images in the order shown."""
        return self.page.locator(".card h3.name").all_inner_texts()

    def view(self, item: str) -> None:
        """Open an image."""
        self.page.get_by_role("button", name=f"Open {item}", exact=True).click()

    def download(self, title: str) -> str:
        """Return the text of a download."""
        self.page.get_by_role("button", name="Download", exact=True).click()
        with self.page.expect_download() as started:
            self.page.get_by_role("button", name=title).click()
        assert "research-use-only" in started.value.suggested_filename
        return Path(started.value.path()).read_text(encoding="utf-8")

    def downloaded(self) -> Any:
        """Return everything as the JSON download says it."""
        return json.loads(self.download("Everything as JSON"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _carry(self, event: str, files: tuple[Path, ...]) -> None:
        carried = [[file.name, base64.b64encode(file.read_bytes()).decode()] for file in files]
        self.page.evaluate(_CARRY, [event, carried])


_CARRY = """([event, files]) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
  }
  const [Event, field] = { drop: [DragEvent, "dataTransfer"], paste: [ClipboardEvent, "clipboardData"] }[event];
  document.body.dispatchEvent(new Event(event, { bubbles: true, cancelable: true, [field]: transfer }));
}"""
