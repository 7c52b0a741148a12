from __future__ import annotations

import os

import pytest

from lobule.bench.setup import Setup, fresh_cache
from lobule.errors import ConfigError
from lobule.provenance import cache_folder


def test_what_is_asked_goes_before_what_is_usual() -> None:
    assert Setup().rounds(3) == 3
    assert Setup(quick=True).rounds(3) == 1
    assert Setup(quick=True, repeats=5).rounds(3) == 5
    assert [Setup().count(64, quick=8), Setup(quick=True).count(64, quick=8), Setup(images=2).count(64, quick=8)] == [
        64,
        8,
        2,
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg61"}, "--backbone vgg61: unknown"),
        ({"images": 0}, "--images 0: allowed are 1 and more"),
        ({"repeats": -1}, "--repeats -1: allowed"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Setup(**arguments)  # type: ignore[arg-type]


def test_the_users_cache_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_folder()
    with fresh_cache() as scratch:
        assert cache_folder().parent == scratch
        assert not cache_folder().exists()
    assert cache_folder() == before
    monkeypatch.delenv("LOBULE_CACHE")
    with fresh_cache():
        assert "LOBULE_CACHE" in os.environ
    assert "LOBULE_CACHE" not in os.environ
