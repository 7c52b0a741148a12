from __future__ import annotations

import json
from pathlib import Path

import pytest

from lobule.errors import RunError
from lobule.run_folder import RunFolder

_ARGUMENTS = {"data": "/images", "config": {"seed": 0, "views": ("identity",)}}


def test_the_same_arguments_open_the_same_run(tmp_path: Path) -> None:
    first = RunFolder.open(tmp_path / "run", _ARGUMENTS, command="lobule train")
    with first.timed("data"):
        first.note(dataset_sha256="a")
    again = RunFolder.open(tmp_path / "run", _ARGUMENTS)
    assert again.run_id == first.run_id
    assert not again.is_done
    again.finish()
    assert RunFolder.open(tmp_path / "run", _ARGUMENTS).is_done


def test_nothing_is_written_before_there_is_something_to_note(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", _ARGUMENTS)
    assert not (tmp_path / "run").exists()


def test_a_start_killed_in_its_first_write_is_no_obstacle_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / ".run.json.0123456789ab.tmp").write_text("{")
    run = RunFolder.open(tmp_path, _ARGUMENTS)
    run.note(dataset_sha256="a")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / ".split.png.0123456789ab.tmp").write_text("")
    run.finish()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["figures", "run.json"]


def test_other_arguments_are_refused_and_named(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", _ARGUMENTS).save()
    with pytest.raises(RunError, match=r"config\.seed was 0, received 1"):
        RunFolder.open(tmp_path / "run", {"data": "/images", "config": {"seed": 1, "views": ["identity"]}})


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(RunError, match="no run folder"):
        RunFolder.open(tmp_path, _ARGUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_data_that_changed_under_a_run_are_noticed(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", _ARGUMENTS).note(dataset_sha256="a")
    with pytest.raises(RunError, match="dataset_sha256 was 'a' when this run was started and is 'b' now"):
        RunFolder.open(tmp_path / "run", _ARGUMENTS).note(dataset_sha256="b")


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"run\.json"):
        RunFolder.open(tmp_path, _ARGUMENTS)


def test_the_record_says_with_what_it_was_run(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", _ARGUMENTS).save()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["environment"]["packages"]["numpy"]
    assert record["status"] == "running"
