"""What stands around the application: who may ask, how much, how long; headers, logs and numbers of every request."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from lobule.server.access import Access, Rates
from lobule.server.headers import SECURITY_HEADERS
from lobule.server.problems import ProblemError, internal, problem_response
from lobule.server.watch import LOGGER, Watch

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lobule.server.limits import Limits

__all__ = ["Guard"]

_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_OPEN: Final = frozenset({"/", "/docs", "/healthz", "/openapi.json", "/readyz"})
_OPEN_BELOW: Final = ("/page/", "/docs/")
_GONE: Final = 499
"""What is logged where the client left before the answer."""

_LONGEST_NUMBER: Final = 18
_DRAIN_SECONDS: Final = 5.0


class Guard:
    """Wraps an application.

    Args:
        app: the application.
        access: who may ask.
        limits: how much, how long, how often.
        watch: told about every request.
    """

    def __init__(self, app: ASGIApp, *, access: Access, limits: Limits, watch: Watch) -> None:
        self._app, self._access, self._limits, self._watch = app, access, limits, watch
        self._rates = Rates(limits.requests_per_minute)
        self._buffer = _Buffer(limits.buffered_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on the lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, limits=self._limits, buffer=self._buffer)
        with self._watch.open_requests.track_inprogress():
            try:
                self._check(scope, exchange.headers)
                await self._app(scope, exchange.receive, exchange.send)
            except ProblemError as problem:
                await exchange.refuse(problem)
            except ClientDisconnect:
                exchange.status = _GONE
            except Exception as error:  # noqa: BLE001 -- the boundary of a request: it is logged, the service goes on
                LOGGER.error("failed", exc_info=error, extra={"told": {"id": exchange.id}})
                await exchange.refuse(internal(exchange.id))
            finally:
                exchange.end()
                self._watch.request(exchange.told())

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Refuse what no route should see.

        Raises:
            ProblemError: with the reason.
        """
        if not self._access.knows(headers.get("host", "")):
            raise ProblemError(421, "wrong_host", "Host: not a name of this service; see --allowed-host.")
        path: str = scope["path"]
        if path in _OPEN or path.startswith(_OPEN_BELOW):
            return
        client = scope.get("client")
        wait = self._rates.wait_of(client[0] if client else "")
        if wait > 0:
            limit = self._limits.requests_per_minute
            raise ProblemError(
                429,
                "too_many_requests",
                f"At most {limit} requests a minute are answered; wait as long as Retry-After says.",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        if not self._access.admits(headers.get("authorization", "")):
            raise ProblemError(
                401,
                "unauthorized",
                "Authorization: expected Bearer and the token that this service was started with.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not _is_same_origin(headers):
            raise ProblemError(403, "cross_origin", "Requests from pages of other origins are not answered.")
        declared = headers.get("content-length", "0")
        if len(declared) > _LONGEST_NUMBER or int(declared) > self._limits.max_request_bytes:
            raise too_large(self._limits)


def too_large(limits: Limits) -> ProblemError:
    """Return the error of a body above the limit."""
    return ProblemError(
        413,
        "request_too_large",
        f"A request may have at most {limits.max_request_bytes:,} bytes; send fewer or smaller files at once.",
    )


def _is_same_origin(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


class _Buffer:
    """Counts the bytes that all requests together hold."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        if size > self._left:
            raise ProblemError(
                503, "busy", "Too many uploads at once; try again in a few seconds.", headers={"Retry-After": "5"}
            )
        self._left -= size

    def give(self, size: int) -> None:
        self._left += size


class _Exchange:
    """One request and its answer: counts what comes in, adds headers to what goes out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, limits: Limits, buffer: _Buffer) -> None:
        self.id = secrets.token_hex(8)
        self.headers = Headers(scope=scope)
        self.status = 0
        self._scope, self._receive, self._send = scope, receive, send
        self._limits, self._buffer = limits, buffer
        self._begun = time.perf_counter()
        self._deadline = asyncio.get_running_loop().time() + limits.upload_seconds
        self._bytes_in = self._bytes_out = self._held = 0
        has_body = self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers
        self._body_ended = not has_body
        self._awaits_continue = self.headers.get("expect", "").lower() == "100-continue"
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["id"], self._state["digests"] = self.id, []

    async def receive(self) -> Message:
        """Return the next part of the body, within the limits; after its end, wait for the client to leave.

        Raises:
            ProblemError: the body is too large or takes too long, or all bodies together are too large.
        """
        self._awaits_continue = False
        if self._body_ended:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            detail = f"The body of a request must arrive within {self._limits.upload_seconds:g} s."
            raise ProblemError(408, "upload_too_slow", detail) from None
        size = len(message.get("body", b""))
        self._bytes_in += size
        self._body_ended = not message.get("more_body", False)
        if self._bytes_in > self._limits.max_request_bytes:
            raise too_large(self._limits)
        self._buffer.take(size)
        self._held += size
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the headers that all answers have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            closing = [] if await self._drain() else [(b"connection", b"close")]
            own = [(b"x-request-id", self.id.encode()), *SECURITY_HEADERS, *closing]
            if not any(name == b"cache-control" for name, _ in message["headers"]):
                own.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message["headers"], *own]}
        else:
            self._bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, problem: ProblemError) -> None:
        """Answer with an error, where nothing was answered yet."""
        if not self.status:
            await problem_response(problem)(self._scope, self.receive, self.send)

    def end(self) -> None:
        """Give back what was held."""
        self._buffer.give(self._held)
        self._held = 0

    def told(self) -> dict[str, Any]:
        """Return what is logged."""
        method = self._scope["method"]
        route = self._scope.get("route")
        told: dict[str, Any] = {
            "id": self.id,
            "method": method if method in _METHODS else "other",
            "route": getattr(route, "path", "other") if self.status != 405 else "other",
            "status": self.status,
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
            "seconds": round(time.perf_counter() - self._begun, 4),
        }
        if digests := self._state["digests"]:
            told["image_sha256"] = list(digests)
        return told

    async def _drain(self) -> bool:
        """Read what is left of a body and forget it, so that a client that is still sending sees the answer.

        Returns:
            Whether the body was read to its end; if not, the connection cannot be used again.
        """
        if self._body_ended or self._awaits_continue:
            return self._body_ended
        left = self._limits.max_request_bytes
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        self._body_ended = message["type"] == "http.request"
                        return self._body_ended
        except TimeoutError:
            pass
        return False
