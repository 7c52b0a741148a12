"""Who may ask: names the service answers to, a token, and how often."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lobule.errors import ConfigError

__all__ = ["Access", "Rates", "is_loopback", "read_token"]

_SHORTEST_TOKEN: Final = 16
_MOST_CLIENTS: Final = 4096
_LOCAL_NAMES: Final = frozenset({"localhost"})


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        names: host names that the service answers to, in lower case.
        only_loopback: whether addresses in the Host header must be of this computer; names in it are always checked,
            so that no web page can reach the service under a name of its own (DNS rebinding).
        token_digest: SHA-256 of the token that every request must carry; None: none is needed.
    """

    names: frozenset[str] = _LOCAL_NAMES
    only_loopback: bool = True
    token_digest: bytes | None = None

    @classmethod
    def of(cls, host: str, *, token: str | None, allowed_hosts: Sequence[str] = ()) -> Access:
        """Return the access of a service that listens at `host`."""
        own = {socket.gethostname(), socket.getfqdn()} if not is_loopback(host) else set()
        names = {name.lower().rstrip(".") for name in (*_LOCAL_NAMES, *own, host, *allowed_hosts)}
        digest = hashlib.sha256(token.encode()).digest() if token is not None else None
        return cls(frozenset(names), is_loopback(host), digest)

    def knows(self, host: str) -> bool:
        """Tell whether a Host header names this service.

        >>> Access().knows("127.0.0.1:8000"), Access().knows("[::1]"), Access().knows("evil.example:8000")
        (True, True, False)
        """
        name = _without_port(host)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name.lower().rstrip(".") in self.names
        return address.is_loopback or not self.only_loopback

    def admits(self, authorization: str) -> bool:
        """Tell whether an Authorization header carries the token; the comparison takes the same time for all."""
        if self.token_digest is None:
            return True
        scheme, _, given = authorization.partition(" ")
        digest = hashlib.sha256(given.strip().encode()).digest()
        return hmac.compare_digest(digest, self.token_digest) and scheme.lower() == "bearer"


class Rates:
    """How often each client may ask: a bucket of tokens each, refilled steadily.

    Args:
        per_minute: requests a minute; as many may come at once.
        clock: seconds.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._rate = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_of(self, client: str) -> float:
        """Count a request; return the seconds after which it would be allowed, 0 where it is."""
        now, key = self._clock(), _group(client)
        left, before = self._buckets.pop(key, (self._capacity, now))
        left = min(self._capacity, left + (now - before) * self._rate)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        while len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate


def is_loopback(host: str) -> bool:
    """Tell whether a host is this computer alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in _LOCAL_NAMES


def read_token(path: Path) -> str:
    """Read the token: one line of at least 16 visible ASCII characters.

    Raises:
        ConfigError: the file cannot be read or holds something else.
    """
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise ConfigError(f"--token-file {path}: cannot be read ({reason}).") from None
    if len(token) < _SHORTEST_TOKEN or not all("!" <= sign <= "~" for sign in token):
        raise ConfigError(
            f"--token-file {path}: expected one line of at least {_SHORTEST_TOKEN} visible characters without spaces, "
            f"received {len(token)} characters; make one with: openssl rand -hex 32"
        )
    return token


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _group(client: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    return client if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
