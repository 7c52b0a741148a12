"""A batch whose answers come from elsewhere: in any order, with the same files as one that is answered here."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lobule.errors import ImageError
from lobule.inference.batch import predict_paths
from lobule.inference.elsewhere import UNDRAWN, Question, Reply, Workers, replies
from lobule.inference.journal import Journal, stamp_of
from lobule.inference.predictor import Predictor
from tests.inference.conftest import write_images


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_images(tmp_path / "images", 9)
    (tmp_path / "images" / "bad.png").write_bytes(b"no image")
    return tmp_path / "images"


def _shuffled(seed: int, asked: list[Question] | None = None) -> Workers:
    """Return workers that answer in any order, up to three at a time."""

    def work(questions: Sequence[Question], predictor: Predictor) -> Iterator[Sequence[tuple[int, Reply]]]:
        (asked if asked is not None else []).extend(questions)
        places = random.Random(seed).sample(range(len(questions)), len(questions))
        for start in range(0, len(places), 3):
            some = places[start : start + 3]
            chosen = [(questions[place], Path(questions[place].stamp.path)) for place in some]
            yield list(zip(some, replies(chosen, predictor), strict=True))

    return work


def _outputs(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_answers_changes_nothing(seed: int, images: Path, predictor: Predictor, tmp_path: Path) -> None:
    for name, workers in (("here", None), ("there", _shuffled(seed))):
        out = tmp_path / name
        told: list[tuple[str, int, int]] = []
        summary = predict_paths(
            [images],
            predictor,
            out / "p.csv",
            heatmaps=out / "maps",
            workers=workers,
            progress=lambda *event: told.append(event),  # noqa: B023 - called before the next turn
        )
        assert (summary.n_predicted, summary.n_failed, summary.n_resumed) == (9, 1, 0)
        assert told[-1] == ("predict", 10, 10)
    assert _outputs(tmp_path / "here") == _outputs(tmp_path / "there")


def test_what_has_come_is_kept_and_only_the_rest_is_asked_again(
    images: Path, predictor: Predictor, tmp_path: Path
) -> None:
    out = tmp_path / "there"

    def stopping(questions: Sequence[Question], predictor: Predictor) -> Iterator[Sequence[tuple[int, Reply]]]:
        for number, some in enumerate(_shuffled(0)(questions, predictor)):
            if number == 2:
                raise KeyboardInterrupt
            yield some

    with pytest.raises(KeyboardInterrupt):
        predict_paths([images], predictor, out / "p.csv", heatmaps=out / "maps", workers=stopping)
    kept = len((out / "p.csv.partial").read_bytes().splitlines()) - 1
    assert 5 <= kept <= 6
    drawn = sorted((out / "maps").iterdir())
    drawn[0].unlink()
    asked: list[Question] = []
    told: list[int] = []
    predict_paths(
        [images],
        predictor,
        out / "p.csv",
        heatmaps=out / "maps",
        resume=True,
        workers=_shuffled(1, asked),
        progress=lambda _, done, __: told.append(done),
    )
    known = [question for question in asked if question.known is not None]
    assert len(asked) == 10 - kept + 1
    assert [len(question.draw) for question in known] == [1]
    assert told[0] == kept - 1
    predict_paths([images], predictor, tmp_path / "here" / "p.csv", heatmaps=tmp_path / "here" / "maps")
    assert _outputs(out) == _outputs(tmp_path / "here")


def test_an_answer_that_was_known_is_noted_once(
    images: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict_paths([images], predictor, tmp_path / "p.csv")
    monkeypatch.setattr(Journal, "discard", lambda self: None)
    predict_paths([images], predictor, tmp_path / "p.csv", workers=_shuffled(0))
    before = (tmp_path / "p.csv.partial").read_bytes()
    predict_paths(
        [images], predictor, tmp_path / "p.csv", heatmaps=tmp_path / "maps", resume=True, workers=_shuffled(0)
    )
    assert (tmp_path / "p.csv.partial").read_bytes() == before
    assert len(list((tmp_path / "maps").iterdir())) == 18


def test_a_question_whose_image_cannot_be_read_has_its_reason(
    images: Path, predictor: Predictor, tmp_path: Path
) -> None:
    path = images / "000.png"
    (first,) = replies([(Question(stamp_of(path)), path)], predictor)
    assert not isinstance(first.answer, ImageError)
    (unread,) = replies([(Question(stamp_of(path)), ImageError("gone"))], predictor)
    assert str(unread.answer) == "gone"
    (undrawn,) = replies([(Question(stamp_of(path), first.answer, ("binary",)), ImageError("gone"))], predictor)
    assert undrawn.undrawn == f"{UNDRAWN}: gone"
    assert undrawn.answer is first.answer
