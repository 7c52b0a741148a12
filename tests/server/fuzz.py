"""Clients that mean harm: malformed images, bodies, requests and connections, drawn from a seed."""

from __future__ import annotations

import contextlib
import io
import json
import random
import socket
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PIL import Image

__all__ = ["Outcomes", "attack"]

_TARGETS: Final = ("/v1/predictions", "/v1/cases", "/v1/heatmaps?task=subtype&form=layer")
_FORMATS: Final = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
_NAMES: Final = (
    "../../etc/passwd",
    "a\u202egnp",
    "組織.png",
    '"; drop',
    "\x00",
    "💥" * 60,
    "con",
    "a" * 3000,
    "%00%2f",
    "",
)
_SECONDS: Final = 30


@dataclass
class Outcomes:
    """What became of the attacks.

    Attributes:
        statuses: answers by status; 0 where the server closed without one.
        wrong: attacks that were answered with 500 or with an error that is no problem, by name.
        slowest: seconds of the slowest answer to a client that was not slow itself, and its attack.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")


def attack(port: int, *, count: int, seed: int, at_once: int = 8) -> Outcomes:
    """Send attacks to a server on this computer and collect the answers."""
    outcomes = Outcomes()
    with ThreadPoolExecutor(at_once) as pool:
        for name, status, told, seconds in pool.map(lambda number: _one(port, seed, number), range(count)):
            outcomes.statuses[status] += 1
            if not name.startswith("slow"):
                outcomes.slowest = max(outcomes.slowest, (seconds, name))
            if status == 500 or (status >= 400 and not told):
                outcomes.wrong.append(f"{name}: {status}")
    return outcomes


def _one(port: int, seed: int, number: int) -> tuple[str, int, bool, float]:
    draw = random.Random(f"{seed}-{number}")
    name = draw.choice(list(_ATTACKS))
    begun = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
            answer = _ATTACKS[name](draw, connection)
    except OSError:
        answer = b""
    status, told = _read(answer)
    return name, status, told, time.monotonic() - begun


def _read(answer: bytes) -> tuple[int, bool]:
    """Return the status, 0 without an answer, and whether the body of an error is a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        return 0, False
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    return int(head.split()[1]), isinstance(problem, dict) and {"code", "detail", "status"} <= set(problem)


def _image(draw: random.Random) -> bytes:
    """Return an image file, small, in any format."""
    pixels = np.random.default_rng(draw.getrandbits(32)).integers(0, 256, (draw.randint(1, 40), draw.randint(1, 40), 3))
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, draw.choice(_FORMATS))
    return stream.getvalue()


def _damaged(draw: random.Random) -> bytes:
    """Return an image file that was cut off, or has wrong bytes, or has another in its middle."""
    content = bytearray(_image(draw))
    kind = draw.randrange(4)
    if kind == 0:
        return bytes(content[: draw.randrange(len(content))])
    for _ in range(draw.randint(1, 30)):
        content[draw.randrange(len(content))] = draw.randrange(256)
    if kind == 1:
        middle = draw.randrange(len(content))
        content[middle:middle] = draw.randbytes(draw.randint(1, 2000))
    return bytes(content)


def _bomb(draw: random.Random) -> bytes:
    """Return a small PNG that claims to be huge, or is."""
    side = draw.choice([6_000, 9_400, 40_000, 2**31 - 1])
    head = struct.pack(">IIBBBBB", side, side, draw.choice([1, 8]), 0, 0, 0, 0)
    body = zlib.compress(b"\x00" * draw.choice([10, 1_000_000]), 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in ((b"IHDR", head), (b"IDAT", body)))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _other(draw: random.Random) -> bytes:
    """Return what is no image."""
    starts = (
        b"",
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"<svg xmlns='x'>",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"RIFF\xff\xff\xff\xffWEBP",
    )
    return draw.choice(starts) + draw.randbytes(draw.randint(0, 3000))


def _body(draw: random.Random, content: Callable[[random.Random], bytes]) -> bytes:
    """Return a multipart body with files, and perhaps a case."""
    parts = []
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        field_name = draw.choice(["files", "files", "file"])
        name = draw.choice(_NAMES).replace('"', "%22").replace("\n", "")
        part_head = f'--b\r\nContent-Disposition: form-data; name="{field_name}"; filename="{name}"\r\n\r\n'
        parts.append(part_head.encode() + content(draw) + b"\r\n")
    if draw.random() < 0.5:
        case = draw.choice([b"x", b"\xff\xfe", b"\x00", "ä\u202e".encode(), b"y" * 5000])
        parts.append(b'--b\r\nContent-Disposition: form-data; name="case_id"\r\n\r\n' + case + b"\r\n")
    return b"".join(parts) + b"--b--\r\n"


