"""Data sets of Kaggle and Hugging Face, through their own clients."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from lobule.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lobule.data.get.source import Source

__all__ = ["get_from_hugging_face", "get_from_kaggle"]


def get_from_kaggle(source: Source, content: Path) -> None:
    """Fetch a data set by kagglehub, which keeps it in its own cache and goes on there, and copy it.

    Args:
        source: `owner/dataset`.
        content: folder to make.

    Raises:
        ConfigError: kagglehub is not installed.
        DataError: it cannot be had.
    """
    try:
        kagglehub, exceptions = import_module("kagglehub"), import_module("kagglehub.exceptions")
    except ImportError:
        raise ConfigError(f"SOURCE {source.given}: needs Kaggle's client: pip install kagglehub") from None
    its_own = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    known: tuple[type[Exception], ...] = (OSError, ValueError, *its_own)
    try:
        folder = Path(kagglehub.dataset_download(source.address))
    except known as error:
        raise DataError(
            f"SOURCE {source.given}: Kaggle did not give it ({error}). Check the name; a private data set, or one "
            "whose terms must be accepted, needs a token: https://www.kaggle.com/settings."
        ) from error
    shutil.copytree(folder, content)


def get_from_hugging_face(source: Source, download: Path, content: Path) -> None:
    """Fetch a data set by huggingface_hub, which goes on in the folder where it stopped.

    Args:
        source: `owner/dataset`.
        download: folder that a second attempt finds again.
        content: folder to make.

    Raises:
        ConfigError: huggingface_hub is not installed.
        DataError: it cannot be had.
    """
    try:
        huggingface_hub = import_module("huggingface_hub")
    except ImportError:
        raise ConfigError(f"SOURCE {source.given}: needs Hugging Face's client: pip install huggingface_hub") from None
    try:
        huggingface_hub.snapshot_download(source.address, repo_type="dataset", local_dir=download)
    except (OSError, ValueError) as error:
        raise DataError(
            f"SOURCE {source.given}: Hugging Face did not give it ({error}). Check the name; a gated or private data "
            "set needs a token: `hf auth login`. The same command goes on from what is here."
        ) from error
    shutil.rmtree(download / ".cache", ignore_errors=True)
    download.rename(content)
