from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lobule.errors import ConfigError, RunError, VerificationError
from lobule.evaluation.decision.operating import Operating
from lobule.features.statistics import STATISTICS
from lobule.model.bundle import open_bundle, write_bundle
from lobule.model.bundle_record import BundleRecord
from lobule.provenance import digest_of_file
from lobule.taxonomy import DISCLAIMER, LABELS, SUBTYPES, TASKS
from tests.model.tiny_bundle import make_head, make_novelty, make_record, write_graph, write_tiny_bundle

FILES = {
    "README.md",
    "SHA256SUMS",
    "backbone.bin",
    "backbone.xml",
    "bundle.json",
    "calibration.json",
    "heads.safetensors",
    "novelty.safetensors",
}


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("pristine") / "model", novelty=make_novelty())


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "model"))


def _resign(folder: Path) -> None:
    lines = [f"{digest_of_file(path)}  {path.name}\n" for path in sorted(folder.iterdir()) if path.name != "SHA256SUMS"]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _edit(folder: Path, edit: Callable[[dict[str, object]], object], *, name: str = "bundle.json") -> None:
    document = json.loads((folder / name).read_text())
    edit(document)
    (folder / name).write_text(json.dumps(document))
    _resign(folder)


def test_a_bundle_holds_what_was_written(pristine: Path) -> None:
    bundle = open_bundle(pristine)
    assert {path.name for path in pristine.iterdir()} == FILES
    assert bundle.record.classes == {"binary": LABELS, "subtype": SUBTYPES}
    assert bundle.record.disclaimer == DISCLAIMER
    assert (bundle.record.threshold.value, bundle.record.temperature["subtype"]) == (0.4, 1.5)
    assert bundle.graph == pristine / "backbone.xml"
    features = np.ones((2, 6), np.float32)
    for task in TASKS:
        np.testing.assert_array_equal(bundle.heads[task].logits(features), make_head(task).logits(features))


def test_the_run_folder_opens_its_model(pristine: Path) -> None:
    assert open_bundle(pristine.parent).record == open_bundle(pristine).record


def test_sha256sum_agrees(pristine: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=pristine, check=True)
    listed = [line.split()[1] for line in (pristine / "SHA256SUMS").read_text().splitlines()]
    assert set(listed) == FILES - {"SHA256SUMS"}


def test_the_same_training_gives_the_same_id_and_another_gives_another(tmp_path: Path, pristine: Path) -> None:
    record = open_bundle(pristine).record
    again = write_tiny_bundle(tmp_path / "again", novelty=make_novelty())
    assert open_bundle(again).record.model_id == record.model_id
    for seed, novelty in ((1, make_novelty()), (0, make_novelty(seed=1)), (0, None)):
        other = write_tiny_bundle(tmp_path / "other", seed=seed, novelty=novelty)
        assert open_bundle(other).record.model_id != record.model_id
    assert len(record.model_id) == 16


def test_writing_replaces_an_earlier_bundle_and_leaves_nothing_else(tmp_path: Path) -> None:
    first = open_bundle(write_tiny_bundle(tmp_path / "model")).record
    (tmp_path / ".model.new").mkdir()
    second = open_bundle(write_tiny_bundle(tmp_path / "model", seed=3)).record
    assert second.model_id != first.model_id
    assert {path.name for path in tmp_path.iterdir()} == {"model", "model-graph"}


