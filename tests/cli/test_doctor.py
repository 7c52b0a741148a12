from __future__ import annotations

import pytest

from lobule import doctor
from lobule.doctor import Check
from tests.cli.conftest import Lobule


def test_what_is_missing_stands_beside_the_line_that_mends_it(lobule: Lobule, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [
        Check("numpy", True, True, "2.4"),
        Check("keras", False, False, "missing", 'pip install "lobule[train]"'),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: checks)
    shown = lobule("doctor")
    assert shown.code == 0
    assert [line.split()[:2] for line in shown.out.splitlines()] == [
        ["ok", "numpy"],
        ["optional", "keras"],
        ["->", "pip"],
    ]
    assert "For research use only" in shown.err
    monkeypatch.setattr(doctor, "examine", lambda: [Check("numpy", False, True, "missing", "mend it")])
    assert lobule("doctor").code == 1
    assert "MISSING  numpy" in lobule("doctor").out


def test_json(lobule: Lobule) -> None:
    shown = lobule("doctor", "--json")
    assert shown.json["is_fine"]
    first = shown.json["checks"][0]
    assert {key: first[key] for key in ("name", "is_fine")} == {"name": "python", "is_fine": True}
    assert shown.err == ""
