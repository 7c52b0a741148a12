"""The record of the starter model: where a run of it goes in the source tree, and whether another run says the same."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

from lobule.evaluation.metrics import Metrics
from lobule.evaluation.summary import summary
from lobule.model.bundle import open_bundle
from lobule.provenance import write_atomically
from lobule.starter.shipped import starter_bundle
from lobule.starter.table import numbers_table

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TOLERANCE", "check", "install"]

TOLERANCE: Final = 0.02
"""Largest difference of a headline number from the card's, and of an end of its interval.

On one machine a run repeats itself up to the order in which parallel sums are rounded. Another processor rounds
otherwise, and where a patch lies between two groups it may join the other one; what that does to the numbers is smaller
than a tenth of their intervals."""

_NUMBERS: Final = re.compile(r"(?<=<!-- numbers -->\n\n).*?(?=\n\n<!-- end of numbers -->)", re.DOTALL)
_RECORDED: Final = ("predictions.csv", "controls/colour_only.csv", "metrics.json", "config.yaml")


def install(run: Path, root: Path) -> None:
    """Put the bundle of a run into the package, its record into the tests and its numbers into the manual.

    Args:
        run: a finished run folder.
        root: of the source tree.
    """
    _replace(run / "model", root / "src" / "lobule" / "starter" / "bundle")
    record = root / "tests" / "starter" / "record"
    for name in _RECORDED:
        target = record / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / name, target)
    page = root / "docs" / "starter.md"
    table = numbers_table(Metrics.read(run / "metrics.json").document)
    write_atomically(page, _NUMBERS.sub(lambda _: table, page.read_text(encoding="utf-8")))


def check(metrics: Metrics) -> list[str]:
    """Compare a run's out-of-fold numbers with those that the bundle in the package states.

    Args:
        metrics: of the run.

    Returns:
        A line for each number that differs by more than `TOLERANCE`; none where the run says the same.

    Raises:
        ConfigError: this installation has no starter model.
    """
    stated = open_bundle(starter_bundle()).record.metrics
    found = {f"{row.task} {row.level} {row.name}": row for row in summary(metrics) if row.protocol == "folds"}
    lines = []
    for name, numbers in stated.items():
        assert isinstance(numbers, dict)
        row = found.get(name)
        for part in ("value", "low", "high"):
            said, now = numbers[part], getattr(row, part, None)
            if not _agree(said, now):
                lines.append(
                    f"{name} ({part}): the card says {said}, this run {now}; allowed are {TOLERANCE} either way"
                )
    return lines


def _agree(said: object, now: object) -> bool:
    if isinstance(said, int | float) and isinstance(now, int | float):
        return abs(said - now) <= TOLERANCE
    return said is None and now is None


def _replace(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