def test_writing_never_replaces_something_else(tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter.md").write_text("years of work")
    with pytest.raises(RunError, match="expected a bundle, an empty folder or nothing"):
        write_tiny_bundle(target)
    assert (target / "chapter.md").read_text() == "years of work"


def test_a_crash_while_writing_leaves_the_earlier_bundle(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "model")
    before = open_bundle(folder).record
    graph = write_graph(tmp_path / "half")
    (graph / "backbone.bin").unlink()
    with pytest.raises(FileNotFoundError):
        write_bundle(folder, record=make_record(), heads={t: make_head(t) for t in TASKS}, graph=graph, card="")
    assert open_bundle(folder).record == before


def test_heads_that_do_not_fit_the_record_are_not_written(tmp_path: Path) -> None:
    graph = write_graph(tmp_path / "graph")
    with pytest.raises(VerificationError, match="expected one for each of"):
        write_bundle(tmp_path / "m", record=make_record(), heads={"binary": make_head("binary")}, graph=graph, card="")
    wide = {task: make_head(task, features=7) for task in TASKS}
    with pytest.raises(VerificationError, match="takes 7 features"):
        write_bundle(tmp_path / "m", record=make_record(), heads=wide, graph=graph, card="")
    assert not (tmp_path / "m").exists()


def test_numbers_in_the_record_are_finite(tmp_path: Path) -> None:
    record = make_record().model_copy(update={"metrics": {"auroc": float("nan")}})
    heads = {task: make_head(task) for task in TASKS}
    with pytest.raises(VerificationError, match="finite, or null"):
        write_bundle(tmp_path / "m", record=record, heads=heads, graph=write_graph(tmp_path / "g"), card="")


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
def test_one_changed_byte_anywhere_is_found(folder: Path, name: str, position: float) -> None:
    content = bytearray((folder / name).read_bytes())
    index = int(position * (len(content) - 1))
    content[index] ^= 0x01
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(VerificationError):
        open_bundle(folder)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_or_truncated_file_is_found(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(VerificationError):
        open_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(VerificationError):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["extra.txt", ".hidden", "plugin.so", "model.pkl"])
def test_a_file_that_is_no_part_of_a_bundle_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"surprise")
    with pytest.raises(VerificationError, match="no part of a bundle"):
        open_bundle(folder)
    _resign(folder)
    with pytest.raises(VerificationError, match="no part of a bundle"):
        open_bundle(folder)


def test_a_folder_in_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").mkdir()
    with pytest.raises(VerificationError, match=r"README\.md"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "/etc/hostname",
        "./README.md",
        "sub/README.md",
        "..\\outside.txt",
        "README.md\x00",
        " README.md",
    ],
)
def test_names_that_point_elsewhere_are_refused_unread(folder: Path, name: str) -> None:
    outside = folder.parent / "outside.txt"
    outside.write_text("not yours")
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write(f"{digest_of_file(outside)}  {name}\n")
    with pytest.raises(VerificationError, match="no part of a bundle"):
        open_bundle(folder)


@pytest.mark.parametrize("line", ["{first}", "zz  README.md", "README.md", "", "{digest}\tREADME.md"])
def test_a_list_of_digests_that_is_not_one_is_refused(folder: Path, line: str) -> None:
    text = (folder / "SHA256SUMS").read_text()
    written = line.format(first=text.splitlines()[0], digest="0" * 64)
    (folder / "SHA256SUMS").write_text(f"{text}{written}\n")
    with pytest.raises(VerificationError, match="each name once"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(schema_version=3), "schema_version 2 is what this Lobule"),
        (lambda d: d.update(schema_version=1), "no calibration and refuses nothing; train again"),
        (lambda d: d.pop("schema_version"), "received None"),
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d.pop("input_size"), "input_size"),
        (lambda d: d["threshold"].update(value=0), "threshold.value"),
        (lambda d: d["threshold"].update(value=0.7), "threshold: .* is not that of operating"),
        (lambda d: d["temperature"].update(binary=2), "temperature: .* does not agree with operating"),
        (lambda d: d["operating"]["case"].update(threshold=0.7), "model_id"),
        (lambda d: d["operating"]["image"]["label_sets"].update(alpha=2), "alpha"),
        (lambda d: d["novelty"].update(false_refusal=0.4), "model_id"),
        (lambda d: d["novelty"].update(limit=2), "novelty.limit"),
        (lambda d: d.update(novelty=None), "do not agree on whether it is there"),
        (lambda d: d["classes"].update(binary=["malignant", "benign"]), "classes.binary"),
        (lambda d: d.update(classes={"subtype": list(SUBTYPES)}), "the binary task"),
        (lambda d: d["temperature"].pop("subtype"), "temperature"),
        (lambda d: d["preprocessing"].update(views=["somersault"]), "preprocessing.views"),
        (lambda d: d["backbone"].update(map_slice=[3, 99]), "map_slice"),
        (lambda d: d.update(model_id="0" * 16), "its contents say"),
    ],
)
def test_a_record_that_does_not_hold_is_refused_even_when_signed(
    folder: Path, edit: Callable[[dict[str, object]], object], message: str
) -> None:
    _edit(folder, edit)
    with pytest.raises(VerificationError, match=message) as caught:
        open_bundle(folder)
    assert caught.value.exit_code == 4


