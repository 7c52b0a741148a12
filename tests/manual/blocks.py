"""What a page of the manual holds that can be run: commands with the output that the page shows, Python, and files.

A fenced block is one of

    console     lines `$ command` (a backslash at the end goes on), each followed by what it prints, or by nothing;
                a line `...` stands for any lines
    python      run in one namespace a page
    any other   with a file name as its title: a file that the commands of the page need

A block whose title begins with `Not run by the tests:` says there why, for the reader too. `needs` in the front matter
names what a reader would have (see `session.py`); `settings: as written` runs the page without the quick settings that
keep the test short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOT_RUN = "Not run by the tests:"
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)(?P<rest>[^\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)
_TITLE = re.compile(r'title="([^"]*)"')
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.S)


@dataclass(frozen=True)
class Step:
    """A command, and what the page says that it prints (None: it says nothing).

    `start` and `end` are where the output stands in the page, so that it can be written anew.
    """

    command: str
    output: str | None
    start: int
    end: int


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    body: str
    line: int
    steps: tuple[Step, ...]

    @property
    def is_run(self) -> bool:
        return not self.title.startswith(NOT_RUN)


@dataclass(frozen=True)
class Page:
    """A page of the manual."""

    name: str
    text: str
    needs: tuple[str, ...]
    as_written: bool
    blocks: tuple[Block, ...]


def read_page(path: Path) -> Page:
    """Read a page."""
    text = path.read_text(encoding="utf-8")
    front = _FRONT.match(text)
    meta = yaml.safe_load(front[1]) if front else {}
    blocks = tuple(_block(text, found) for found in _FENCE.finditer(text))
    name = path.relative_to(ROOT).as_posix()
    return Page(name, text, tuple(meta.get("needs", ())), meta.get("settings") == "as written", blocks)


def all_pages() -> list[Page]:
    """Return the pages that are written by hand, and the documents at the root that show commands."""
    return [read_page(path) for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]]


def _block(text: str, found: re.Match[str]) -> Block:
    title = _TITLE.search(found["rest"])
    steps = tuple(_steps(found["body"], found.start("body"))) if found["language"] == "console" else ()
    line = text.count("\n", 0, found.start()) + 1
    return Block(found["language"], title[1] if title else "", found["body"], line, steps)


def _steps(body: str, offset: int) -> Iterator[Step]:
    lines = body.splitlines(keepends=True)
    position = 0
    while position < len(lines):
        assert lines[position].startswith("$ "), f"expected `$ command`, not {lines[position]!r}"
        command = lines[position][2:].rstrip("\n")
        position += 1
        while command.endswith("\\"):
            command = command[:-1] + lines[position].strip()
            position += 1
        first = position
        while position < len(lines) and not lines[position].startswith("$ "):
            position += 1
        start = offset + sum(map(len, lines[:first]))
        output = "".join(lines[first:position])
        yield Step(command, output or None, start, start + len(output))
