"""What workers do, done in this process."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from lobule.data.images import decode, pixel_sha256
from lobule.errors import DataError, ImageError, VerificationError
from lobule.features.extract import Wanted, loaded_views
from lobule.features.openvino_engine import load_graph
from lobule.inference.elsewhere import Question, Reply
from lobule.inference.journal import Stamp, stamp_of
from lobule.inference.predictor import Predictor
from lobule.scale import host
from lobule.scale.host import Host
from lobule.scale.work import Answering, Carried, Encoding, carried
from tests.inference.conftest import write_images
from tests.model.tiny_bundle import write_graph, write_tiny_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("run") / "model")


def _ask(work: Answering, *asked: tuple[Question, Carried]) -> list[Reply | None]:
    return work.open()([((place, question), given) for place, (question, given) in enumerate(asked)])


def _answer(reply: Reply | None) -> dict[str, Any]:
    assert reply is not None
    assert not isinstance(reply.answer, ImageError)
    return {
        "digest": reply.answer.pixel_sha256,
        **{task: values.tolist() for task, values in reply.answer.logits.items()},
    }


def test_a_worker_answers_as_the_predictor_does_from_files_and_from_bytes(model: Path, tmp_path: Path) -> None:
    paths = write_images(tmp_path / "images", 5)
    predictor = Predictor(model)
    work: Answering = pickle.loads(pickle.dumps(Answering.of(predictor.bundle)))
    questions = [Question(stamp_of(path)) for path in paths]
    files = _ask(work, *((question, None) for question in questions))
    carried_along = _ask(
        work, *((question, path.read_bytes()) for question, path in zip(questions, paths, strict=True))
    )
    direct = list(predictor.stream(lambda path=path: decode(path) for path in paths))  # type: ignore[misc]
    expected = [_answer(Reply(answer)) for answer in direct]
    assert [_answer(reply) for reply in files] == [_answer(reply) for reply in carried_along] == expected
    assert work.file_of((0, questions[2])) == paths[2].absolute()


def test_a_worker_fetches_what_lies_at_an_address(model: Path, tmp_path: Path) -> None:
    (image,) = write_images(tmp_path / "images", 1)
    fsspec.filesystem("memory").pipe("/ray/a.png", image.read_bytes())
    there, gone = (Question(Stamp(f"memory://ray/{name}.png", 1, 1)) for name in ("a", "gone"))
    work = Answering.of(Predictor(model).bundle)
    from_file, fetched, missing = _ask(work, (Question(stamp_of(image)), None), (there, None), (gone, None))
    assert _answer(fetched) == _answer(from_file)
    assert missing is not None
    assert str(missing.answer).startswith("cannot be fetched: ")


def test_what_is_not_the_same_file_here_is_not_answered(model: Path, tmp_path: Path) -> None:
    changed, same = write_images(tmp_path / "images", 2)
    work = Answering.of(Predictor(model).bundle)
    known = stamp_of(changed)
    other = Question(Stamp(known.path, known.size, known.mtime_ns + 1))
    gone = Question(Stamp(str(tmp_path / "gone.png"), 12, 0))
    replies = _ask(work, (other, None), (gone, None), (Question(stamp_of(same)), None))
    assert replies[:2] == [None, None]
    assert isinstance(replies[2], Reply)


def test_failures_have_the_reasons_that_they_have_without_workers(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    bad = Question(stamp_of(tmp_path / "bad.png"))
    gone = tmp_path / "gone.png"
    work = Answering.of(Predictor(model).bundle)
    replies = _ask(work, (bad, None), (bad, b"no image"), (Question(stamp_of(gone)), None), (bad, carried(gone)))
    reasons = [str(reply.answer) for reply in replies if reply is not None]
    with pytest.raises(ImageError) as refused:
        decode(gone)
    assert reasons[0] == reasons[1]
    assert "known format" in reasons[0]
    assert reasons[2] == reasons[3] == str(refused.value)


def test_what_is_carried(tmp_path: Path) -> None:
    (path,) = write_images(tmp_path / "images", 1)
    assert carried(path) == path.read_bytes()
    for wrong in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ImageError) as refused:
            decode(wrong)
        assert str(carried(wrong)) == str(refused.value)


def test_heat_maps_are_drawn_for_new_and_for_known_answers(model: Path, tmp_path: Path) -> None:
    new, known = write_images(tmp_path / "images", 2)
    work = Answering.of(Predictor(model).bundle)
    (first,) = _ask(work, (Question(stamp_of(known)), None))
    assert first is not None
    assert not isinstance(first.answer, ImageError)
    asked = (Question(stamp_of(known), first.answer, ("binary",)), None)
    drawn, again = _ask(work, (Question(stamp_of(new), None, ("binary", "subtype")), None), asked)
    assert drawn is not None
    assert again is not None
    assert set(drawn.overlays) == {"binary", "subtype"}
    assert again.answer is first.answer
    assert set(again.overlays) == {"binary"}
    assert all(png[:4] == b"\x89PNG" for png in (*drawn.overlays.values(), *again.overlays.values()))
    (spoilt,) = _ask(work, (Question(stamp_of(known), first.answer, ("binary",)), b"no image"))
    assert spoilt is not None
    assert spoilt.undrawn.startswith("predicted, but its heat maps could not be drawn: not an image")


def test_a_damaged_bundle_and_other_arithmetic_are_refused(model: Path) -> None:
    work = Answering.of(Predictor(model).bundle)
    with pytest.raises(VerificationError, match="SHA-256"):
        Answering({**work.files, "heads.safetensors": b"x"}, work.arithmetic).open()
    with pytest.raises(VerificationError, match="in f32, the computer that asks in bf16"):
        Answering(work.files, "bf16").open()


def test_features_are_those_of_the_engine(tmp_path: Path) -> None:
    paths = write_images(tmp_path / "images", 3)
    graph = write_graph(tmp_path / "graph") / "backbone.xml"
    perform = Encoding.of(graph, precision="f32").open()
    wanted = [Wanted(path, pixel_sha256(decode(path)), ("identity", "flip_horizontal")) for path in paths]
    moved = Wanted(tmp_path / "elsewhere.png", wanted[2].digest, ("identity",))
    given: list[tuple[tuple[int, Wanted], Carried]] = [
        ((0, wanted[0]), None),
        ((1, wanted[1]), paths[1].read_bytes()),
        ((2, moved), None),
        ((3, Wanted(paths[2], "0" * 64, ("identity",))), None),
    ]
    rows = perform(given)
    engine = load_graph(graph)
    for row, image in zip(rows[:2], wanted, strict=False):
        assert row is not None
        np.testing.assert_array_equal(row, engine.encode(loaded_views(image, image.path, size=engine.input_size)))
    assert rows[2:] == [None, None]
    assert Encoding.of(graph, precision="f32").file_of((0, moved)) == moved.path


@pytest.mark.parametrize("given", [b"no image", ImageError("gone")])
def test_an_image_that_cannot_be_had_ends_the_features(given: Carried, tmp_path: Path) -> None:
    perform = Encoding.of(write_graph(tmp_path / "graph") / "backbone.xml", precision="f32").open()
    with pytest.raises(DataError, match=r"x\.png: .*scan the data again"):
        perform([((0, Wanted(Path("x.png"), "0" * 64, ("identity",))), given)])


def test_the_host_opens_work_and_does_it(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "get", lambda reference: reference)
    (path,) = write_images(tmp_path / "images", 1)
    worker, work = Host(), Answering.of(Predictor(model).bundle)
    kind, process = worker.open(host.installed(["lobule", "numpy"]), [work])
    assert (kind, isinstance(process, int)) == ("done", True)
    kind, (reply,) = worker.perform([((0, Question(stamp_of(path))), None)])
    assert kind == "done"
    assert _answer(reply)["digest"] == pixel_sha256(decode(path))
    told = Host().open({}, [Answering(work.files, "bf16")])
    assert told[:2] == ("trouble", "VerificationError")


def test_the_host_refuses_other_versions_before_it_fetches_the_work() -> None:
    found = host.installed(["lobule", "numpy", "no-such-package"])
    assert found["no-such-package"] == "not installed"
    kind, name, message = Host().open({**found, "lobule": "9.9", "no-such-package": "1"}, [])
    assert (kind, name) == ("trouble", "ConfigError")
    assert f"lobule {found['lobule']} where 9.9 is expected" in message
    assert "no-such-package not installed where 1 is expected" in message
    assert "numpy" not in message


def test_an_image_at_an_address_is_never_carried() -> None:
    assert carried(Path("s3://bucket/a.png")) is None
    assert isinstance(carried(Path("/no/such/a.png")), ImageError)


def test_what_a_killed_worker_left_goes_when_the_next_one_opens(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f".lobule-worker-{os.getuid()}.0123456789ab.tmp"
    left.mkdir()
    (left / "backbone.bin").write_bytes(b"half")
    Answering.of(Predictor(model).bundle).open()
    assert list(tmp_path.iterdir()) == []
