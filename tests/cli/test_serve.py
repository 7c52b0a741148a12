from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lobule.cli import serve
from tests.cli.conftest import Lobule


def test_without_the_extra_a_line_says_what_brings_it(
    lobule: Lobule, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    shown = lobule("serve", "--model", bundle)
    assert shown.code == 1
    assert 'serving a model needs the optional extra "serve": pip install "lobule[serve]"' in shown.err


def test_what_cannot_be_served_is_told_in_a_sentence(lobule: Lobule, bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    assert "expected a bundle" in lobule("serve", "--model", tmp_path).err
    wrong = lobule("serve", "--model", bundle, "--audit-log", tmp_path / "no" / "audit", "--port", 0)
    assert (wrong.code, "--audit-log" in wrong.err) == (1, True)
    beyond = lobule("serve", "--model", bundle, "--host", "192.0.2.1")
    assert (beyond.code, "--token-file" in beyond.err) == (1, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shown = lobule("serve", "--model", bundle, "--port", taken.getsockname()[1])
    assert (shown.code, "cannot listen there" in shown.err) == (1, True)


def test_a_damaged_bundle_is_exit_4(lobule: Lobule, bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    damaged = tmp_path / "model"
    damaged.mkdir()
    for file in bundle.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    (damaged / "README.md").write_text("other")
    assert lobule("serve", "--model", damaged).code == 4
