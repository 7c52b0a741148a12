from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lobule.errors import DataError, RunError
from lobule.features.spec import EncoderSpec
from lobule.features.store import FeatureStore
from lobule.storage import claim

SIZE = 5


def _digests(*numbers: int) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


def _values(*numbers: int) -> NDArray[np.float32]:
    return np.array([[number + part / 7 for part in range(SIZE)] for number in numbers], np.float32)


def _store(folder: Path) -> FeatureStore:
    return FeatureStore(folder, feature_size=SIZE)


@settings(max_examples=25, deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=6), max_size=5),
    wanted=st.lists(st.integers(0, 30), max_size=12),
)
def test_what_was_appended_is_read_to_the_bit(
    batches: list[list[int]], wanted: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = _store(tmp_path_factory.mktemp("store"))
    for batch in batches:
        store.append(_digests(*batch), "identity", _values(*batch))
    found, features = store.read(_digests(*wanted), "identity")
    known = {number for batch in batches for number in batch}
    assert found.tolist() == [number in known for number in wanted]
    assert features.shape == (len(wanted), SIZE)
    np.testing.assert_array_equal(features[found], _values(*wanted).reshape(-1, SIZE)[found])
    assert not features[~found].any()


def test_views_are_kept_apart(tmp_path: Path) -> None:
    _store(tmp_path).append(_digests(1), "identity", _values(1))
    assert not _store(tmp_path).read(_digests(1), "flip_vertical")[0].any()


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "rename"])
def test_a_damaged_shard_is_as_good_as_absent_and_is_mended(tmp_path: Path, damage: str) -> None:
    store = _store(tmp_path)
    store.append(_digests(1, 2), "identity", _values(1, 2))
    (shard,) = (tmp_path / "identity").iterdir()
    store.append(_digests(3), "identity", _values(3))
    content = shard.read_bytes()
    broken = {
        "truncate": content[:-7],
        "flip": content[:-1] + bytes([content[-1] ^ 1]),
        "empty": b"",
        "rename": content,
    }
    shard.write_bytes(broken[damage])
    if damage == "rename":
        shard.rename(shard.with_name("0" * 64 + shard.suffix))
    assert store.read(_digests(1, 2, 3), "identity")[0].tolist() == [False, False, True]
    store.append(_digests(1, 2), "identity", _values(1, 2))
    found, features = store.read(_digests(1, 2, 3), "identity")
    assert found.all()
    np.testing.assert_array_equal(features, _values(1, 2, 3))


def test_a_shard_of_another_length_is_ignored(tmp_path: Path) -> None:
    FeatureStore(tmp_path, feature_size=2).append(_digests(1), "identity", np.ones((1, 2), np.float32))
    assert not _store(tmp_path).read(_digests(1), "identity")[0].any()


def test_other_programs_can_read_a_shard(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    _store(tmp_path).append(_digests(4), "identity", _values(4))
    (shard,) = (tmp_path / "identity").glob("*.safetensors")
    tensors = load_file(shard)
    assert tensors["pixels"].tobytes().hex() == _digests(4)[0]
    np.testing.assert_array_equal(tensors["features"], _values(4))


_APPEND_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from tests.features.test_store import _digests, _store, _values
store, first = _store(Path(sys.argv[1])), int(sys.argv[2])
for number in count(first):
    store.append(_digests(number), "identity", _values(number))
    if number == first:
        sys.stdout.write("started\\n"); sys.stdout.flush()
"""


def _start_appending(folder: Path, first: int) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", _APPEND_FOR_EVER, str(folder), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    return child


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_two_writers_killed_in_mid_append_leave_only_whole_shards(tmp_path: Path) -> None:
    firsts = (0, 100_000)
    children = [_start_appending(tmp_path, first) for first in firsts]
    time.sleep(0.3)
    for child in children:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    for first in firsts:
        written = range(first, first + 3000)
        found, features = _store(tmp_path).read(_digests(*written), "identity")
        count = int(found.sum())
        assert count >= 1
        assert found[:count].all()
        np.testing.assert_array_equal(features[:count], _values(*written)[:count])


def test_what_a_killed_process_left_half_written_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    (tmp_path / "identity").mkdir()
    left, at_work = (tmp_path / "identity" / f".{name}.safetensors.0123456789ab.tmp" for name in ("left", "at_work"))
    left.write_bytes(b"half")
    with at_work.open("wb") as stream:
        assert claim(stream.fileno())
        os.utime(at_work, (0, 0))  # a clock that jumped
        _store(tmp_path).append(_digests(1), "identity", _values(1))
        assert (left.exists(), at_work.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("a file where the folder should be")
    with pytest.raises(RunError, match=r"identity: cannot be written.*LOBULE_CACHE"):
        _store(tmp_path).append(_digests(1), "identity", _values(1))


@pytest.mark.parametrize(
    "features",
    [np.full((1, SIZE), np.nan, np.float32), np.ones((2, SIZE), np.float32), np.ones((1, SIZE))],
    ids=["nan", "rows", "float64"],
)
def test_unsound_features_never_enter_the_store(tmp_path: Path, features: NDArray[np.float32]) -> None:
    with pytest.raises(DataError, match="features"):
        _store(tmp_path).append(_digests(1), "identity", features)
    assert list(tmp_path.iterdir()) == []


def test_the_store_of_a_specification_says_what_it_holds(tiny_spec: EncoderSpec) -> None:
    store = FeatureStore.of(tiny_spec)
    assert store.folder.name == tiny_spec.key
    assert '"backbone": "tiny"' in (store.folder / "spec.json").read_text()
