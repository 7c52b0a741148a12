"""What every test stands on: the real sample when it is there, and a cache of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A slow machine is no reason to fail: no test asserts a time.
settings.register_profile("lobule", deadline=None, print_blob=True)
settings.load_profile("lobule")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data; skip, visibly, where it is missing."""
    folder = Path(os.environ.get("LOBULE_SHARED", "../shared")).resolve()
    if not (folder / "breakhis").is_dir():
        pytest.skip(f"the real sample is not at {folder} (set LOBULE_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
