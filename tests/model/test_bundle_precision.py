"""A bundle whose heads were trained on another precision than single runs in that precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lobule.errors import VerificationError
from lobule.features.openvino_engine import load_graph
from lobule.inference.predictor import Predictor
from lobule.model.bundle import open_bundle, write_bundle
from lobule.provenance import digest_of_file
from lobule.taxonomy import TASKS
from tests.model.tiny_bundle import INPUT_SIZE, make_head, make_record, write_graph, write_tiny_bundle

INT8 = ("backbone_int8.xml", "backbone_int8.bin")


def _stand_in(folder: Path) -> Path:
    """Write another graph under the names of the quantised one, so that it shows which of the two ran."""
    graph = write_graph(folder, seed=1)
    for name, target in zip(("backbone.xml", "backbone.bin"), INT8, strict=True):
        (graph / name).rename(graph / target)
    return graph


def _write(folder: Path, *, precision: str = "int8", quantised: Path | None = None) -> Path:
    return write_bundle(
        folder / "model",
        record=make_record().model_copy(update={"precision": precision}),
        heads={task: make_head(task) for task in TASKS},
        graph=write_graph(folder / "graph"),
        card="# Tiny\n",
        quantised=quantised,
    )


def test_the_quantised_graph_lies_beside_the_other_and_is_the_one_that_runs(tmp_path: Path) -> None:
    bundle = open_bundle(_write(tmp_path, quantised=_stand_in(tmp_path / "int8")))
    assert bundle.record.precision == "int8"
    assert (bundle.graph.name, bundle.running_graph.name) == ("backbone.xml", INT8[0])
    assert set(INT8) <= {path.name for path in bundle.folder.iterdir()}
    image = np.random.default_rng(0).integers(0, 256, (INPUT_SIZE, INPUT_SIZE, 3), dtype=np.uint8)
    features = load_graph(tmp_path / "int8" / INT8[0], precision="int8").encode([image, image[:, ::-1]])
    (row,) = Predictor(bundle).predict(image).frame.to_dict("records")
    expected = bundle.heads["binary"].logits(features).mean()
    assert row["logit_malignant"] == pytest.approx(expected, abs=1e-5)
    assert Predictor(bundle).heatmap(image).values.shape == (8, 8)


def test_both_graphs_are_under_their_digests_and_decide_the_id(tmp_path: Path) -> None:
    folder = _write(tmp_path, quantised=_stand_in(tmp_path / "int8"))
    bundle = open_bundle(folder)
    assert bundle.record.model_id != open_bundle(write_tiny_bundle(tmp_path / "plain")).record.model_id
    content = bytearray((folder / INT8[1]).read_bytes())
    content[0] ^= 1
    (folder / INT8[1]).write_bytes(content)
    with pytest.raises(VerificationError, match=r"backbone_int8\.bin: is not the file"):
        open_bundle(folder)
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    changed = [line for line in sums if INT8[1] not in line] + [f"{digest_of_file(folder / INT8[1])}  {INT8[1]}"]
    (folder / "SHA256SUMS").write_text("\n".join(changed) + "\n")
    with pytest.raises(VerificationError, match=r"bundle\.json says model_id"):
        open_bundle(folder)


def test_record_and_files_must_agree(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="a graph in int8 belongs to precision int8, received int8"):
        _write(tmp_path)
    with pytest.raises(VerificationError, match="a graph in int8 belongs to precision int8, received f32"):
        _write(tmp_path, precision="f32", quantised=_stand_in(tmp_path / "int8"))
    folder = _write(tmp_path, quantised=tmp_path / "int8")
    for name in INT8:
        (folder / name).unlink()
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    (folder / "SHA256SUMS").write_text("".join(f"{line}\n" for line in sums if "int8" not in line))
    with pytest.raises(
        VerificationError, match=r"backbone_int8\.bin, backbone_int8\.xml and bundle\.json do not agree"
    ):
        open_bundle(folder)


def test_a_bundle_in_bf16_runs_its_one_graph_in_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(_write(tmp_path, precision="bf16"))
    assert bundle.running_graph == bundle.graph
    asked: list[str] = []

    def recording(xml: Path, *, precision: str, threads: int | None) -> object:
        asked.append(precision)
        return load_graph(xml, threads=threads)

    monkeypatch.setattr("lobule.inference.predictor.load_graph", recording)
    Predictor(bundle).predict(np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8))
    assert asked == ["bf16"]


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "model")
    document = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**document, "precision": "f8"}))
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    changed = [
        f"{digest_of_file(folder / 'bundle.json')}  bundle.json" if "bundle.json" in line else line for line in sums
    ]
    (folder / "SHA256SUMS").write_text("\n".join(changed) + "\n")
    with pytest.raises(VerificationError, match="precision: Input should be 'f32', 'bf16' or 'int8'"):
        open_bundle(folder)
