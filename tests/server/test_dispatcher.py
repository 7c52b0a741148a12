from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lobule.errors import ImageError, VerificationError
from lobule.inference.answers import Answer
from lobule.inference.predictor import Load, Predictor
from lobule.server.dispatcher import BusyError, Dispatcher
from tests.inference.conftest import noise
from tests.server.conftest import until


def load_of(seed: int) -> Load:
    return lambda: noise(seed)


class Gate:
    """Lets loads wait until it is opened, and remembers the order in which they were begun."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.begun: list[str] = []

    def load(self, name: str, seed: int = 0) -> Load:
        def wait() -> NDArray[np.uint8]:
            self.begun.append(name)
            self.opened.wait(60)
            return noise(seed)

        return wait


@pytest.fixture
def dispatcher(predictor: Predictor) -> Generator[Dispatcher, None, None]:
    made = Dispatcher(predictor, capacity=64)
    yield made
    made.close()


def test_every_image_gets_its_own_answer(dispatcher: Dispatcher, predictor: Predictor) -> None:
    futures = [dispatcher.submit([load_of(seed) for seed in range(start, start + 3)]) for start in range(0, 30, 3)]
    answers = [future.result(60) for request in futures for future in request]
    logits = [answer.logits["binary"] for answer in answers if isinstance(answer, Answer)]
    expected = predictor.predict([noise(seed) for seed in range(30)]).logits("binary")
    np.testing.assert_allclose(np.array(logits), expected, rtol=1e-6)


def test_a_lone_image_does_not_wait_for_others(dispatcher: Dispatcher) -> None:
    (future,) = dispatcher.submit([load_of(1)])
    assert isinstance(future.result(60), Answer)


def test_requests_take_turns(predictor: Predictor) -> None:
    dispatcher, gate = Dispatcher(predictor, capacity=256), Gate()
    large = dispatcher.submit([gate.load(f"large {number}") for number in range(100)])
    until(lambda: len(gate.begun) >= 2)
    (small,) = dispatcher.submit([gate.load("small")])
    gate.opened.set()
    small.result(60)
    dispatcher.close()
    assert all(future.done() for future in large)
    assert gate.begun.index("small") < 60


def test_more_than_the_queue_takes_is_refused_as_a_whole(predictor: Predictor) -> None:
    dispatcher, gate = Dispatcher(predictor, capacity=4), Gate()
    accepted: list[Future[Answer | ImageError]] = []
    while True:
        try:
            accepted += dispatcher.submit([gate.load("x"), gate.load("x")])
        except BusyError:
            if dispatcher.waiting == 4:
                break
    assert not dispatcher.is_ready
    with pytest.raises(BusyError):
        dispatcher.submit([load_of(1)])
    with pytest.raises(BusyError):
        dispatcher.call(lambda: 1)
    gate.opened.set()
    dispatcher.close()
    assert all(isinstance(future.result(0), Answer) for future in accepted)
    assert dispatcher.waiting == 0
    with pytest.raises(BusyError):
        dispatcher.submit([load_of(1)])


def test_a_cancelled_image_is_never_decoded(predictor: Predictor) -> None:
    dispatcher, gate = Dispatcher(predictor, capacity=64), Gate()
    first = dispatcher.submit([gate.load("first") for _ in range(40)])
    (unwanted,) = dispatcher.submit([gate.load("unwanted")])
    assert unwanted.cancel()
    gate.opened.set()
    dispatcher.close()
    assert all(future.result(0) for future in first)
    assert "unwanted" not in gate.begun


def test_images_that_cannot_be_used_and_other_work_stand_between_others(dispatcher: Dispatcher) -> None:
    def fail() -> NDArray[np.uint8]:
        raise ImageError("broken")

    def stumble() -> int:
        raise VerificationError("no")

    first, broken, last = dispatcher.submit([load_of(1), fail, load_of(2)])
    (called,) = dispatcher.call(lambda: 42)
    (stumbled,) = dispatcher.call(stumble)
    assert called.result(60) == 42
    with pytest.raises(VerificationError):
        stumbled.result(60)
    assert isinstance(broken.result(60), ImageError)
    assert isinstance(first.result(60), Answer)
    assert isinstance(last.result(60), Answer)


class Fragile(Predictor):
    """Fails as a whole where one image is poisonous."""

    def stream(self, loads: Iterable[Load]) -> Generator[Answer | ImageError, None, None]:
        for answer in super().stream(loads):
            if isinstance(answer, Answer) and answer.pixel_sha256 == self.poison:
                raise VerificationError("poison")
            yield answer

    poison = ""


def test_an_image_that_breaks_a_batch_breaks_only_itself(model: Path, predictor: Predictor) -> None:
    fragile = Fragile(model)
    fragile.poison = str(predictor.predict(noise(5)).frame["pixel_sha256"][0])
    dispatcher = Dispatcher(fragile, capacity=64)
    futures = dispatcher.submit([load_of(seed) for seed in range(12)])
    dispatcher.close()
    for seed, future in enumerate(futures):
        if seed == 5:
            with pytest.raises(VerificationError):
                future.result(0)
        else:
            assert isinstance(future.result(0), Answer)


def test_the_wait_is_estimated_by_the_pace(predictor: Predictor) -> None:
    dispatcher = Dispatcher(predictor, capacity=256)
    assert dispatcher.seconds_waiting == 0

    def slow(seed: int) -> Callable[[], NDArray[np.uint8]]:
        def load() -> NDArray[np.uint8]:
            time.sleep(0.02)
            return noise(seed)

        return load

    dispatcher.submit([slow(seed) for seed in range(120)])
    highest = 0.0
    while dispatcher.waiting:
        highest = max(highest, dispatcher.seconds_waiting)
    dispatcher.close()
    assert highest > 0
    assert dispatcher.seconds_waiting == 0
