from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from lobule.errors import DataError, VerificationError
from lobule.features.statistics import STATISTICS
from lobule.model.novelty import (
    REFUSAL_KINDS,
    Novelty,
    Subspace,
    fit_novelty,
    held_out_novelty,
    load_novelty,
    save_novelty,
)
from lobule.model.plan import plan_fits

Arrays = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def tissue(cases: int = 30, each: int = 8, *, size: int = 20, seed: int = 0, shift: float = 0.4) -> Arrays:
    """Return features, statistics and cases of images that differ in five directions, and by case."""
    rng = np.random.default_rng(seed)
    n, mixing = cases * each, np.random.default_rng(99).normal(size=(5, size))
    case = np.repeat(np.arange(cases), each)
    factors = rng.normal(size=(n, 5)) + shift * rng.normal(size=(cases, 5))[case]
    features = factors @ mixing + 0.3 * rng.normal(size=(n, size)) + 3
    statistics = np.tile(np.linspace(20, 60, len(STATISTICS)), (n, 1)) + 3 * rng.normal(size=(n, len(STATISTICS)))
    for name, low, high in (("empty", 0, 0.4), ("stained", 0.2, 0.8), ("off_stain", 0.05, 0.3), ("sharpness", -1, 0)):
        statistics[:, STATISTICS.index(name)] = rng.uniform(low, high, n)
    return features.astype(np.float32), statistics.astype(np.float32), case


def changed(statistics: NDArray[np.float32], **numbers: float) -> NDArray[np.float32]:
    other = statistics.copy()
    for name, value in numbers.items():
        other[:, STATISTICS.index(name)] = value
    return other


@pytest.fixture(scope="module")
def known() -> Arrays:
    return tissue()


@pytest.fixture(scope="module")
def novelty(known: Arrays) -> Novelty:
    return fit_novelty(*known[:2], cases=known[2])


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_new_images_like_the_training_images_are_refused_at_the_stated_rate(rate: float) -> None:
    refused = []
    for seed in range(6):
        features, statistics, cases = tissue(60, 6, seed=seed)
        novelty = fit_novelty(features, statistics, cases=cases, false_refusal=rate)
        fresh = tissue(200, 5, seed=100 + seed)
        refused.append(np.mean(novelty.judge(*fresh[:2])[0] > 1))
    # Six draws of 60 cases: the mean scatters by less than half of the rate, and by a few images.
    assert rate / 4 <= np.mean(refused) <= 1.5 * rate + 0.005


def test_cases_are_left_out_whole() -> None:
    """Images of one case resemble each other; limits from left-out images of known cases would be too small."""
    features, statistics, cases = tissue(24, 10, shift=4.0)
    by_case = fit_novelty(features, statistics, cases=cases, false_refusal=0.05)
    by_image = fit_novelty(features, statistics, cases=np.arange(len(cases)), false_refusal=0.05)
    assert by_case.features.limit > by_image.features.limit


def test_what_lies_elsewhere_is_refused(novelty: Novelty, known: Arrays) -> None:
    features, statistics, _ = known
    for elsewhere in (features + 20, -features, features * 10, np.zeros_like(features)):
        scores, reasons = novelty.judge(elsewhere.astype(np.float32), statistics)
        assert (scores > 1).all()
        assert all(reason.startswith("unfamiliar: does not look like the H&E breast images") for reason in reasons)


@pytest.mark.parametrize(
    ("numbers", "begins"),
    [
        ({"empty": 0.97}, "blank: 97 % of the image is without detail"),
        ({"empty": 1.0, "sharpness": -4.0, "lightness_sd": 0.0}, "blank: 100 % of the image"),
        ({"sharpness": -3.0}, "blurred: fine detail "),
        ({"sharpness": -3.0, "empty": 1.0}, "blurred: fine detail "),
        ({"off_stain": 0.7}, "not H&E: colours that no mixture of haematoxylin and eosin has"),
        ({"a_mean": 300.0}, "unusual: colours or sharpness unlike the H&E breast images"),
    ],
)
def test_the_reason_says_in_words_what_is_wrong(
    novelty: Novelty, known: Arrays, numbers: dict[str, float], begins: str
) -> None:
    scores, reasons = novelty.judge(known[0][:5], changed(known[1][:5], **numbers))
    assert (scores > 1).all()
    assert all(reason.startswith(begins) for reason in reasons), reasons
    assert {reason.split(":")[0] for reason in reasons} <= set(REFUSAL_KINDS)
    assert [reason.split("(novelty ")[1] for reason in reasons] == [f"{score:.2f}, limit 1)" for score in scores]


def test_refused_is_exactly_what_has_a_reason(novelty: Novelty) -> None:
    features, statistics, _ = tissue(seed=5)
    further = np.linspace(1, 2, len(features), dtype=np.float32)[:, None]
    scores, reasons = novelty.judge(features * further, statistics)
    assert 0 < np.mean(scores > 1) < 1
    assert [bool(reason) for reason in reasons] == (scores > 1).tolist()


