"""Real HTTP servers on this machine, with the faults of real ones."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from lobule.data.get.web import Patience

HASTY = Patience(attempts=3, pause=0.01, longest_pause=0.02, connect=5.0, read=5.0)


@dataclass
class Site:
    """What is served at `url`, and how.

    Attributes:
        body: the file.
        etag: its ETag; "" for none.
        modified: its Last-Modified; "" for none.
        ranges: whether ranges are honoured.
        cut: bytes after which each answer breaks off, in turn; once used up, answers are whole.
        answer: takes over an answer; None: the file is served.
        requests: headers of every request, in lower case.
    """

    body: bytes
    etag: str = '"one"'
    modified: str = ""
    ranges: bool = True
    cut: list[int] = field(default_factory=list)
    answer: Callable[[Handler], bool] | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def asked_ranges(self) -> list[str]:
        return [request.get("range", "") for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    site: ClassVar[Site]
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.site.requests.append({name.lower(): value for name, value in self.headers.items()})
        self.site.paths.append(self.path)
        if self.site.answer is None or not self.site.answer(self):
            self.serve()

    def serve(self) -> None:
        site, start, asked = self.site, 0, self.headers.get("Range")
        unchanged = self.headers.get("If-Range", "") in ("", site.etag, site.modified)
        if asked and site.ranges and unchanged:
            found = re.fullmatch(r"bytes=(\d+)-", asked)
            assert found
            start = int(found[1])
            if start >= len(site.body):
                return self.send(416, {"Content-Range": f"bytes */{len(site.body)}"}, b"")
        content = site.body[start:]
        headers = {"Content-Type": "application/octet-stream"}
        if site.etag:
            headers["ETag"] = site.etag
        if site.modified:
            headers["Last-Modified"] = site.modified
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(site.body) - 1}/{len(site.body)}"
        return self.send(206 if start else 200, headers, content)

    def send(self, status: int, headers: dict[str, str], content: bytes, *, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is None or length >= 0:
            self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.site.cut and status in (200, 206):
            content = content[: self.site.cut.pop(0)]
            self.wfile.write(content)
            self.break_off()
            return
        self.wfile.write(content)
        if length is not None:
            self.break_off()

    def break_off(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def served(site: Site) -> Iterator[Site]:
    handler = type("Served", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}/data.tar.gz"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
