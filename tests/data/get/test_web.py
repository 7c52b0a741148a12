from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lobule.data.get.part import Note, Part
from lobule.data.get.web import Patience, download
from lobule.errors import DataError, MissingExtraError, StorageError
from tests.data.get.archives import write_tar
from tests.data.get.server import HASTY, Handler, Site, served

_OLD, _NEW = "Wed, 01 Jan 2025 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    noise = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("body")
    return write_tar(folder / "a.tar.gz", {f"{n}.png": noise.bytes(100_000) for n in range(8)}).read_bytes()


def _parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(body: bytes, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with served(Site(body)) as site:
        download(site.url, tmp_path / "deep" / "file", patience=HASTY, progress=lambda *step: told.append(step))
    assert (tmp_path / "deep" / "file").read_bytes() == body
    assert _parts(tmp_path / "deep") == ["file"]
    assert site.requests[0]["accept-encoding"] == "identity"
    assert told[-1] == ("download, MB", len(body) // 10**6, len(body) // 10**6)


@pytest.mark.parametrize(
    "validator", [{"etag": '"v1"'}, {"etag": "", "modified": _OLD}, {"etag": 'W/"v1"', "modified": _OLD}]
)
def test_a_connection_that_drops_is_taken_up_where_it_dropped(
    body: bytes, tmp_path: Path, validator: dict[str, str]
) -> None:
    with served(Site(body, cut=[100_000, 100_000, 1, 300_000], **validator)) as site:  # type: ignore[arg-type]
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body
    assert site.asked_ranges == ["", "bytes=100000-", "bytes=200000-", "bytes=200001-", "bytes=500001-"]
    expected = validator["etag"] if validator["etag"].startswith('"') else _OLD
    assert {request.get("if-range") for request in site.requests[1:]} == {expected}


def test_a_second_command_goes_on_where_the_first_gave_up(body: bytes, tmp_path: Path) -> None:
    with served(Site(body, cut=[100_000, 0, 0, 0])) as site:
        with pytest.raises(DataError, match=r"0\.1 of 0\.8 MB are here; the same command goes on from there"):
            download(site.url, tmp_path / "file", patience=HASTY)
        assert _parts(tmp_path) == ["file.part", "file.part.json"]
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body
    assert site.asked_ranges[-1] == "bytes=100000-"


def test_without_a_validator_nothing_is_joined(body: bytes, tmp_path: Path) -> None:
    with served(Site(body, etag="", cut=[100_000])) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert site.asked_ranges == ["", ""]
    assert (tmp_path / "file").read_bytes() == body


def test_a_server_that_ignores_ranges_begins_anew(body: bytes, tmp_path: Path) -> None:
    with served(Site(body, ranges=False, cut=[100_000, 200_000])) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert len(site.requests) == 3
    assert (tmp_path / "file").read_bytes() == body


def test_a_server_that_ignores_ranges_and_always_breaks_off_is_given_up(body: bytes, tmp_path: Path) -> None:
    with (
        served(Site(body, ranges=False, cut=[200_000, 100_000] * 50)) as site,
        pytest.raises(DataError, match="Tried several times"),
    ):
        download(site.url, tmp_path / "file", patience=HASTY)
    assert len(site.requests) == 4
    assert not (tmp_path / "file").exists()


def test_a_file_that_changes_between_two_parts_is_never_mixed(body: bytes, tmp_path: Path) -> None:
    other = bytes(reversed(body))
    new = body[:512] + other[512:]
    with served(Site(body, cut=[300_000, 0, 0, 0])) as site:
        with pytest.raises(DataError):
            download(site.url, tmp_path / "file", patience=HASTY)
        site.body, site.etag = new, '"two"'
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == new


@pytest.mark.parametrize("lie", ["etag", "start", "total", "missing"])
def test_a_part_that_does_not_fit_is_not_joined(body: bytes, tmp_path: Path, lie: str) -> None:
    new = body[:512] + bytes(reversed(body[512:]))

    def answer(handler: Handler) -> bool:
        if "Range" not in handler.headers or len(site.requests) > 2:
            return False
        start = 300_001 if lie == "start" else 300_000
        headers = {
            "ETag": '"two"' if lie == "etag" else '"one"',
            "Content-Range": f"bytes {start}-{len(new) - 1}/{len(new) + (lie == 'total')}",
        }
        if lie == "missing":
            del headers["Content-Range"]
        handler.send(206, headers, new[start:])
        return True

    with served(Site(body, cut=[300_000], answer=answer)) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body
    assert site.asked_ranges == ["", "bytes=300000-", ""]


def test_a_part_that_was_whole_already_is_only_renamed(body: bytes, tmp_path: Path) -> None:
    part = Part(tmp_path / "file")
    part.begin(Note('"one"', len(body)))
    part.path.write_bytes(body)
    with served(Site(body)) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body
    assert site.asked_ranges == [f"bytes={len(body)}-"]


def test_a_part_longer_than_the_file_is_fetched_anew(body: bytes, tmp_path: Path) -> None:
    part = Part(tmp_path / "file")
    part.begin(Note('"one"', len(body)))
    part.path.write_bytes(body + b"more")
    with served(Site(body)) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body


@pytest.mark.parametrize("note", ["", "{", "[]", '{"validator": "x", "colour": 1}'])
def test_a_part_without_a_sound_note_is_fetched_anew(body: bytes, tmp_path: Path, note: str) -> None:
    (tmp_path / "file.part").write_bytes(b"something else")
    if note:
        (tmp_path / "file.part.json").write_text(note)
    with served(Site(body)) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body


def test_a_length_that_promises_too_much_is_no_whole_file(body: bytes, tmp_path: Path) -> None:
    def answer(handler: Handler) -> bool:
        handler.send(200, {"ETag": '"one"'}, body, length=len(body) + 1000)
        return True

    with served(Site(body, answer=answer)) as site, pytest.raises(DataError, match="Tried several times"):
        download(site.url, tmp_path / "file", patience=HASTY)
    assert not (tmp_path / "file").exists()


def test_without_a_length_what_came_is_taken_and_the_archive_must_tell(body: bytes, tmp_path: Path) -> None:
    def answer(handler: Handler) -> bool:
        handler.send(200, {}, body, length=-1)
        return True

    with served(Site(body, answer=answer)) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body


def test_an_answer_in_chunks_that_breaks_off_is_tried_again(body: bytes, tmp_path: Path) -> None:
    def answer(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        whole = len(site.requests) > 1
        handler.wfile.write(b"%x\r\n" % len(body) + (body + b"\r\n0\r\n\r\n" if whole else body[:50_000]))
        handler.break_off()
        return True

    with served(Site(body, answer=answer)) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert len(site.requests) == 2
    assert (tmp_path / "file").read_bytes() == body


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_difficulty_that_passes_is_waited_for(body: bytes, tmp_path: Path, status: int) -> None:
    def answer(handler: Handler) -> bool:
        if len(site.requests) > 2:
            return False
        handler.send(status, {"Retry-After": "7200"}, b"later")
        return True

    with served(Site(body, answer=answer)) as site:
        download(site.url, tmp_path / "file", patience=HASTY)
    assert len(site.requests) == 3


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "user name and a password"),
        (403, "does not allow it; download it in a browser"),
        (404, "has no such file"),
        (410, "removed"),
        (418, "refuses"),
    ],
)
def test_a_refusal_is_said_at_once(tmp_path: Path, status: int, said: str) -> None:
    def answer(handler: Handler) -> bool:
        handler.send(status, {}, b"no")
        return True

    with served(Site(b"", answer=answer)) as site, pytest.raises(DataError, match=said):
        download(site.url, tmp_path / "file", patience=HASTY)
    assert len(site.requests) == 1
    assert _parts(tmp_path) == []


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_login_page_instead_of_an_archive_is_quoted_and_not_kept(tmp_path: Path, content_type: str) -> None:
    page = b"\n<!DOCTYPE html><html><head><title>Sign in &amp;\n accept</title></head><body>" + b"x" * 2000

    def answer(handler: Handler) -> bool:
        handler.send(200, {"Content-Type": content_type}, page)
        return True

    with served(Site(b"", answer=answer)) as site, pytest.raises(DataError, match=r"a web page \('Sign in & accept'\)"):
        download(site.url, tmp_path / "file", patience=HASTY)
    assert len(site.requests) == 1
    assert _parts(tmp_path) == []


