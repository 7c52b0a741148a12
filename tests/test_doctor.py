from __future__ import annotations

import shutil
from collections import namedtuple
from importlib import metadata, util
from pathlib import Path

import pytest

from lobule.doctor import Check, examine
from lobule.features.backbones import BACKBONES


def found(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_here_nothing_that_is_needed_is_missing() -> None:
    checks = examine()
    assert all(check.is_fine for check in checks if check.is_needed)
    assert all(bool(check.remedy) == (not check.is_fine) for check in checks)
    assert found(checks)["numpy"].found == metadata.version("numpy")


def test_a_missing_package_names_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr("lobule.doctor.util.find_spec", lambda name: None if name in ("keras", "scipy") else find(name))
    checks = found(examine())
    assert (checks["keras"].is_needed, checks["keras"].remedy) == (False, 'pip install "lobule[train]"')
    assert (checks["scipy"].is_needed, checks["scipy"].is_fine) == (True, False)
    assert "lobule" in checks["scipy"].remedy


def test_a_package_under_another_distribution_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("lobule.doctor.metadata.version", version)
    assert found(examine())["numpy"].found == "installed"


def test_an_old_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lobule.doctor.sys.version_info", (3, 10, 2))
    check = found(examine())["python"]
    assert (check.is_fine, check.found) == (False, "3.10.2")
    assert "3.11" in check.remedy


def test_weights_on_this_machine_are_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    none = found(examine())["imagenet weights"]
    assert (none.is_fine, none.is_needed) == (False, False)
    assert "--weights" in none.remedy
    file = tmp_path / "models" / BACKBONES["densenet121"].download.file
    file.parent.mkdir()
    file.write_bytes(b"")
    some = found(examine())["imagenet weights"]
    assert some.is_fine
    assert "for: densenet121;" in some.found


def test_a_cache_that_cannot_be_written_and_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "file" / "cache"))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(2**40, 2**40, 2**30))
    checks = found(examine())
    assert (checks["cache folder"].is_fine, checks["free space"].is_fine) == (False, False)
    assert "LOBULE_CACHE" in checks["cache folder"].remedy
    assert checks["free space"].found == "1.0 GiB"
