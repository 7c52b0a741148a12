"""Where the starter model lies: package data, a bundle like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lobule.errors import ConfigError

__all__ = ["STARTER_NOTE", "starter_bundle"]

STARTER_NOTE: Final = (
    "No --model was named: the starter model is used, a small network trained on 775 images of 51 cases. "
    "What it is worth stands in docs/starter.md and in its card. Train your own with `lobule train`."
)
"""What a command says where it was given no model."""

_FOLDER: Final = Path(__file__).parent / "bundle"


def starter_bundle() -> Path:
    """Return the folder of the starter model.

    Raises:
        ConfigError: this installation lacks it.
    """
    if not (_FOLDER / "bundle.json").is_file():
        raise ConfigError(
            "--model: none was named, and this installation has no starter model. Name a run folder or a bundle, or "
            "install Lobule again: pip install --force-reinstall lobule."
        )
    return _FOLDER
