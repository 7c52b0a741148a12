"""The one door to Keras: imported late, quietly, and with a clear error where it is missing."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
from pathlib import Path
from types import ModuleType

from lobule.errors import MissingExtraError

__all__ = ["import_keras", "import_tensorflow", "keras_backend", "keras_home", "sees_gpu"]


def import_keras() -> ModuleType:
    """Import Keras with the user's backend.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    _quieten_tensorflow()
    try:
        import keras
    except ModuleNotFoundError:
        raise MissingExtraError("Keras", "train") from None
    return keras  # type: ignore[no-any-return]


def import_tensorflow() -> ModuleType:
    """Import TensorFlow.

    Raises:
        MissingExtraError: TensorFlow is not installed.
    """
    _quieten_tensorflow()
    try:
        import tensorflow
    except ModuleNotFoundError:
        raise MissingExtraError("writing the graph of a backbone for OpenVINO", "train") from None
    return tensorflow  # type: ignore[no-any-return]


def _quieten_tensorflow() -> None:
    """Keep TensorFlow's remarks from the terminal, unless the user has asked for them; errors still come.

    It warns of "retracing", for one, as soon as a program trains more than a few models, as is done here.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logger = logging.getLogger("tensorflow")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.ERROR)


def keras_home() -> Path:
    """Return Keras' own folder: `$KERAS_HOME`, else `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def keras_backend() -> str:
    """Return the backend Keras has, or will have once imported, without importing it."""
    if keras := sys.modules.get("keras"):
        return str(keras.backend.backend())
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    try:
        settings = json.loads((keras_home() / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "tensorflow"
    return str(settings.get("backend", "tensorflow")) if isinstance(settings, dict) else "tensorflow"


def sees_gpu() -> bool:
    """Tell whether the Keras backend has a GPU; imports it only where the machine shows one."""
    if not _machine_shows_gpu() or importlib.util.find_spec("keras") is None:
        return False
    try:
        import_keras()
    except MissingExtraError:
        return False
    return _backend_sees_gpu(keras_backend())


def _machine_shows_gpu() -> bool:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists() or Path("/dev/dxg").exists()


def _backend_sees_gpu(name: str) -> bool:
    if name == "tensorflow":
        return bool(import_tensorflow().config.list_physical_devices("GPU"))
    if name == "jax":
        return str(importlib.import_module("jax").default_backend()) in ("gpu", "cuda", "rocm")
    if name == "torch":
        return bool(importlib.import_module("torch").cuda.is_available())
    return False
