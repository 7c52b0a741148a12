"""Asking Google Drive through gdown, and its refusals in words."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lobule.errors import DataError, MissingExtraError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lobule.data.get.source import Source

__all__ = ["OTHER_WAYS", "ask_drive", "imported_gdown"]

OTHER_WAYS = (
    "download it in a browser and give the path of the archive, or mount Drive in Colab (notebooks/lobule_colab.ipynb)"
)
_PRIVATE = (
    "Drive does not hand it out. Open the link in a private browser window. If a login appears, it is private: its "
    "owner must share it with 'Anyone with the link'. If Drive says that too many have viewed or downloaded it, its "
    "quota is used up: wait up to 24 hours, or copy it into your own Drive"
)
_QUOTA = "its quota of downloads is used up: wait up to 24 hours, or copy it into your own Drive"
_TOO_FAST = "Drive refuses further requests from here for a while (too many); wait an hour"


def imported_gdown() -> Any:
    """Return the module gdown.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module("gdown")
    except ImportError:
        raise MissingExtraError("downloading from Google Drive", "data") from None


def ask_drive(source: Source, function: Callable[..., Any], *, what: str = "", **options: Any) -> Any:
    """Call a function of gdown.

    Args:
        source: a link to Drive.
        function: `download` or `download_folder`.
        what: the file of the folder that is asked for.
        options: arguments of the function.

    Raises:
        DataError: Drive does not give what is asked for; the message says what to do.
    """
    import requests

    gdown = imported_gdown()
    name = f"{source.given}, file {what}" if what else source.given
    try:
        return function(**options)
    except gdown.DownloadCancelled as error:
        raise DataError(f"SOURCE {name}: stopped; the same command goes on.") from error
    except gdown.DownloadError as error:
        raise DataError(f"SOURCE {name}: {_explained(str(error))}.") from error
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        reason = _TOO_FAST if status in (403, 429) else f"Drive answers with status {status}"
        raise DataError(f"SOURCE {name}: {reason}; the same command goes on. Or {OTHER_WAYS}.") from error
    except requests.RequestException as error:
        raise DataError(
            f"SOURCE {name}: no connection to Google Drive ({type(error).__name__}). Is there a network? "
            f"The same command goes on from what is here. Or {OTHER_WAYS}."
        ) from error
    except KeyError as error:  # gdown takes it for granted that every answer names its type
        raise DataError(f"SOURCE {name}: Drive gave an answer without {error}; try again, or {OTHER_WAYS}.") from error
    except OSError as error:
        raise StorageError(f"SOURCE {name}: cannot be written ({error.strerror or error}).") from error


def _explained(said: str) -> str:
    words = " ".join(said.split()).lower()
    if "too many users" in words or "quota" in words or "24 hours" in words:
        return f"{_QUOTA}; or {OTHER_WAYS}"
    if "status code 429" in words or "automated queries" in words:
        return f"{_TOO_FAST}; or {OTHER_WAYS}"
    if "incomplete" in words or "retries" in words or "byte range" in words or "announced" in words:
        return "the connection to Drive broke off several times; the same command goes on from what is here"
    if "permission" in words or "status code 4" in words or "public link" in words:
        return f"{_PRIVATE}; or {OTHER_WAYS}"
    return f"gdown says: {' '.join(said.split())}. {_PRIVATE}; or {OTHER_WAYS}"