def test_an_image_is_judged_by_itself_and_the_same_to_the_bit(novelty: Novelty, known: Arrays) -> None:
    features, statistics, cases = known
    again = fit_novelty(features, statistics, cases=cases)
    together, reasons = novelty.judge(features, statistics)
    for row in range(0, len(cases), 17):
        (score,), (reason,) = again.judge(features[row : row + 1], statistics[row : row + 1])
        assert (score, reason) == (together[row], reasons[row])


def test_names_of_cases_do_not_matter_only_which_images_share_one(novelty: Novelty, known: Arrays) -> None:
    features, statistics, cases = known
    named = np.array([f"14-{case:05d}" for case in cases], dtype=object)
    other = fit_novelty(features, statistics, cases=named)
    np.testing.assert_array_equal(other.features.limit, novelty.features.limit)


def test_held_out_images_are_judged_by_their_own_fit_alone(known: Arrays) -> None:
    features, statistics, cases = known
    fold = cases % 3
    fits = plan_fits(fold, cases == 0)
    judged = held_out_novelty(features, statistics, fits, cases=cases)
    assert sorted(judged) == [0, 1, 2, 3]
    assert [len(scores) for scores, _ in judged.values()] == [80, 80, 80, 8]
    spoiled = features.copy()
    spoiled[fold == 1] += 1000
    again = held_out_novelty(spoiled, statistics, fits, cases=cases)
    assert (again[1][0] > 1).all()
    expected = fit_novelty(features[fold != 1], statistics[fold != 1], cases=cases[fold != 1])
    np.testing.assert_array_equal(judged[1][0], expected.judge(features[fold == 1], statistics[fold == 1])[0])


def test_few_images_give_wide_limits() -> None:
    """With fewer than 1 / rate images the tail is extrapolated: the limit is not simply the largest distance seen."""
    refused = []
    for seed in range(10):
        features, statistics, cases = tissue(8, 5, seed=seed)
        novelty = fit_novelty(features, statistics, cases=cases)
        refused.append(np.mean(novelty.judge(*tissue(100, 4, seed=50 + seed)[:2])[0] > 1))
        assert (novelty.judge(features + 50, statistics)[0] > 1).all()
    assert np.mean(refused) < 0.05


@settings(max_examples=25)
@given(
    n=st.integers(2, 12),
    size=st.integers(1, 9),
    cases=st.integers(1, 4),
    constant=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_few_images_can_be_learned_from(n: int, size: int, cases: int, constant: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.ones((n, size), np.float32) if constant else rng.normal(size=(n, size)).astype(np.float32)
    statistics = np.full((n, len(STATISTICS)), 0.3, np.float32)
    novelty = fit_novelty(features, statistics, cases=np.arange(n) % cases)
    scores, reasons = novelty.judge(features, statistics)
    assert np.isfinite(scores).all()
    assert len(reasons) == n


def test_a_file_gives_back_the_same_judgement(novelty: Novelty, known: Arrays, tmp_path: Path) -> None:
    save_novelty(tmp_path / "n.safetensors", novelty)
    read = load_novelty(tmp_path / "n.safetensors")
    np.testing.assert_array_equal(read.judge(*known[:2])[0], novelty.judge(*known[:2])[0])
    assert float(read.false_refusal) == 0.01
    save_novelty(tmp_path / "again.safetensors", fit_novelty(*known[:2], cases=known[2]))
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "n.safetensors").read_bytes()


def test_a_large_backbone_takes_little_room(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(100, 3000)).astype(np.float32)
    statistics = rng.uniform(0.2, 0.4, (100, len(STATISTICS))).astype(np.float32)
    save_novelty(tmp_path / "n.safetensors", fit_novelty(features, statistics, cases=np.arange(100) // 10))
    assert (tmp_path / "n.safetensors").stat().st_size < 1_000_000


def test_a_file_that_is_no_novelty_is_refused(novelty: Novelty, tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    with pytest.raises(VerificationError, match="cannot be read"):
        load_novelty(path)
    save_novelty(path, novelty)
    tensors = load_file(path)
    for name, spoiled in (
        ("features/scale", -tensors["features/scale"]),
        ("features/mean", tensors["features/mean"] * np.nan),
        ("features/directions", tensors["features/directions"][:, :3]),
        ("features/limit", np.array(0.0)),
        ("rules", np.ones(2)),
    ):
        save_file({**tensors, name: np.ascontiguousarray(spoiled)}, path)
        with pytest.raises(VerificationError) as caught:
            load_novelty(path)
        assert caught.value.exit_code == 4
    save_file({name: tensor for name, tensor in tensors.items() if name != "rules"}, path)
    with pytest.raises(VerificationError, match="holds no measure of novelty"):
        load_novelty(path)


def test_arrays_that_do_not_fit_are_refused(known: Arrays, novelty: Novelty) -> None:
    features, statistics, cases = known
    with pytest.raises(DataError, match="a row of features"):
        fit_novelty(features[:-1], statistics, cases=cases)
    with pytest.raises(DataError, match="at least two images"):
        fit_novelty(features[:1], statistics[:1], cases=cases[:1])
    with pytest.raises(DataError, match="false_refusal"):
        fit_novelty(features, statistics, cases=cases, false_refusal=0.0)
    for field in fields(Subspace):
        with pytest.raises(VerificationError, match="novelty: "):
            replace(novelty.features, **{field.name: np.ones((2, 2, 2))})  # type: ignore[arg-type]
