"""What the service accepts, so that no client can take all of the memory or of the time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from lobule.errors import ConfigError

__all__ = ["MIB", "Limits"]

MIB: Final = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of the service.

    Attributes:
        max_file_bytes: largest file.
        max_request_bytes: largest body of a request.
        max_files: most files of a request.
        max_pixels: largest image, in pixels; Pillow's bomb guard stands behind it.
        requests_per_minute: of one client, to the interface under /v1.
        queue: images that may wait for an answer, of all clients together.
        buffered_bytes: what all requests together may hold in memory.
        connections: open at a time.
        head_seconds: a client has this long for the head of a request.
        send_seconds: a client that reads no more of its answer is left after this long.
        upload_seconds: a client has this long for the body of a request.
        answer_seconds: an accepted request is given up after this long.

    Raises:
        ConfigError: a limit is not above 0, or two limits contradict each other.
    """

    max_file_bytes: int = 32 * MIB
    max_request_bytes: int = 64 * MIB
    max_files: int = 32
    max_pixels: int = 25_000_000
    requests_per_minute: int = 1200
    queue: int = 64
    buffered_bytes: int = 256 * MIB
    connections: int = 512
    head_seconds: float = 10
    send_seconds: float = 30
    upload_seconds: float = 60
    answer_seconds: float = 120

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ConfigError(f"{field.name}: expected more than 0, received {getattr(self, field.name)}.")
        for small, large in (
            ("max_file_bytes", "max_request_bytes"),
            ("max_request_bytes", "buffered_bytes"),
            ("max_files", "queue"),
        ):
            if getattr(self, small) > getattr(self, large):
                raise ConfigError(
                    f"{small}: expected at most {large} ({getattr(self, large)}), received {getattr(self, small)}."
                )
