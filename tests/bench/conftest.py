"""The tiny backbone for Keras too, so that every rival runs in a moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lobule.bench.setup import Setup
from tests.bench.tiny_application import tiny_application


@pytest.fixture
def tiny() -> Iterator[Setup]:
    """Return a quick setup of the tiny backbone, which Keras can build."""
    pytest.importorskip("keras")
    with tiny_application():
        yield Setup(backbone="tiny", quick=True)
