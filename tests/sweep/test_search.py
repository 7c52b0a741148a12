"""What makes a search honest: no choice depends on what it is scored on, and nothing depends on luck or kills."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lobule.errors import MissingExtraError
from lobule.sweep import search as search_module
from lobule.sweep.inner_training import watched_logits
from lobule.sweep.journal import SearchJournal
from lobule.sweep.sampler import import_optuna
from lobule.sweep.search import Found, Search
from tests.controls.simulated import Simulated, simulated
from tests.sweep.small import SMALL, data_of, search_of, values

JOB = simulated(cases=48, each=2, size=10)


def searched(folder: Path, job: Simulated = JOB, **options: object) -> Found:
    with SearchJournal(folder / "journal", origin={}) as journal:
        return search_of(job, journal, **options).run()  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_choice_of_a_fold_does_not_know_the_labels_of_that_fold(tmp_path: Path, sampler: str) -> None:
    """Whatever the labels of a fold are: to the bit the same scores, hence the same choice, for that fold."""
    data = data_of(JOB)
    held_out = JOB.fits[0].validation
    other = np.where(held_out, 1 - data.targets, data.targets)
    (tmp_path / "other").mkdir()
    plain = searched(tmp_path, sampler=sampler, trials=5)
    changed = searched(tmp_path / "other", sampler=sampler, trials=5, targets=other)
    assert plain.choices[0].drawn == changed.choices[0].drawn
    assert plain.choices[0].score == changed.choices[0].score
    of_first = {key: value for key, value in values(plain).items() if key[0] == "fold 1"}
    assert of_first == {key: value for key, value in values(changed).items() if key[0] == "fold 1"}
    # The labels do matter to those who train on them.
    assert values(plain) != values(changed)


def test_every_configuration_is_looked_at_and_a_share_is_trained_in_full(tmp_path: Path) -> None:
    found = searched(tmp_path, trials=8, finalists=0.25)
    parts = ["fold 1", "fold 2", "fold 3", "holdout", "final"]
    assert [choice.part for choice in found.choices] == parts
    for choice in found.choices:
        mine = [each for each in found.tried if each.part == choice.part]
        screened = {each.number: each.score.value for each in mine if each.stage == "screened"}
        full = {each.number: each.score.value for each in mine if each.stage == "full"}
        assert set(screened) == set(range(8))
        best = sorted(screened, key=lambda number: (-screened[number], number))[:2]
        assert set(full) == {0, *best}
        assert choice.score.value == max(full.values()) == full[choice.number]
        assert choice.given.value == full[0]
    assert found.drawn["", 0] == {}
    assert found.choices[0].config.head.max_epochs == SMALL.head.max_epochs


def test_without_screening_all_are_trained_in_full(tmp_path: Path) -> None:
    found = searched(tmp_path, trials=3, finalists=1.0)
    assert {(each.number, each.stage) for each in found.tried} == {(0, "full"), (1, "full"), (2, "full")}


def test_tpe_searches_for_each_outer_fit_by_itself(tmp_path: Path) -> None:
    found = searched(tmp_path, sampler="tpe", trials=24)
    of_first = [found.drawn["fold 1", number] for number in range(24)]
    of_final = [found.drawn["final", number] for number in range(24)]
    # Ten are drawn before any score is known; later ones follow the scores, which differ.
    assert of_first[:11] == of_final[:11]
    assert of_first != of_final
    assert {each.stage for each in found.tried} == {"full"}


class KilledError(Exception):
    pass


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_killed_search_goes_on_with_the_same_result(
    tmp_path: Path, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "killed").mkdir()
    undisturbed = searched(tmp_path, sampler=sampler, trials=6)
    trained: list[int] = []

    def killed(*arguments: object, **options: object) -> np.ndarray:
        if len(trained) >= 40:
            raise KilledError
        trained.append(1)
        return watched_logits(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(search_module, "watched_logits", killed)
        with pytest.raises(KilledError):
            searched(tmp_path / "killed", sampler=sampler, trials=6)
    before = (tmp_path / "killed" / "journal").read_bytes().count(b"\n")
    assert before > 2
    again: list[int] = []

    def counted(*arguments: object, **options: object) -> np.ndarray:
        again.append(1)
        return watched_logits(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(search_module, "watched_logits", counted)
    resumed = searched(tmp_path / "killed", sampler=sampler, trials=6)
    assert values(resumed) == values(undisturbed)
    assert [choice.number for choice in resumed.choices] == [choice.number for choice in undisturbed.choices]
    again.clear()
    searched(tmp_path / "killed", sampler=sampler, trials=6)
    assert again == []


def test_on_labels_that_mean_nothing_only_the_inner_score_is_flattered(tmp_path: Path) -> None:
    """Chance: what is best of many on the inner folds looks good, and what it holds out shows that it is not."""
    random = np.random.default_rng(3)
    job = simulated(cases=48, each=2, size=10, label_effect=0.0)
    targets = np.repeat(random.permutation(np.repeat([0, 1], 24)), 2)
    with SearchJournal(tmp_path / "journal", origin={}) as journal:
        search: Search = search_of(job, journal, trials=40, finalists=1.0, targets=targets)
        found = search.run()
    inner = np.mean([choice.score.value for choice in found.choices[:3]])
    typical = np.mean([each.score.value for each in found.tried if each.part.startswith("fold")])
    data = data_of(job)
    outer = np.full(len(targets), np.nan)
    for choice, part in zip(found.choices, search.nested.parts, strict=True):
        if part.fit.protocol == "folds":
            fit = type(search.nested.inner[0])(part.fit.train, part.fit.validation)
            said = watched_logits(
                type(data)("binary", search.features_of(choice.config).values, targets, data.cases),
                fit,
                choice.config.head,
                epochs=choice.score.epochs,
                seed=0,
            )
            outer[part.fit.validation] = said[-1]
    assert inner > typical + 0.04
    assert inner - roc_auc_score(targets, outer) > 0.04
    assert abs(roc_auc_score(targets, outer) - 0.5) < 0.17  # two standard errors of 48 cases


def test_without_optuna_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lobule\[sweep\]"'):
        import_optuna()
