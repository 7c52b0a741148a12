"""The bytes of a tar as tarfile reads them, with two promises that tarfile does not make."""

from __future__ import annotations

import tarfile
from typing import BinaryIO

__all__ = ["TarStream"]

_LARGEST_READ = 2 * 2**20


class TarStream:
    """A readable, seekable stream that tarfile reads from.

    tarfile takes a header it cannot read in the middle of an archive for its end, and reads a header of any declared
    size into memory. Here a damaged archive is damaged, and no header is large.

    Args:
        stream: the tar, decompressed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        """Read as a file does.

        Raises:
            tarfile.ReadError: more is asked for than any sound header needs.
        """
        if not 0 <= size <= _LARGEST_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self._last = self._stream.read(size)
        return self._last

    def seek(self, position: int, whence: int = 0) -> int:
        """Move as a file does."""
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        """Return the position as a file does."""
        return self._stream.tell()

    def require_end(self) -> None:
        """Check, after tarfile has read the last member, that this was the end: blocks of zeros and no more.

        The rest is read too, so that a compressed stream checks its own sum.

        Raises:
            tarfile.ReadError: it was not.
        """
        if not self._last or any(self._last):
            raise tarfile.ReadError("no end of the archive, or a header that cannot be read")
        while rest := self._stream.read(_LARGEST_READ):
            if any(rest):
                raise tarfile.ReadError("something follows the end of the archive")
