"""The generator of the reference pages, which is a script of the manual and no part of the package."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.manual.blocks import ROOT


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_pages", ROOT / "scripts" / "reference_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference_pages = _load()
