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

_LINGERING_SECONDS = 2


class GuardedProtocol(H11Protocol):
    """One connection."""

    limits: Limits

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._is_ending = False

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
        """Take what came; the clock runs while the head of a request is not complete; nothing is taken at the end."""
        if self._is_ending or self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._is_read_again()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a client that does not read its answer, but not for ever."""
        super().pause_writing()
        self._read_timer = self.loop.call_later(self.limits.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads again."""
        self._is_read_again()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Begin the next request, or see to it that a closed connection ends."""
        super().on_response_complete()
        self._end_if_closed()

    def shutdown(self) -> None:
        """Close now or after the answer that is being made."""
        super().shutdown()
        self._end_if_closed()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nothing more came over."""
        super().timeout_keep_alive_handler()
        self._end_if_closed()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if status == 431:
            self._send_problem(ProblemError(431, "head_too_large", "The headers of a request are too large."))
        else:
            self._send_problem(ProblemError(400, "not_http", "This is not a request of HTTP/1.1."))

    def _is_read_again(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _end_if_closed(self) -> None:
        """Closing waits until all has been read, which a client can put off; the connection ends all the same."""
        if self.transport.is_closing():
            self.loop.call_later(self.limits.send_seconds, self.transport.abort)

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
            self.transport.abort()
            return
        headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=problem.status, headers=headers, reason=HTTPStatus(problem.status).phrase),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self._end()

    def _end(self) -> None:
        """Close, but first read on for a while: a client that is still sending would lose the answer otherwise."""
        self._is_ending = True
        self._stop_waiting()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(_LINGERING_SECONDS, self.transport.abort)
        else:
            self.transport.close()


def protocol_of(limits: Limits) -> type[GuardedProtocol]:
    """Return the protocol with its limits."""
    return type("LimitedProtocol", (GuardedProtocol,), {"limits": limits})