@pytest.mark.parametrize("content", [b"id,label\n1,2\n", b"\x89PNG\r\n" + bytes(2000)])
def test_what_is_no_archive_is_not_kept(tmp_path: Path, content: bytes) -> None:
    with served(Site(content)) as site, pytest.raises(DataError, match="sent no archive"):
        download(site.url, tmp_path / "file", patience=HASTY)
    assert _parts(tmp_path) == []


def test_an_empty_answer_is_given_up(tmp_path: Path) -> None:
    with served(Site(b"")) as site, pytest.raises(DataError, match="nothing came"):
        download(site.url, tmp_path / "file", patience=HASTY)


def test_a_loop_of_redirects_ends(tmp_path: Path) -> None:
    def answer(handler: Handler) -> bool:
        handler.send(302, {"Location": "/again" if handler.path == "/data.tar.gz" else "/data.tar.gz"}, b"")
        return True

    with served(Site(b"", answer=answer)) as site, pytest.raises(DataError, match="in a loop"):
        download(site.url, tmp_path / "file", patience=HASTY)


def test_a_redirect_keeps_the_range(body: bytes, tmp_path: Path) -> None:
    def answer(handler: Handler) -> bool:
        if handler.path == "/moved":
            return False
        handler.send(302, {"Location": "/moved"}, b"")
        return True

    with served(Site(body, cut=[100_000], answer=answer)) as site:
        # The redirect's own empty answer must not use up the fault.
        download(site.url, tmp_path / "file", patience=HASTY)
    assert (tmp_path / "file").read_bytes() == body
    assert site.asked_ranges[-1] == "bytes=100000-"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_leads_nowhere_but_to_the_web(tmp_path: Path, target: str) -> None:
    def answer(handler: Handler) -> bool:
        handler.send(302, {"Location": target}, b"")
        return True

    with served(Site(b"", answer=answer)) as site, pytest.raises(DataError, match="cannot be asked for"):
        download(site.url, tmp_path / "file", patience=HASTY)


