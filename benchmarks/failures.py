"""What dying workers cost: the scheduler of `--ray` itself, with simulated workers and a simulated clock.

    python benchmarks/failures.py [--workers 32] [--images 40000] [--seconds-an-image 0.25] [--restart 10] [--seed 0]

Every worker dies at random (exponential, so many hours between deaths of one worker) and takes so many seconds to be
replaced; which batches are sent, sent again and taken apart is decided by `lobule.scale.schedule`. Times of images
scatter (log-normal, a quarter). Overhead is against the same workers that never die.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

HOURS = (math.inf, 24.0 * 30, 24.0, 4.0, 1.0, 0.25, 0.05)
SPREAD = 0.25


@dataclass(eq=False)
class Token:
    """Something that was asked of a worker: when it is done, or when it is known that it will not be."""

    at: float
    is_done: bool
    results: Sequence[bool] = ()


@dataclass
class Place:
    """A worker: when it is free, and when it dies."""

    free: float = 0.0
    death: float = math.inf


@dataclass
class SimulatedCrew:
    """Workers of `work_through` on a clock of their own."""

    size: int
    seconds: np.ndarray[tuple[int], np.dtype[np.float64]]
    restart: float
    mean_life: float
    rng: np.random.Generator
    now: float = 0.0
    deaths: int = 0
    computed: int = 0
    places: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = [Place() for _ in range(self.size)]

    def start(self, slot: int) -> Token:
        """Start a worker; the first ones are there already."""
        ready = self.now + (self.restart if self.now else 0.0)
        life = math.inf if math.isinf(self.mean_life) else self.rng.exponential(self.mean_life)
        self.places[slot] = Place(ready, ready + life)
        return Token(ready, True)

    def send(self, slot: int, items: Sequence[int]) -> Token:
        """Queue items behind what the worker has."""
        place = self.places[slot]
        begin = max(self.now, place.free)
        end = begin + float(self.seconds[list(items)].sum())
        place.free = end
        if end > place.death:
            return Token(max(self.now, place.death), False)
        return Token(end, True, [True] * len(items))

    def wait(self, tokens: Sequence[object], *, starting: bool) -> object:
        """Let time pass until the first of them is done."""
        first = min((token for token in tokens if isinstance(token, Token)), key=lambda token: token.at)
        self.now = max(self.now, first.at)
        return first

    def result(self, slot: int, token: object) -> Sequence[bool]:
        """Return what was done."""
        assert isinstance(token, Token)
        from lobule.scale.schedule import WorkerDiedError

        if not token.is_done:
            self.deaths += 1
            raise WorkerDiedError("simulated")
        self.computed += len(token.results)
        return token.results


@dataclass(frozen=True)
class Outcome:
    """How a simulated run ended: seconds, deaths, and items that were given up."""

    seconds: float
    deaths: int
    lost: int


def simulate(*, workers: int, images: int, seconds_an_image: float, restart: float, hours: float, seed: int) -> Outcome:
    """Work through images with workers that live so many hours on average."""
    from lobule.scale.schedule import Lost, work_through

    sigma = math.sqrt(math.log(1 + SPREAD**2))
    drawn = np.random.default_rng([seed, 0]).lognormal(-(sigma**2) / 2, sigma, images) * seconds_an_image
    crew = SimulatedCrew(workers, drawn, restart, hours * 3600, np.random.default_rng([seed, 1]))
    seen = np.zeros(images, dtype=np.int64)
    lost = 0
    for done in work_through(range(images), crew):
        for item, result in done:
            seen[item] += 1
            lost += isinstance(result, Lost)
    assert (seen == 1).all(), "an image was lost, or came twice"
    return Outcome(crew.now, crew.deaths, lost)


def main() -> int:
    """Print a row for each time between deaths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--seconds-an-image", type=float, default=0.25)
    parser.add_argument("--restart", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    settings = vars(parser.parse_args())
    undisturbed = simulate(hours=math.inf, **settings).seconds
    ideal = settings["images"] * settings["seconds_an_image"] / settings["workers"]
    print(f"{undisturbed:.0f} s undisturbed, {100 * (undisturbed / ideal - 1):.1f} % above all workers always busy")
    print("hours between deaths of a worker | deaths | overhead % | images given up")
    for hours in HOURS:
        outcome = simulate(hours=hours, **settings)
        overhead = 100 * (outcome.seconds / undisturbed - 1)
        shown = "never" if math.isinf(hours) else f"{hours:g}"
        print(f"{shown:>32} | {outcome.deaths:6d} | {overhead:10.2f} | {outcome.lost}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
