"""What a search for settings tried and chose: the content of search.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from lobule.errors import DataError
from lobule.provenance import write_atomically

__all__ = ["SEARCH_FILE", "SearchRecord", "SearchedPart"]

SEARCH_FILE: Final = "search.json"


def finalists_of(share: float, trials: int) -> int:
    """Return how many of so many configurations are trained in full."""
    return max(1, round(share * trials))


_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, kw_only=True)
class SearchedPart:
    """What the search of one outer fit chose.

    Attributes:
        name: `fold 1`, ..., `holdout` or `final`.
        number: of the chosen configuration; 0 is the one that was given.
        settings: what was drawn for it, by name; none for the given one.
        n_full: configurations that were trained in full for this outer fit.
        inner: objective of the chosen configuration on the inner folds.
        given: objective of the given configuration on the same inner folds.
        held_out: objective on the images that the search never saw; None for the final model, and where they are of
            one label.
        epochs: by task, how many epochs the chosen head was trained, chosen on the inner folds.
    """

    name: str
    number: int
    settings: Mapping[str, Any]
    n_full: int
    inner: float
    given: float
    held_out: float | None
    epochs: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """A search, as it is reported.

    Attributes:
        n_configurations: configurations that were drawn, the given one included; for each outer fit where the sampler
            is `tpe`, else for all together.
        sampler: `random` or `tpe`.
        objective: `auroc` or `log_loss` (negative): more is better.
        seed: of the draws and of the trainings.
        finalists: share of the configurations that were trained in full.
        screening_epochs: epochs of the first look at all; 0 where there was none.
        max_epochs: epochs of a full training.
        n_inner_trainings: different sets of images that a configuration is trained on.
        space: what was searched, as in a space file.
        parts: of each outer fit.
        outer: objective over all folds, of images that no search behind their predictions has seen.
    """

    n_configurations: int
    sampler: str
    objective: str
    seed: int
    finalists: float
    screening_epochs: int
    max_epochs: int
    n_inner_trainings: int
    space: Mapping[str, Any]
    parts: tuple[SearchedPart, ...]
    outer: float | None

    @property
    def inner(self) -> float:
        """Mean inner score of what the folds chose."""
        chosen = [part.inner for part in self.folds]
        return sum(chosen) / len(chosen)

    @property
    def given(self) -> float:
        """Mean inner score of the given configuration over the same folds."""
        return sum(part.given for part in self.folds) / len(self.folds)

    @property
    def n_finalists(self) -> int:
        """How many configurations each outer fit trains in full because of their first look."""
        return finalists_of(self.finalists, self.n_configurations)

    @property
    def optimism(self) -> float | None:
        """How much better the inner score looks than what comes of it: inner minus outer."""
        return None if self.outer is None else self.inner - self.outer

    @property
    def folds(self) -> tuple[SearchedPart, ...]:
        """The outer fits that are folds."""
        return tuple(part for part in self.parts if part.name.startswith("fold "))

    def summary(self) -> dict[str, Any]:
        """Return what run.json and metrics.json say of the search."""
        return {
            "n_configurations": self.n_configurations,
            "sampler": self.sampler,
            "objective": self.objective,
            "seed": self.seed,
            "chosen": {part.name: part.number for part in self.parts},
            "inner": self.inner,
            "inner_of_given": self.given,
            "outer": self.outer,
            "optimism": self.optimism,
        }

    def write(self, path: Path) -> None:
        """Write search.json, atomically."""
        document = {"schema_version": _SCHEMA_VERSION, **asdict(self), "summary": self.summary()}
        write_atomically(path, json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> SearchRecord:
        """Read search.json.

        Raises:
            DataError: the file cannot be read, or is not a search.json.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.pop("schema_version") != _SCHEMA_VERSION:
                raise ValueError("another schema_version")
            del document["summary"]
            parts = tuple(SearchedPart(**part) for part in document.pop("parts"))
            return cls(**document, parts=parts)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"{path}: cannot be read as the record of a search ({error}); run the sweep again"
            ) from None
