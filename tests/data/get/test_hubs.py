"""Kaggle and Hugging Face: their clients are stood in for, with the signatures that kagglehub 1.0 and hub 2.4 have."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from lobule.data.get import get_data
from lobule.errors import ConfigError, DataError
from tests.data.get.archives import write_kind


class _NotFoundError(Exception):
    """As kagglehub has: not an OSError."""


def _kaggle(monkeypatch: pytest.MonkeyPatch, cache: Path, *, error: Exception | None = None) -> list[str]:
    asked: list[str] = []

    def dataset_download(
        handle: str, path: str | None = None, *, force_download: bool | None = False, output_dir: str | None = None
    ) -> str:
        asked.append(handle)
        if error:
            raise error
        return str(cache)

    client, exceptions = ModuleType("kagglehub"), ModuleType("kagglehub.exceptions")
    vars(client)["dataset_download"], vars(exceptions)["NotFoundError"] = dataset_download, _NotFoundError
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    monkeypatch.setitem(sys.modules, "kagglehub.exceptions", exceptions)
    return asked


def _cache(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    (cache / "benign").mkdir(parents=True)
    (cache / "benign" / "one.png").write_bytes(b"1")
    return cache


def test_a_data_set_of_kaggle_is_copied_from_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = _cache(tmp_path)
    write_kind(cache, "zip")
    asked = _kaggle(monkeypatch, cache)
    got = get_data("kaggle:somebody/breakhis", tmp_path / "data")
    assert asked == ["somebody/breakhis"]
    assert (tmp_path / "data" / "benign" / "one.png").read_bytes() == b"1"
    assert (tmp_path / "data" / "archive" / "images" / "benign" / "one.png").is_file()
    assert (got.n_files, got.source) == (4, "kaggle:somebody/breakhis")
    assert (cache / "archive.zip").is_file()


@pytest.mark.parametrize("error", [_NotFoundError("404"), ConnectionError("offline"), ValueError("bad handle")])
def test_what_kaggle_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    _kaggle(monkeypatch, tmp_path, error=error)
    with pytest.raises(DataError, match="Kaggle did not give it"):
        get_data("kaggle:somebody/breakhis", tmp_path / "data")


def _hugging_face(monkeypatch: pytest.MonkeyPatch, *, failures: int = 0) -> list[list[str]]:
    found: list[list[str]] = []

    def snapshot_download(repo_id: str, *, repo_type: str | None = None, local_dir: Path | None = None) -> str:
        assert (repo_id, repo_type) == ("somebody/breakhis", "dataset")
        assert local_dir is not None
        found.append(sorted(path.name for path in local_dir.rglob("*.png")))
        (local_dir / ".cache" / "huggingface").mkdir(parents=True, exist_ok=True)
        (local_dir / ".cache" / "huggingface" / "one.metadata").touch()
        (local_dir / f"{len(found)}.png").write_bytes(b"1")
        if len(found) <= failures:
            raise ConnectionError("offline")
        return str(local_dir)

    client = ModuleType("huggingface_hub")
    vars(client)["snapshot_download"] = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    return found


def test_a_data_set_of_hugging_face_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _hugging_face(monkeypatch, failures=1)
    with pytest.raises(DataError, match=r"did not give it.*The same command goes on"):
        get_data("hf:somebody/breakhis", tmp_path / "data")
    got = get_data("hf:somebody/breakhis", tmp_path / "data")
    assert found == [[], ["1.png"]]
    assert got.n_files == 2
    assert not (tmp_path / "data" / ".cache").exists()


def test_an_interruption_after_the_last_file_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _hugging_face(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("lobule.data.get.obtain._check", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            get_data("hf:somebody/breakhis", tmp_path / "data")
    get_data("hf:somebody/breakhis", tmp_path / "data")
    assert found == [[], ["1.png"]]


@pytest.mark.parametrize(
    ("source", "module", "line"),
    [
        ("kaggle:somebody/breakhis", "kagglehub", "pip install kagglehub"),
        ("hf:somebody/breakhis", "huggingface_hub", "pip install huggingface_hub"),
    ],
)
def test_a_client_that_is_missing_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, module: str, line: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=line):
        get_data(source, tmp_path / "data")
