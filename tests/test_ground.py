"""Errors, taxonomy and provenance."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
from pathlib import Path

import pytest

from lobule import errors, provenance
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, SUBTYPE_OF_CODE, SUBTYPES, classes_of


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"^ +[│├└─ ]*(\w+Error)\b", errors.__doc__ or "", re.M)
    defined = [
        name for name, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__
    ]
    assert sorted(drawn) == sorted(defined) == errors.__all__


def test_exit_codes() -> None:
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
    assert {name: code for name, code in codes.items() if code != 1} == {"LeakageError": 3, "VerificationError": 4}


def test_a_missing_extra_names_the_line_that_mends_it() -> None:
    assert 'pip install "lobule[train]"' in str(errors.MissingExtraError("training", "train"))


def test_four_subtypes_of_each_label_in_the_fixed_order() -> None:
    assert [LABEL_OF_SUBTYPE[name] for name in SUBTYPES] == [LABELS[0]] * 4 + [LABELS[1]] * 4
    assert tuple(SUBTYPE_OF_CODE.values()) == SUBTYPES == classes_of("subtype")
    assert classes_of("binary") == LABELS


def test_an_interrupted_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "metrics.json"
    provenance.write_atomically(file, "old")

    def fail(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        provenance.write_atomically(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_digests(tmp_path: Path) -> None:
    file = tmp_path / "bytes"
    file.write_bytes(b"lobule")
    assert provenance.digest_of_file(file) == hashlib.sha256(b"lobule").hexdigest()
    assert provenance.digest_of_json({"a": 1, "b": 2}) == provenance.digest_of_json({"b": 2, "a": 1})
    assert provenance.digest_of_json({"a": 1}) != provenance.digest_of_json({"a": 2})


def test_the_cache_folder_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBULE_CACHE", "/somewhere")
    assert provenance.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("LOBULE_CACHE")
    assert provenance.cache_folder().name == "lobule"


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3}, raising=False)
    assert provenance.usable_cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert provenance.usable_cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert provenance.usable_cores() == 1
