from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.server.limits import Limits
from lobule.server.problems import ProblemError
from lobule.server.uploads import Form, clean_name, parse_form

_LIMITS = Limits(max_file_bytes=1000, max_files=3)
_KIND = "multipart/form-data; boundary=xyz"


def part(name: str, content: bytes, *, file: str | None = None) -> bytes:
    named = f'; filename="{file}"' if file is not None else ""
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def parsed(body: bytes, *, sizes: Iterator[int] | None = None, kind: str = _KIND) -> Form:
    async def chunks() -> AsyncIterator[bytes]:
        left = body
        while left:
            size = next(sizes, len(left)) if sizes else len(left)
            yield left[:size]
            left = left[size:]

    async def parse() -> Form:
        return await parse_form(chunks(), kind, file_field="files", text_fields=("case_id",), limits=_LIMITS)

    return asyncio.run(parse())


_BODY = (
    part("files", b"abc\r\n--xy", file="a.png") + part("case_id", "ä".encode()) + part("files", b"") + b"--xyz--\r\n"
)


@given(st.lists(st.integers(1, 40), max_size=60))
def test_the_division_into_chunks_does_not_matter(sizes: list[int]) -> None:
    form = parsed(_BODY, sizes=iter(sizes))
    assert [(upload.name, upload.content) for upload in form.files] == [("a.png", b"abc\r\n--xy"), ("image-2", b"")]
    assert form.fields == {"case_id": "ä"}


def outcome_of(body: bytes) -> str | int:
    try:
        parsed(body)
    except ProblemError as problem:
        return problem.status
    return "parsed"


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for content in (body, b"--xyz\r\n" + body, part("files", body), part("files", body) + b"--xyz--"):
        assert outcome_of(content) in {"parsed", 400, 413, 422}


@pytest.mark.parametrize("end", range(1, len(_BODY) - 4, 7))
def test_a_body_that_ends_early_is_broken(end: int) -> None:
    with pytest.raises(ProblemError) as caught:
        parsed(_BODY[:end])
    assert (caught.value.status, caught.value.code) == (400, "broken_multipart")


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x", "ä;;="])
def test_other_media_types_are_refused(kind: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parsed(_BODY, kind=kind)
    assert caught.value.status == 415


def test_a_boundary_that_is_too_long_is_broken() -> None:
    with pytest.raises(ProblemError):
        parsed(_BODY, kind=f"multipart/form-data; boundary={'x' * 5000}")


def test_a_large_file_is_cut_off_and_nothing_reaches_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    for name in ("SpooledTemporaryFile", "TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    form = parsed(part("files", b"x" * 1000) + part("files", b"x" * 1001) + b"--xyz--")
    assert [upload.is_too_large for upload in form.files] == [False, True]
    assert [len(upload.content) for upload in form.files] == [1000, 0]


def test_too_many_files_and_unknown_fields_are_refused() -> None:
    for body, status in ((part("files", b"") * 4, 413), (part("other", b""), 422), (part("case_id", b"") * 2, 422)):
        with pytest.raises(ProblemError) as caught:
            parsed(body + b"--xyz--")
        assert caught.value.status == status


@given(st.text(max_size=200))
def test_a_clean_name_is_short_and_safe(name: str) -> None:
    shown = clean_name(name, otherwise="image-1")
    assert 0 < len(shown) <= 120
    assert not set(shown) & set("/\\\r\n\x00\u202e")
    shown.encode()
