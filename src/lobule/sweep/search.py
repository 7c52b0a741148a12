"""The search: configurations are tried on the inner folds of every outer fit, and each outer fit chooses its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.model.parallel_heads import TaskData
from lobule.model.side_by_side import side_by_side
from lobule.provenance import digest_of_json
from lobule.report.search_record import finalists_of
from lobule.sweep.inner_score import InnerScore, inner_score
from lobule.sweep.inner_training import watched_logits
from lobule.sweep.sampler import Sampler
from lobule.sweep.space import configured_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lobule.config import Config, HeadSettings
    from lobule.features.extract import Features
    from lobule.progress import Progress
    from lobule.sweep.journal import SearchJournal
    from lobule.sweep.nested import Nested, Part
    from lobule.sweep.settings import SweepSettings
    from lobule.sweep.space import Space

__all__ = ["Choice", "Found", "Search", "Tried", "screening_epochs"]

_SCREENING: Final = 4
"""The first look takes this part of the epochs."""

_BATCH: Final = 10
_FULL, _SCREENED = "full", "screened"


@dataclass(frozen=True)
class Tried:
    """What one configuration reached for one outer fit.

    Attributes:
        part: name of the outer fit.
        number: of the configuration; 0 is the one that was given.
        stage: `screened` or `full`: whether it was trained to the end.
        score: on the inner folds.
    """

    part: str
    number: int
    stage: str
    score: InnerScore


@dataclass(frozen=True)
class Choice:
    """What the search of one outer fit chose.

    Attributes:
        part: name of the outer fit.
        number: of the configuration.
        drawn: its settings by name; none for the configuration that was given.
        config: all settings.
        score: of it on the inner folds.
        given: score of the configuration that was given, on the same folds.
    """

    part: str
    number: int
    drawn: Mapping[str, Any]
    config: Config
    score: InnerScore
    given: InnerScore


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes:
        choices: of each outer fit, in their order.
        tried: everything that was tried.
        drawn: by (study, number), the settings that were drawn; the study is "" where one list serves all outer fits,
            else the name of the outer fit.
    """

    choices: tuple[Choice, ...]
    tried: tuple[Tried, ...]
    drawn: Mapping[tuple[str, int], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Search:
    """Everything that a search stands on.

    Attributes:
        config: settings of everything that is not searched; its own configuration is the first that is tried.
        space: what is searched.
        settings: how.
        nested: outer fits and inner fits.
        features_of: features of all images by a configuration.
        targets: (n,) class of each image in the binary task.
        cases: (n,) case of each image.
        journal: what is known already.
        progress: told how many configurations are done.
    """

    config: Config
    space: Space
    settings: SweepSettings
    nested: Nested
    features_of: Callable[[Config], Features]
    targets: NDArray[np.int64]
    cases: NDArray[np.str_]
    journal: SearchJournal
    progress: Progress

    def run(self) -> Found:
        """Search; the same seed and data give the same result, whatever was killed in between."""
        with side_by_side(os.cpu_count() or 1) as pool:
            return self._shared(pool) if self.settings.sampler == "random" else self._apart(pool)

    def _shared(self, pool: Executor) -> Found:
        """Try one list of configurations for all outer fits; each goes on with those that look best to itself."""
        sampler = Sampler(self.space, kind="random", seed=self.config.seed)
        drawn: list[Mapping[str, Any]] = [{}, *sampler.draw(self.settings.trials - 1)]
        configs = [configured_by(self.config, each) for each in drawn]
        parts = self.nested.parts
        keep = finalists_of(self.settings.finalists, self.settings.trials)
        screened: dict[str, dict[int, InnerScore]] = {part.name: {} for part in parts}
        chosen = {part.name: list(range(len(configs))) for part in parts}
        if keep < len(configs):
            everyone = {number: list(parts) for number in range(len(configs))}
            screened = self._scored(pool, configs, everyone, stage=_SCREENED)
            # The given configuration is always trained in full: it is what the chosen ones are compared with.
            chosen = {name: sorted({0, *_best(scores)[:keep]}) for name, scores in screened.items()}
        finalists = {
            number: [part for part in parts if number in chosen[part.name]]
            for number in sorted({number for numbers in chosen.values() for number in numbers})
        }
        full = self._scored(pool, configs, finalists, stage=_FULL)
        choices = tuple(self._choice(part, full[part.name], drawn, configs) for part in parts)
        tried = [
            Tried(part.name, number, stage, score)
            for part in parts
            for stage, scores in ((_SCREENED, screened[part.name]), (_FULL, full[part.name]))
            for number, score in scores.items()
        ]
        return Found(choices, tuple(tried), {("", number): each for number, each in enumerate(drawn)})

    def _apart(self, pool: Executor) -> Found:
        """Search for each outer fit by itself: what is drawn next depends on its own inner scores alone."""
        alone = [self._alone(pool, position) for position in range(len(self.nested.parts))]
        return Found(
            tuple(choice for each in alone for choice in each.choices),
            tuple(tried for each in alone for tried in each.tried),
            {key: drawn for each in alone for key, drawn in each.drawn.items()},
        )

    def _alone(self, pool: Executor, position: int) -> Found:
        part, trials = self.nested.parts[position], self.settings.trials
        sampler = Sampler(self.space, kind="tpe", seed=self.config.seed)
        drawn: list[Mapping[str, Any]] = [{}]
        configs = [self.config]

        def scored(numbers: Sequence[int]) -> dict[int, InnerScore]:
            told = (position * trials + numbers[0], trials * len(self.nested.parts))
            asked = {number: [part] for number in numbers}
            return self._scored(pool, configs, asked, stage=_FULL, told=told)[part.name]

        scores = scored([0])
        while len(configs) < trials:
            new = sampler.draw(min(_BATCH, trials - len(configs)))
            numbers = range(len(configs), len(configs) + len(new))
            drawn += new
            configs += [configured_by(self.config, each) for each in new]
            found = scored(numbers)
            sampler.tell([found[number].value for number in numbers])
            scores |= found
        return Found(
            (self._choice(part, scores, drawn, configs),),
            tuple(Tried(part.name, number, _FULL, score) for number, score in scores.items()),
            {(part.name, number): each for number, each in enumerate(drawn)},
        )

    def _choice(
        self,
        part: Part,
        scores: Mapping[int, InnerScore],
        drawn: Sequence[Mapping[str, Any]],
        configs: Sequence[Config],
    ) -> Choice:
        number = _best(scores)[0]
        return Choice(part.name, number, drawn[number], configs[number], scores[number], scores[0])

    def _scored(
        self,
        pool: Executor,
        configs: Sequence[Config],
        asked: Mapping[int, list[Part]],
        *,
        stage: str,
        told: tuple[int, int] | None = None,
    ) -> dict[str, dict[int, InnerScore]]:
        """Return the scores of configurations by outer fit and number, of the outer fits that ask for each.

        `told` is how many were done before and how many there are, where these are not all.
        """
        found: dict[str, dict[int, InnerScore]] = {part.name: {} for part in self.nested.parts}
        for done, (number, parts) in enumerate(asked.items(), start=1):
            for name, score in self._scores_of(pool, configs[number], parts, stage=stage).items():
                found[name][number] = score
            if told:
                before, total = told
                self.progress("search", before + done, total)
            else:
                self.progress("search" if stage == _FULL else "first look", done, len(asked))
        return found

    def _scores_of(self, pool: Executor, config: Config, parts: Sequence[Part], *, stage: str) -> dict[str, InnerScore]:
        head = config.head.model_dump(mode="json")
        key = digest_of_json({"features": config.features.model_dump(mode="json"), "head": head})
        scores = {part.name: self.journal.known(stage, key, part.name) for part in parts}
        missing = [part for part in parts if scores[part.name] is None]
        known = {name: score for name, score in scores.items() if score is not None}
        if not missing:
            return known
        data = TaskData("binary", self.features_of(config).values, self.targets, self.cases)
        epochs = _part_of(config.head) if stage == _SCREENED else config.head.max_epochs
        needed = sorted({index for part in missing for index, _ in part.folds})

        def train(index: int) -> NDArray[np.float32]:
            # One seed an inner fit: configurations differ in their settings, not in their luck.
            seed = int(np.random.SeedSequence([self.config.seed, index]).generate_state(1)[0])
            return watched_logits(data, self.nested.inner[index], config.head, epochs=epochs, seed=seed)

        logits = dict(zip(needed, pool.map(train, needed), strict=True))
        new = {
            part.name: inner_score(data, part, self.nested.inner, logits, objective=self.settings.objective)
            for part in missing
        }
        self.journal.add(stage, key, new)
        return {**known, **new}


def screening_epochs(head: HeadSettings, settings: SweepSettings) -> int:
    """Return the epochs of the first look at all configurations; 0 where all are trained in full at once."""
    keep = finalists_of(settings.finalists, settings.trials)
    return 0 if settings.sampler == "tpe" or keep >= settings.trials else _part_of(head)


def _part_of(head: HeadSettings) -> int:
    return max(1, round(head.max_epochs / _SCREENING))


def _best(scores: Mapping[int, InnerScore]) -> list[int]:
    """Return numbers from the best to the worst; of equals the first comes first."""
    return sorted(scores, key=lambda number: (-scores[number].value, number))
