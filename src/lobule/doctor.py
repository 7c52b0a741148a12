"""What is installed, what is missing, and the line that mends it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata, util
from typing import TYPE_CHECKING

from lobule.provenance import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Check", "examine"]

_NEEDED = ("numpy", "pandas", "scipy", "sklearn", "PIL", "openvino", "matplotlib", "jinja2", "safetensors", "pydantic")
_DISTRIBUTION = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}
_EXTRAS = {
    "train": ("keras", "tensorflow"),
    "int8": ("nncf",),
    "data": ("gdown", "py7zr", "requests"),
    "ray": ("ray",),
    "serve": ("fastapi", "uvicorn", "python_multipart", "prometheus_client"),
    "sweep": ("optuna",),
    "tracking": ("tensorboard",),
}
_GIB = 2**30


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        is_fine: whether it is as it should be.
        is_needed: whether Lobule cannot do without it.
        found: what was found.
        remedy: the line that mends it; "" where nothing is wrong.
    """

    name: str
    is_fine: bool
    is_needed: bool
    found: str
    remedy: str = ""


def examine() -> list[Check]:
    """Look at the machine; nothing heavy is imported and nothing is changed."""
    checks = [_python(), *(_package(name, extra="") for name in _NEEDED)]
    checks += [_package(name, extra=extra) for extra, names in _EXTRAS.items() for name in names]
    return [*checks, _engines(), _precision(), _weights(), _writable("cache", cache_folder()), _space(cache_folder())]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    is_fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check("python", is_fine, True, version, "" if is_fine else "use Python 3.11, 3.12 or 3.13")


def _package(module: str, *, extra: str) -> Check:
    name = _DISTRIBUTION.get(module, module)
    if util.find_spec(module) is None:
        remedy = f'pip install "lobule[{extra}]"' if extra else "pip install --force-reinstall lobule"
        return Check(name, False, not extra, "missing" + (f" (extra {extra})" if extra else ""), remedy)
    return Check(name, True, not extra, _version(name))


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "installed"  # Such as `tensorflow`, which may come from the distribution tensorflow-cpu.


def _engines() -> Check:
    from lobule.features.keras_runtime import keras_backend

    return Check("keras backend", True, False, keras_backend())


def _precision() -> Check:
    """Tell what `features.precision: auto` can mean here, and which gates were measured with this cache."""
    if util.find_spec("openvino") is None:
        return Check("precision", True, False, "not known without openvino")
    from lobule.features.openvino_engine import precisions
    from lobule.features.parity import measured_parities

    known = precisions()
    meaning = "bf16 where it keeps the features, else f32" if "BF16" in known else "f32 (this processor has no bf16)"
    measured = [f"{parity}: {'kept' if parity.is_kept else 'refused'}" for parity in measured_parities()]
    return Check("precision", True, False, "; ".join([f"{', '.join(known)}; auto means {meaning}", *measured]))


def _weights() -> Check:
    """Tell which backbones have their ImageNet weights on this machine."""
    from lobule.features.backbones import BACKBONES
    from lobule.features.keras_runtime import keras_home

    models = keras_home() / "models"
    here = [
        name for name, known in BACKBONES.items() if not known.truncated and (models / known.download.file).is_file()
    ]
    found = f"on this machine for: {', '.join(here) or 'none'}; known backbones: {', '.join(BACKBONES)}"
    remedy = "" if here else "fetched at the first training with a network; without one use --weights PATH or none"
    return Check("imagenet weights", bool(here), False, found, remedy)


def _writable(name: str, folder: Path) -> Check:
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    is_fine = nearest.is_dir() and os.access(nearest, os.W_OK)
    return Check(
        f"{name} folder", is_fine, True, str(folder), "" if is_fine else "set LOBULE_CACHE to a folder you may write"
    )


def _space(folder: Path) -> Check:
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(nearest).free / _GIB
    return Check(
        "free space",
        free >= 2,
        True,
        f"{free:.1f} GiB",
        "" if free >= 2 else "free at least 2 GiB, or set LOBULE_CACHE",
    )
