"""Multipart bodies taken apart in memory, within limits, while they arrive; nothing is ever written to disk."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lobule.server.problems import ProblemError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

    from lobule.server.limits import Limits

__all__ = ["Form", "Upload", "clean_name", "parse_form"]

_LONGEST_NAME: Final = 120
_LONGEST_TEXT: Final = 1000


@dataclass(frozen=True, eq=False)
class Upload:
    """A file as it came.

    Attributes:
        name: as the client called it, cleaned; for display alone.
        content: its bytes; cut off where it is too large.
        is_too_large: whether it exceeds the limit of one file.
    """

    name: str
    content: bytes
    is_too_large: bool = False


@dataclass(frozen=True, eq=False)
class Form:
    """A body taken apart: the files in the order sent, and the text fields."""

    files: list[Upload] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


def clean_name(name: str, *, otherwise: str) -> str:
    r"""Return a file name that is safe to show: no folders, no control or direction characters, not long.

    >>> clean_name("C:\\tissue\\a\u202egnp.png", otherwise="image-1")
    'agnp.png'
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(sign for sign in unicodedata.normalize("NFC", last) if unicodedata.category(sign)[0] != "C")
    return shown.strip()[:_LONGEST_NAME] or otherwise


async def parse_form(
    chunks: AsyncIterator[bytes], content_type: str, *, file_field: str, text_fields: Collection[str], limits: Limits
) -> Form:
    """Read a body to its end.

    Args:
        chunks: of the body.
        content_type: the header.
        file_field: name of the parts that are files.
        text_fields: names of the parts that are text.
        limits: on sizes and numbers.

    Raises:
        ProblemError: the body is not multipart (415), broken (400), too large (413), or holds other parts (422).
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ProblemError(
            415,
            "unsupported_media_type",
            f"Content-Type: expected multipart/form-data with a boundary and the field {file_field!r}.",
            headers={"Accept": "multipart/form-data"},
        )
    parts = _Parts(file_field, text_fields, limits)
    try:
        parser = MultipartParser(options[b"boundary"], parts.callbacks())
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise _broken() from None
    if not parts.is_complete:
        raise _broken()
    return parts.form


def _broken() -> ProblemError:
    return ProblemError(400, "broken_multipart", "The multipart body is broken or ends too early; send it again.")


class _Parts:
    """Collects the parts of a body as the parser finds them."""

    def __init__(self, file_field: str, text_fields: Collection[str], limits: Limits) -> None:
        self.form = Form()
        self.is_complete = False
        self._file_field, self._text_fields, self._limits = file_field, text_fields, limits
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._name, self._file_name = "", ""
        self._data, self._excess = bytearray(), False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._identify,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        self._disposition = b""
        self._data, self._excess = bytearray(), False

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _identify(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        if self._name == self._file_field:
            if len(self.form.files) >= self._limits.max_files:
                raise ProblemError(
                    413,
                    "too_many_files",
                    f"{self._file_field}: at most {self._limits.max_files} files a request; send the rest in another.",
                )
        elif self._name not in self._text_fields or self._name in self.form.fields:
            expected = ", ".join([self._file_field, *self._text_fields])
            raise ProblemError(422, "unexpected_field", f"The body may hold {expected}; it holds another field.")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        is_file = self._name == self._file_field
        room = (self._limits.max_file_bytes if is_file else _LONGEST_TEXT) - len(self._data)
        self._data += data[start : min(end, start + room)]
        self._excess = self._excess or end - start > room

    def _on_part_end(self) -> None:
        if self._name == self._file_field:
            name = clean_name(self._file_name, otherwise=f"image-{len(self.form.files) + 1}")
            self.form.files.append(Upload(name, b"" if self._excess else bytes(self._data), self._excess))
        else:
            self.form.fields[self._name] = self._text()
        self._data = bytearray()

    def _text(self) -> str:
        if self._excess:
            raise ProblemError(422, "invalid_field", f"{self._name}: at most {_LONGEST_TEXT} bytes of text.")
        try:
            return self._data.decode("utf-8")
        except UnicodeDecodeError:
            raise ProblemError(422, "invalid_field", f"{self._name}: expected text in UTF-8.") from None

    def _on_end(self) -> None:
        self.is_complete = True
