"""Lobule: leak-proof breast-cancer detection from H&E histopathology images. Research use only.

    run = lobule.train("images", "run")                  the whole job; the report is run/report.html
    manifest = lobule.scan("images").manifest            what every image is
    lobule.audit(manifest)                               what would make the results lie
    lobule.split(manifest)                               folds and a holdout that no case crosses
    lobule.compare("run", "other")                       two models, case by case
    model = lobule.load("run")                           a trained model, without any training framework
    model = lobule.load()                                the starter model that comes with the package
    model.predict("image.png"), model.heatmap("image.png")

What a name stands for is imported when the name is first used, so that `import lobule` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from lobule.config import Config, load_config
    from lobule.data.audit import audit
    from lobule.data.scan import scan
    from lobule.data.split import split
    from lobule.errors import LobuleError
    from lobule.evaluation.compare import compare
    from lobule.inference.predictor import Predictor
    from lobule.pipeline import train

__all__ = [
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

__version__ = "1.0.0rc1"

_MODULE_OF = {
    "Config": "lobule.config",
    "LobuleError": "lobule.errors",
    "Predictor": "lobule.inference.predictor",
    "audit": "lobule.data.audit",
    "compare": "lobule.evaluation.compare",
    "load_config": "lobule.config",
    "scan": "lobule.data.scan",
    "split": "lobule.data.split",
    "train": "lobule.pipeline",
}


def load(model: Path | str | None = None) -> Predictor:
    """Open a trained model, from a run folder or a bundle.

    Args:
        model: the folder; None: the starter model that comes with the package, whose numbers are in docs/starter.md.

    Raises:
        ConfigError: `model` is neither.
        VerificationError: the bundle is not what it claims to be.
    """
    from lobule.inference.predictor import Predictor
    from lobule.starter import starter_bundle

    return Predictor(starter_bundle() if model is None else model)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lobule' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
