from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from lobule.data.manifest import COLUMNS
from lobule.data.phantom import PhantomSummary
from tests.cli.conftest import Lobule
from tests.runs import copy_of, paint, write_own_folder


def test_scan_writes_a_manifest_and_says_what_is_in_it(lobule: Lobule, phantom: PhantomSummary, tmp_path: Path) -> None:
    shown = lobule("data", "scan", phantom.images, "--out", tmp_path / "manifest.csv")
    assert shown.code == 0
    assert ["images", "64"] in [line.split() for line in shown.out.splitlines()]
    assert "scan: 64/64" in shown.err
    assert "For research use only" in shown.err
    frame = pd.read_csv(tmp_path / "manifest.csv")
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 64
    assert not (tmp_path / "failures.csv").exists()


def test_scan_with_a_file_that_fails_is_exit_2(lobule: Lobule, tmp_path: Path) -> None:
    data = write_own_folder(tmp_path / "data")
    (data / "benign" / "empty.png").write_bytes(b"")
    (data / "notes.txt").write_text("not an image")
    shown = lobule("data", "scan", data, "--out", tmp_path / "m.csv", "--group", "image", "--json")
    assert shown.code == 2
    assert shown.json == {
        "manifest": str(tmp_path / "m.csv"),
        "images": 8,
        "cases": 8,
        "benign": 4,
        "malignant": 4,
        "failures": 1,
        "ignored": 1,
    }
    assert "1 files could not be used" in shown.err
    assert pd.read_csv(tmp_path / "failures.csv")["path"].tolist() == ["benign/empty.png"]


def test_scan_maps_the_names_of_a_users_csv(lobule: Lobule, tmp_path: Path) -> None:
    for number in range(4):
        paint(tmp_path / "images" / f"{number}.png", number)
    (tmp_path / "mine.csv").write_text("file;diagnosis;who\n" + "".join(f"{n}.png;cancer;{n // 2}\n" for n in range(4)))
    options = ["--labels", "cancer=malignant", "--root", tmp_path / "images"]
    options += ["--column", "path=file", "--column", "label=diagnosis", "--column", "case_id=who"]
    shown = lobule("data", "scan", tmp_path / "mine.csv", "--out", tmp_path / "m.csv", "--json", *options)
    assert shown.code == 0, shown.err
    assert (shown.json["malignant"], shown.json["cases"]) == (4, 2)


@pytest.mark.parametrize("pair", ["cancer", "=malignant", "cancer="])
def test_a_pair_that_is_none_is_named(lobule: Lobule, tmp_path: Path, pair: str) -> None:
    shown = lobule("data", "scan", tmp_path, "--out", tmp_path / "m.csv", "--labels", pair)
    assert shown.code == 1
    assert f"--labels {pair!r}: expected name=value" in shown.err


def test_a_folder_without_cases_is_told_both_ways_out(lobule: Lobule, tmp_path: Path) -> None:
    data = write_own_folder(tmp_path / "data")
    shown = lobule("data", "split", data, "--out", tmp_path / "split.json")
    assert shown.code == 1
    assert "--case-pattern" in shown.err
    assert "--group image" in shown.err
    pattern = ["--case-pattern", r"/(case\w\d)-", "--folds", 2]
    assert lobule("data", "split", data, "--out", tmp_path / "split.json", *pattern).code == 0


def test_an_audit_needs_no_cases_and_is_exit_0_without_conflicts(lobule: Lobule, tmp_path: Path) -> None:
    data = write_own_folder(tmp_path / "data")
    shown = lobule("data", "audit", data, "--out", tmp_path / "audit.json", "--json")
    assert shown.code == 0
    assert shown.json == json.loads((tmp_path / "audit.json").read_text())


def test_conflicting_labels_of_the_same_pixels_are_exit_3(lobule: Lobule, tmp_path: Path) -> None:
    data = write_own_folder(tmp_path / "data")
    (data / "malignant" / "copy.png").write_bytes((data / "benign" / "caseb0-0.png").read_bytes())
    shown = lobule("data", "audit", data)
    assert shown.code == 3
    assert "copy" in shown.out
    assert "research use only" in shown.err


def test_split_writes_folds_and_shows_them(lobule: Lobule, phantom: PhantomSummary, tmp_path: Path) -> None:
    command = ["data", "split", phantom.images, "--folds", 4, "--seed", 3, "--out", tmp_path / "split.json"]
    shown = lobule(*command)
    assert shown.code == 0
    assert "Split by case" in shown.out
    assert "fold 4" in shown.out
    written = json.loads((tmp_path / "split.json").read_text())
    assert (written["group_by"], written["seed"], len(written["folds"])) == ("case", 3, 4)
    parts = lobule(*command, "--json").json["parts"]
    assert [part["part"] for part in parts] == ["fold 1", "fold 2", "fold 3", "fold 4", "train", "validation"]
    assert sum(part["images"] for part in parts[:4]) == 64


def test_too_few_cases_say_what_is_missing(lobule: Lobule, tmp_path: Path) -> None:
    shown = lobule("data", "split", write_own_folder(tmp_path / "d"), "--out", tmp_path / "s", "--group", "image")
    assert shown.code == 1
    assert "5 folds need at least 5 benign and malignant images" in shown.err
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_phantom_draws_and_goes_on_where_it_stopped(lobule: Lobule, tmp_path: Path) -> None:
    command = ["data", "phantom", "--to", tmp_path / "tissue", "--cases", 16, "--seed", 1, "--json"]
    shown = lobule(*command)
    assert shown.code == 0
    assert (shown.json["n_images"], shown.json["n_cases"]) == (128, 16)
    assert "phantom: 128/128" in shown.err
    assert lobule(*command).json == shown.json


def test_a_phantom_is_not_drawn_over_other_images(lobule: Lobule, phantom: PhantomSummary, tmp_path: Path) -> None:
    there = copy_of(phantom.folder, tmp_path / "tissue")
    shown = lobule("data", "phantom", "--to", there)
    assert shown.code == 1
    assert "already holds other images" in shown.err
