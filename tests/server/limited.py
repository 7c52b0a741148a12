"""A server with other limits and a slow model: python -m tests.server.limited MODEL queue=2 slow=0.5."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lobule.errors import ImageError
from lobule.inference.answers import Answer
from lobule.inference.predictor import Load, Predictor
from lobule.server.access import Access
from lobule.server.limits import Limits
from lobule.server.run import listen, serve
from lobule.server.service import Service


class SlowPredictor(Predictor):
    """Takes its time for every image."""

    seconds = 0.0

    def stream(self, loads: Iterable[Load]) -> Generator[Answer | ImageError, None, None]:
        return super().stream(partial(self._later, load) for load in loads)

    def _later(self, load: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        time.sleep(self.seconds)
        return load()


def main(arguments: list[str]) -> None:
    model, *settings = arguments
    given = {name: float(value) for name, value in (setting.split("=") for setting in settings)}
    predictor = SlowPredictor(Path(model))
    slow = given.pop("slow", 0.0)
    limits = Limits(**{"requests_per_minute": 1_000_000, **{name: _whole(value) for name, value in given.items()}})
    service = Service(predictor, limits)
    service.warm_up()
    predictor.seconds = slow
    with listen("127.0.0.1", 0) as listening:
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        serve(service, listening, access=Access())


def _whole(value: float) -> int:
    return int(value) if value.is_integer() else value  # type: ignore[return-value]


if __name__ == "__main__":
    main(sys.argv[1:])
