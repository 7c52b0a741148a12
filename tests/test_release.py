"""What must agree when a version is released, and that the citation file can be read by those who read such files."""

from __future__ import annotations

import re
import subprocess
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import lobule

_ROOT = Path(__file__).parents[1]
_CHANGELOG = (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
_CITATION: dict[str, Any] = yaml.safe_load((_ROOT / "CITATION.cff").read_text(encoding="utf-8"))
# Semantic versioning as Python writes it: 1.0.0rc1, not 1.0.0-rc.1.
_VERSION = r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?"


def test_the_version_is_semantic_and_everywhere_the_same() -> None:
    assert re.fullmatch(_VERSION, lobule.__version__)
    assert _CITATION["version"] == lobule.__version__
    assert re.search(rf"^## {re.escape(lobule.__version__)} \(", _CHANGELOG, re.M)


def test_the_changelog_lists_versions_from_new_to_old_with_their_dates() -> None:
    headings = re.findall(r"^## (.+)$", _CHANGELOG, re.M)
    read = [re.fullmatch(rf"({_VERSION}) \((unreleased|\d{{4}}-\d\d-\d\d)\)", heading) for heading in headings]
    assert None not in read, headings
    order = [_order(found[1]) for found in read if found]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(order)


def test_a_source_distribution_has_everything_that_the_tests_need() -> None:
    if not (_ROOT / ".git").exists():
        pytest.skip("not a checkout: what is kept cannot be told from what was made")
    kept = subprocess.run(
        ["git", "ls-files"], cwd=_ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    always = ["pyproject.toml"]  # by hatchling itself
    top = {name.split("/")[0] for name in kept}
    assert sorted(name for name in top if not name.startswith(".")) == sorted([*included, *always])


def _order(version: str) -> tuple[int, int, int, int, int]:
    numbers, stage, count = re.fullmatch(r"([\d.]+?)(?:(a|b|rc)(\d+))?", version).groups()  # type: ignore[union-attr]
    major, minor, patch = map(int, numbers.split("."))
    return major, minor, patch, {"a": 0, "b": 1, "rc": 2, None: 3}[stage], int(count or 0)


def test_the_citation_has_what_version_1_2_0_of_its_format_asks_for() -> None:
    assert {"cff-version", "message", "title", "authors"} <= set(_CITATION)
    assert _CITATION["cff-version"] == "1.2.0"
    assert _CITATION["type"] == "software"
    assert _CITATION["license"] == "Apache-2.0"
    assert all({"name"} <= set(author) or {"family-names"} <= set(author) for author in _CITATION["authors"])
    (article,) = _CITATION["references"]
    assert {"type", "title", "authors"} <= set(article)
    assert re.fullmatch(r"10\.\d{4,}/\S+", article["doi"])
    assert isinstance(_CITATION.get("date-released", date(2000, 1, 1)), date)
