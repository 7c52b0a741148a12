"""What `import lobule` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lobule
from lobule.data.phantom import PhantomSummary
from lobule.errors import ConfigError
from tests.model.tiny_bundle import write_tiny_bundle

_PUBLIC = [
    "Config",
    "LobuleError",
    "Predictor",
    "__version__",
    "audit",
    "compare",
    "load",
    "load_config",
    "scan",
    "split",
    "train",
]


def test_the_public_names_are_these() -> None:
    assert lobule.__all__ == _PUBLIC == sorted(_PUBLIC)
    assert set(_PUBLIC) <= set(dir(lobule))


@pytest.mark.parametrize("name", [name for name in _PUBLIC if name != "__version__"])
def test_every_public_name_is_documented_and_says_where_it_lives(name: str) -> None:
    value = getattr(lobule, name)
    assert value.__doc__
    assert value.__module__.split(".")[0] == "lobule"
    assert name in (lobule.__doc__ or "") or name in ("Config", "LobuleError", "Predictor", "load_config")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = lobule.trian  # type: ignore[attr-defined,unused-ignore]


def test_importing_lobule_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import lobule; print('\\n'.join(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "lobule" in done.stdout.split()
    assert not {name.split(".")[0] for name in done.stdout.split()} & {"numpy", "pandas", "pydantic", "PIL", "openvino"}


def test_scan_audit_and_split_work_with_their_defaults(phantom: PhantomSummary) -> None:
    manifest = lobule.scan(str(phantom.folder)).manifest
    assert len(manifest) == phantom.n_images
    assert not lobule.audit(manifest).has_conflicts
    divided = lobule.split(manifest)
    assert (divided.group_by, divided.seed, len(divided.folds)) == ("case", 0, 5)


def test_load_gives_a_predictor_of_a_bundle(tmp_path: Path) -> None:
    model = lobule.load(str(write_tiny_bundle(tmp_path / "model")))
    assert isinstance(model, lobule.Predictor)
    image = np.full((40, 60, 3), 180, dtype=np.uint8)
    assert list(model.predict(image).frame["image_id"]) == ["image-1"]
    assert model.heatmap(image).class_name == "malignant"


def test_load_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lobule train"):
        lobule.load(tmp_path)
