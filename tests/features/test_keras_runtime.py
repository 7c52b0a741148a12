"""Keras comes quietly, and as loudly as the user wants it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from lobule.features.keras_runtime import import_keras, import_tensorflow


@pytest.fixture
def tensorflow_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tensorflow")
    before = logger.level
    yield logger
    logger.setLevel(before)


@pytest.mark.parametrize("import_it", [import_keras, import_tensorflow])
@pytest.mark.parametrize(("chosen", "then"), [(logging.NOTSET, logging.ERROR), (logging.INFO, logging.INFO)])
def test_tensorflow_warns_only_where_the_user_has_asked_for_it(
    tensorflow_logger: logging.Logger, import_it: object, chosen: int, then: int
) -> None:
    tensorflow_logger.setLevel(chosen)
    assert callable(import_it)
    import_it()
    assert tensorflow_logger.level == then