def test_calibration_must_agree_with_the_record(folder: Path) -> None:
    _edit(folder, lambda d: d.update(surprise=1), name="calibration.json")
    with pytest.raises(VerificationError, match=r"does not agree with bundle\.json"):
        open_bundle(folder)


def test_calibration_holds_the_operating_points_and_when_an_image_is_refused(pristine: Path) -> None:
    record = open_bundle(pristine).record
    written = json.loads((pristine / "calibration.json").read_text())
    assert Operating.model_validate(written["operating"]) == record.operating
    assert record.threshold.value == record.operating.image.threshold == 0.4
    assert written["novelty"] == {
        "false_refusal": 0.01,
        "limit": 1,
        "view": "identity",
        "statistics": list(STATISTICS),
    }


def test_a_bundle_judges_novelty_as_what_was_written(pristine: Path) -> None:
    novelty = open_bundle(pristine).novelty
    assert novelty is not None
    rng = np.random.default_rng(4)
    features, statistics = rng.normal(1, 0.5, (9, 6)).astype(np.float32), rng.uniform(0, 1, (9, len(STATISTICS)))
    received, expected = (each.judge(features, statistics.astype(np.float32)) for each in (novelty, make_novelty()))
    np.testing.assert_array_equal(received[0], expected[0])
    assert received[1] == expected[1]


@pytest.mark.parametrize("position", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_tampering_with_novelty_is_refused(folder: Path, position: float) -> None:
    path = folder / "novelty.safetensors"
    content = bytearray(path.read_bytes())
    content[int(position * (len(content) - 1))] ^= 0x10
    path.write_bytes(bytes(content))
    for signed in (False, True):
        if signed:
            _resign(folder)
        with pytest.raises(VerificationError, match=r"novelty|its contents say") as caught:
            open_bundle(folder)
        assert caught.value.exit_code == 4


def test_novelty_that_is_taken_away_or_slipped_in_is_refused(folder: Path, tmp_path: Path) -> None:
    novelty = (folder / "novelty.safetensors").read_bytes()
    (folder / "novelty.safetensors").unlink()
    _resign(folder)
    with pytest.raises(VerificationError, match="do not agree on whether it is there"):
        open_bundle(folder)
    plain = write_tiny_bundle(tmp_path / "plain")
    assert open_bundle(plain).novelty is None
    (plain / "novelty.safetensors").write_bytes(novelty)
    with pytest.raises(VerificationError, match="no part of a bundle"):
        open_bundle(plain)
    _resign(plain)
    with pytest.raises(VerificationError, match="do not agree on whether it is there"):
        open_bundle(plain)


def test_novelty_of_another_backbone_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="judges 7 features; the backbone gives 6"):
        write_tiny_bundle(tmp_path / "model", novelty=make_novelty(features=7))
    assert not (tmp_path / "model").exists()


def test_heads_of_another_model_are_refused_even_when_signed(folder: Path, tmp_path: Path) -> None:
    other = write_tiny_bundle(tmp_path / "other", seed=9)
    shutil.copy(other / "heads.safetensors", folder)
    _resign(folder)
    with pytest.raises(VerificationError, match="its contents say"):
        open_bundle(folder)


def test_bundle_json_of_another_kind_is_refused(folder: Path) -> None:
    for text in ("[]", "{", "null", "[" * 100_000):
        (folder / "bundle.json").write_text(text)
        _resign(folder)
        with pytest.raises(VerificationError, match=r"bundle\.json"):
            open_bundle(folder)


@pytest.mark.parametrize("kind", ["nothing", "file", "folder"])
def test_what_is_no_bundle_is_an_argument_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    if kind == "file":
        path.write_text("")
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(ConfigError, match="--model"):
        open_bundle(path)


def test_a_bundle_without_subtypes(tmp_path: Path) -> None:
    bundle = open_bundle(write_tiny_bundle(tmp_path / "model", tasks=("binary",)))
    assert bundle.record.tasks == ("binary",)
    assert list(bundle.heads) == ["binary"]


def test_the_record_has_a_schema() -> None:
    properties = BundleRecord.model_json_schema()["properties"]
    assert set(json.loads(make_record().model_dump_json())) == set(properties)


def test_a_list_of_digests_cut_at_its_end_is_refused(folder: Path) -> None:
    text = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(text[:-1])
    with pytest.raises(VerificationError, match="complete line"):
        open_bundle(folder)
