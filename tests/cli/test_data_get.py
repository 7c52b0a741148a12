from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Lobule
from tests.data.get.archives import write_kind, write_zip
from tests.data.get.server import Site, served


def test_get_says_what_came_and_what_to_do_next(lobule: Lobule, tmp_path: Path) -> None:
    with served(Site(write_kind(tmp_path, "tar.gz").read_bytes())) as site:
        shown = lobule("data", "get", site.url, "--to", tmp_path / "data")
        assert shown.code == 0, shown.err
        assert f"2 images among 3 files, from {site.url}" in shown.out
        assert f"lobule train {tmp_path / 'data'}" in shown.out
        assert "download, MB: 0/" in shown.err
        assert "unpack, MB" in shown.err
        assert "For research use only" in shown.err
        again = lobule("data", "get", site.url, "--to", tmp_path / "data", "--json")
    assert (again.json["was_done"], again.json["n_images"], again.json["folder"]) == (True, 2, str(tmp_path / "data"))


def test_breakhis_images_bring_their_citation(lobule: Lobule, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"SOB_B_A-14-22549AB-40-001.png": b"x"})
    shown = lobule("data", "get", archive, "--to", tmp_path / "data")
    assert "1 different BreakHis images: adenosis at 40X: 1 instead of 114" in shown.out
    assert "Cite: F. A. Spanhol" in shown.out


def test_what_cannot_be_had_is_exit_1_without_a_traceback(lobule: Lobule, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no archive")
    shown = lobule("data", "get", tmp_path / "a.zip", "--to", tmp_path / "data")
    assert shown.code == 1
    assert "is no archive" in shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "data").exists()
