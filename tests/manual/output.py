"""Whether a command printed what the page shows.

Text must be the same, and so must whole numbers; numbers with decimals may differ as they do between machines.
"""

from __future__ import annotations

import re

_TOLERANCE = 0.1
_DECIMAL = re.compile(r"[+-]?\d+\.\d+")
_PROGRESS = re.compile(r"[\w ,]+: \d+/(?:\d+|\?)")


def without_progress(printed: str) -> str:
    """Return what a person reads: no lines of progress, no spaces at the end of a line."""
    lines = (line.rstrip() for line in printed.splitlines())
    return "".join(f"{line}\n" for line in lines if not _PROGRESS.fullmatch(line)).strip("\n") + "\n"


def is_as_shown(shown: str, printed: str) -> bool:
    """Return whether the output is what the page shows; a line `...` of the page stands for any lines."""
    pattern, numbers = "", []
    for line in shown.rstrip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
            continue
        pieces = _DECIMAL.split(" ".join(line.split()))
        numbers += [float(number) for number in _DECIMAL.findall(line)]
        pattern += r"([+-]?\d+\.\d+)".join(map(re.escape, pieces)) + r"\n"
    squeezed = "".join(" ".join(line.split()) + "\n" for line in printed.rstrip("\n").split("\n"))
    found = re.fullmatch(pattern, squeezed)
    return found is not None and all(
        abs(float(number) - expected) <= _TOLERANCE for number, expected in zip(found.groups(), numbers, strict=True)
    )
