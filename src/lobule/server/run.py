"""From a model to a process that serves it until it is told to end."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

from lobule.errors import ConfigError
from lobule.server.app import make_app
from lobule.server.protocol import protocol_of
from lobule.server.watch import log_to_stderr

if TYPE_CHECKING:
    from lobule.server.access import Access
    from lobule.server.service import Service

__all__ = ["listen", "serve"]

_LARGEST_HEAD = 64 * 1024
_KEEP_ALIVE_SECONDS = 15


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; clients may connect from now on.

    Args:
        host: address or name.
        port: 0: a free one.

    Raises:
        ConfigError: that is not possible.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigError(f"--host {host} --port {port}: cannot listen there ({error.strerror or error}).") from None


def serve(service: Service, listening: socket.socket, *, access: Access) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted.

    Args:
        service: the model at work, warmed up.
        listening: as from `listen`.
        access: who may ask.
    """
    log_to_stderr()
    limits = service.limits
    config = uvicorn.Config(
        make_app(service, access=access),
        http=protocol_of(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(limits.upload_seconds + limits.answer_seconds),
        h11_max_incomplete_event_size=_LARGEST_HEAD,
    )
    # uvicorn raises the signal again when all is done; by then it has done its work.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        uvicorn.Server(config).run([listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
