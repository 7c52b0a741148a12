"""Google Drive as gdown sees it, on a local server: the pages it answers with, in their recorded shapes.

gdown itself is the real one and talks real HTTP; only the host of its requests is exchanged.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.data.get.server import Handler, Site, served

FOLDER_ID, FILE_ID = "1I2EFBgeyb9Lr1sdBtAZST1reEjCpkX3k", "1fileAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
FOLDER_URL = f"https://drive.google.com/drive/folders/{FOLDER_ID}?usp=sharing"
FILE_URL = f"https://drive.google.com/file/d/{FILE_ID}/view?usp=sharing"

# Drive sends each of these pages as one line, and gdown reads line by line.
QUOTA_PAGE = (
    "<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>'
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please try accessing '
    "the file again later. If the file you are trying to access is particularly large or is shared with many, it "
    "may take up to 24 hours to be able to view or download the file.</p></body></html>"
)
LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Google Drive: Sign-in</title></head><body>"
    '<form><input type="email" name="identifier"></form></body></html>'
)
SCAN_PAGE = (
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    '<p class="uc-warning-subcaption">Google Drive can&#39;t scan this file for viruses.</p>'
    '<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
    '<input type="submit" value="Download anyway"/><input type="hidden" name="id" value="{id}">'
    '<input type="hidden" name="export" value="download"><input type="hidden" name="confirm" value="t">'
    '<input type="hidden" name="uuid" value="0"></form></body></html>'
)


@dataclass
class Drive:
    """What is on Drive.

    Attributes:
        files: content by id.
        names: file name by id.
        folders: by id, entries `(id, name, is_folder)`.
        pages: by id, a page that is sent instead, with its status.
        scanned: ids that are asked about first ("cannot scan for viruses").
        cut: as `Site.cut`, for file contents.
        refused: by id, the status of every answer to its content.
        asked: ids whose content was sent.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    folders: dict[str, list[tuple[str, str, bool]]] = field(default_factory=dict)
    pages: dict[str, tuple[int, str]] = field(default_factory=dict)
    scanned: set[str] = field(default_factory=set)
    cut: list[int] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add_folder(self, folder_id: str, files: Mapping[str, bytes]) -> None:
        """Add a folder with files, whose ids are made of their names."""
        entries = self.folders.setdefault(folder_id, [])
        for name, content in files.items():
            file_id = f"{len(self.files):05}".ljust(28, "f")
            self.files[file_id], self.names[file_id] = content, name
            entries.append((file_id, name, False))

    def answer(self, handler: Handler) -> bool:
        parts = urlsplit(handler.path)
        wanted = parse_qs(parts.query)["id"][0]
        if wanted in self.pages:
            status, page = self.pages[wanted]
            _send_page(handler, status, page)
        elif parts.path == "/embeddedfolderview":
            _send_page(handler, 200, self._listing(wanted))
        elif parts.path == "/uc" and wanted in self.scanned:
            _send_page(handler, 200, SCAN_PAGE.replace("{id}", wanted))
        else:
            self._send_file(handler, wanted)
        return True

    def _listing(self, folder_id: str) -> str:
        links = []
        for entry_id, name, is_folder in self.folders[folder_id]:
            link = (
                f"drive.google.com/drive/folders/{entry_id}"
                if is_folder
                else f"drive.google.com/file/d/{entry_id}/view"
            )
            links.append(
                f'<div class="flip-entry"><a href="https://{link}?usp=drive_web" target="_blank">'
                f'<div class="flip-entry-title">{html.escape(name)}</div></a></div>'
            )
        title = next(
            (name for those in self.folders.values() for each, name, _ in those if each == folder_id), "images"
        )
        return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{''.join(links)}</body></html>"

    def _send_file(self, handler: Handler, file_id: str) -> None:
        self.asked.append(file_id)
        name = self.names.get(file_id, "data.zip")
        handler.site.body, handler.site.cut = self.files[file_id], self.cut
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}",
        }
        body = self.files[file_id]
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.send(self.refused.get(file_id, 206 if start else 200), headers, body[start:])


def _send_page(handler: Handler, status: int, page: str) -> None:
    cut, handler.site.cut = handler.site.cut, []
    handler.send(status, {"Content-Type": "text/html; charset=utf-8"}, page.encode())
    handler.site.cut = cut


@contextmanager
def drive_at_hand(drive: Drive) -> Iterator[Site]:
    """Lead every request for a host of Google to a local server that answers as `drive` says."""
    with served(Site(b"", answer=drive.answer)) as site, pytest.MonkeyPatch.context() as patch:
        here = urlsplit(site.url).netloc
        real = requests.adapters.HTTPAdapter.send

        def send(adapter: Any, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            asked = request.url or ""
            assert (urlsplit(asked).hostname or "").endswith(".google.com"), asked
            request.url = urlsplit(asked)._replace(scheme="http", netloc=here).geturl()
            response = real(adapter, request, **options)
            response.url = request.url = asked
            return response

        patch.setattr(requests.adapters.HTTPAdapter, "send", send)
        yield site
