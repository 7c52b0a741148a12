"""HTTP/1.1 as uvicorn speaks it, with limits on connections and time, and errors that are problems like all others."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lobule.server.headers import SECURITY_HEADERS
from lobule.server.problems import ProblemError, problem_response

if TYPE_CHECKING:
    from lobule.server.limits import Limits

__all__ = ["GuardedProtocol", "protocol_of"]


class GuardedProtocol(H11Protocol):
    """One connection."""

    limits: Limits

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.app_state = {**self.app_state, "abort": self._abort}
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._send_problem(
                ProblemError(503, "busy", "Too many connections; try again later.", headers={"Retry-After": "5"})
            )
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; the clock runs while the head of a request is not complete."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if status == 431:
            self._send_problem(ProblemError(431, "head_too_large", "The headers of a request are too large."))
        else:
            self._send_problem(ProblemError(400, "not_http", "This is not a request of HTTP/1.1."))

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._send_problem(ProblemError(408, "head_too_slow", "The head of the request took too long."))
        else:
            self.transport.close()

    def _send_problem(self, problem: ProblemError) -> None:
        """Answer without an application, and close."""
        response = problem_response(problem)
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._abort()
            return
        headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=problem.status, headers=headers, reason=HTTPStatus(problem.status).phrase),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()


def protocol_of(limits: Limits) -> type[GuardedProtocol]:
    """Return the protocol with its limits."""
    return type("LimitedProtocol", (GuardedProtocol,), {"limits": limits})