def test_a_server_that_falls_silent_is_taken_up_again(body: bytes, tmp_path: Path) -> None:
    silence = threading.Event()

    def answer(handler: Handler) -> bool:
        if len(site.requests) > 1:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", '"one"')
        handler.end_headers()
        handler.wfile.write(body[:100_000])
        handler.wfile.flush()
        silence.wait(30)
        handler.close_connection = True
        return True

    with served(Site(body, answer=answer)) as site:
        download(site.url, tmp_path / "file", patience=Patience(3, 0.01, 0.02, 5.0, 0.3))
        silence.set()
    assert (tmp_path / "file").read_bytes() == body
    assert site.requests[1]["range"].startswith("bytes=")


def test_a_slow_server_is_waited_for(body: bytes, tmp_path: Path) -> None:
    def answer(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for start in range(0, len(body), 200_000):
            handler.wfile.write(body[start : start + 200_000])
            time.sleep(0.05)
        return True

    with served(Site(body, answer=answer)) as site:
        download(site.url, tmp_path / "file", patience=Patience(1, 0.01, 0.02, 5.0, 5.0))
    assert (tmp_path / "file").read_bytes() == body


def test_no_server_at_all_is_said_after_a_few_attempts(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DataError, match=r"the connection failed.*Is there a network"):
        download(f"http://127.0.0.1:{port}/data.zip", tmp_path / "file", patience=HASTY)


def test_an_address_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="check the address"):
        download("http://[::1/data.zip", tmp_path / "file", patience=HASTY)


def test_too_little_room_is_said_before_anything_is_downloaded(tmp_path: Path) -> None:
    def answer(handler: Handler) -> bool:
        handler.send(200, {"ETag": '"one"'}, b"", length=2**50)
        return True

    with served(Site(b"", answer=answer)) as site, pytest.raises(StorageError, match="make room"):
        download(site.url, tmp_path / "file", patience=HASTY)
    assert len(site.requests) == 1


def test_a_disk_that_cannot_be_written_to_is_said(body: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.part").mkdir()
    with served(Site(body)) as site, pytest.raises(StorageError, match="cannot be written"):
        download(site.url, tmp_path / "file", patience=HASTY)


def test_without_requests_the_line_that_brings_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(MissingExtraError, match=r"lobule\[data\]"):
        download("http://127.0.0.1:9/", tmp_path / "file")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_command_leaves_a_part_that_the_next_one_takes_up(
    body: bytes, tmp_path: Path, ending: signal.Signals
) -> None:
    stop = threading.Event()

    def answer(handler: Handler) -> bool:
        if "Range" in handler.headers:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", '"one"')
        handler.end_headers()
        handler.wfile.write(body[:300_000])
        handler.wfile.flush()
        stop.wait(60)
        return True

    to = tmp_path / "data"
    with served(Site(body, answer=answer)) as site:
        command = [sys.executable, "-m", "lobule", "data", "get", site.url, "--to", str(to)]
        # A shell's background jobs ignore SIGINT and would hand that on.
        fresh = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=fresh)
        try:
            while not any(part.stat().st_size >= 262_144 for part in tmp_path.glob(".data.getting-*/download/*.part")):
                assert child.poll() is None
                time.sleep(0.02)
            child.send_signal(ending)
            _, said = child.communicate(timeout=30)
        finally:
            child.kill()
            stop.set()
            child.communicate()
        assert child.returncode == (130 if ending is signal.SIGINT else -signal.SIGKILL)
        assert not to.exists()
        if ending is signal.SIGINT:
            assert "the same command goes on from there" in said
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert site.asked_ranges[1].startswith("bytes=")
    assert len(list(to.glob("*.png"))) == 8
    assert "8 images among 8 files" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