def _request(draw: random.Random, body: bytes, **headers: str) -> bytes:
    given = {
        "Host": "localhost",
        "Content-Type": "multipart/form-data; boundary=b",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST {draw.choice(_TARGETS)} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "replace") + body


def _answer(connection: socket.socket) -> bytes:
    received = []
    with contextlib.suppress(OSError):
        while part := connection.recv(65536):
            received.append(part)
    return b"".join(received)


def _sent(connection: socket.socket, request: bytes) -> bytes:
    with contextlib.suppress(OSError):
        connection.sendall(request)
    return _answer(connection)


def _files(content: Callable[[random.Random], bytes]) -> Callable[[random.Random, socket.socket], bytes]:
    return lambda draw, connection: _sent(connection, _request(draw, _body(draw, content)))


def _broken_body(draw: random.Random, connection: socket.socket) -> bytes:
    body = bytearray(_body(draw, _image))
    for _ in range(draw.randint(1, 8)):
        body[draw.randrange(min(len(body), 200))] = draw.randrange(256)
    return _sent(connection, _request(draw, bytes(body[: draw.randint(1, len(body))])))


def _random_body(draw: random.Random, connection: socket.socket) -> bytes:
    kinds = ["application/json", "text/plain", "multipart/form-data", "ä/ö;;"]
    kinds.append("multipart/form-data; boundary=" + "b" * 300)
    return _sent(connection, _request(draw, draw.randbytes(draw.randint(0, 5000)), Content_Type=draw.choice(kinds)))


def _wrong_length(draw: random.Random, connection: socket.socket) -> bytes:
    body = _body(draw, _image)
    lengths = (str(len(body) // 2), "-1", "1e3", "9" * 30, "", "0x10", f"{len(body)}, 3")
    return _sent(connection, _request(draw, body, Content_Length=draw.choice(lengths)))


def _broken_chunks(draw: random.Random, connection: socket.socket) -> bytes:
    head = "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    head += "Connection: close\r\n"
    sizes = draw.choice([b"5\r\nhello\r\n", b"zz\r\n", b"-5\r\n", b"ffffffffffffffff\r\n", b"5;" + b"x" * 20_000])
    return _sent(connection, head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + sizes + b"0\r\n\r\n")


def _huge_headers(draw: random.Random, connection: socket.socket) -> bytes:
    value = draw.choice(["a" * draw.randint(10_000, 200_000), "ä" * 5000])
    return _sent(connection, _request(draw, b"", **{draw.choice(["Cookie", "X", "Host", "Authorization"]): value}))


def _strange_request(draw: random.Random, connection: socket.socket) -> bytes:
    method = draw.choice(["GET", "CONNECT", "TRACE", "OPTIONS", "PRI", "gEt", "X" * 100])
    paths = ["/", "*", "/page/../../x", "//evil", "http://evil/", "/%00", "/v1/model?%ff=%zz", "/\\", "/" + "a" * 9000]
    path = draw.choice(paths)
    version = draw.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "HTTP/2.0"])
    return _sent(connection, f"{method} {path} {version}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


def _noise(draw: random.Random, connection: socket.socket) -> bytes:
    return _sent(connection, draw.randbytes(draw.randint(1, 5000)) + b"\r\n\r\n")


def _leaves(draw: random.Random, connection: socket.socket) -> bytes:
    request = _request(draw, _body(draw, _image))
    connection.sendall(request[: draw.randint(1, len(request))])
    return b""


def _slow_body(draw: random.Random, connection: socket.socket) -> bytes:
    request = _request(draw, _body(draw, _image))
    connection.sendall(request[:300])
    time.sleep(draw.uniform(0.1, 2))
    return _sent(connection, request[300:]) if draw.random() < 0.5 else b""


def _slow_head(draw: random.Random, connection: socket.socket) -> bytes:
    for sign in b"GET /healthz HTTP/1.1"[: draw.randint(1, 20)]:
        connection.sendall(bytes([sign]))
        time.sleep(0.05)
    return b""


def _slow_reader(draw: random.Random, connection: socket.socket) -> bytes:
    connection.sendall(b"GET /docs/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
    time.sleep(draw.uniform(0.1, 1))
    return b""


_ATTACKS: Final[Mapping[str, Callable[[random.Random, socket.socket], bytes]]] = {
    "image": _files(_image),
    "damaged image": _files(_damaged),
    "much damaged image": _files(_damaged),
    "bomb": _files(_bomb),
    "no image": _files(_other),
    "broken body": _broken_body,
    "random body": _random_body,
    "wrong length": _wrong_length,
    "broken chunks": _broken_chunks,
    "huge headers": _huge_headers,
    "strange request": _strange_request,
    "noise": _noise,
    "leaves": _leaves,
    "slow body": _slow_body,
    "slow head": _slow_head,
    "slow reader": _slow_reader,
}
