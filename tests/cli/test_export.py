from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Lobule


def test_what_was_written_is_said(lobule: Lobule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def export_keras(model: Path, out: Path, *, weights: Path | None = None) -> list[Path]:
        seen.append((model, out, weights))
        return [out / "binary.keras", out / "subtype.keras"]

    monkeypatch.setattr("lobule.export.keras_export.export_keras", export_keras)
    command = ["export", "run", "--to", "keras", "--out", "k"]
    assert lobule(*command).out == "k/binary.keras\nk/subtype.keras\n"
    assert lobule(*command, "--weights", "w.h5", "--json").json == {"files": ["k/binary.keras", "k/subtype.keras"]}
    assert seen == [(Path("run"), Path("k"), None), (Path("run"), Path("k"), Path("w.h5"))]


def test_a_folder_without_a_model_is_named(lobule: Lobule, tmp_path: Path) -> None:
    shown = lobule("export", tmp_path, "--to", "keras", "--out", tmp_path / "k")
    assert (shown.code, shown.out) == (1, "")
    assert str(tmp_path) in shown.err
    assert not (tmp_path / "k").exists()
