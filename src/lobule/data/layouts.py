"""What a path says about an image: the file name by the BreakHis grammar, else its folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lobule.data.breakhis import BreakHisName, parse_name
from lobule.data.failures import Failure
from lobule.errors import ConfigError, DataError
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, SUBTYPES

__all__ = ["Classes", "Description", "Listing", "describe_path"]

_MAGNIFICATION = re.compile(r"(\d{1,4}) ?[xX×]")
_CLASS_NAMES = (*LABELS, *SUBTYPES)
_NO_CLASS = (
    "no class: its name does not follow the BreakHis grammar and no folder above it is called benign, malignant or by "
    "a subtype; map your own folder names with --labels theirs=ours"
)


@dataclass(frozen=True, slots=True)
class Description:
    """What is known about an image before it is opened; "" and None where unknown."""

    path: str
    label: str = ""
    subtype: str = ""
    patient_id: str = ""
    case_id: str = ""
    magnification: int | None = None
    mpp: float | None = None
    image_id: str = ""
    breakhis: BreakHisName | None = None
    pixel_sha256: str = ""


@dataclass(frozen=True)
class Listing:
    """What a source lists, before any image is opened.

    Attributes:
        root: folder that the paths are relative to.
        descriptions: what is known about each image that has a class.
        failures: the images that have none, or that cannot be listed.
        ignored: number of files without an image extension, or hidden.
        has_pixels: False where only names are known, and no file is to be opened.
    """

    root: Path
    descriptions: tuple[Description, ...]
    failures: tuple[Failure, ...] = ()
    ignored: int = 0
    has_pixels: bool = True


class Classes:
    """Reads class names as people write them: case, spaces, hyphens, underscores and `tumour` do not matter.

    Args:
        labels: the user's own names, each with one of Lobule's labels or subtypes; they win over Lobule's.

    Raises:
        ConfigError: a name is mapped to something that is neither a label nor a subtype.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._known = {name: name for name in _CLASS_NAMES}
        for theirs, ours in labels.items():
            if _plain(ours) not in _CLASS_NAMES:
                raise ConfigError(
                    f"labels {theirs}={ours}: {ours!r} is not a class; allowed: {', '.join(_CLASS_NAMES)}."
                )
            self._known[_plain(theirs)] = _plain(ours)

    def read(self, names: Iterable[str]) -> tuple[str, str]:
        """Return (label, subtype) of the class names among `names`; "" for what they do not say.

        Raises:
            DataError: the names contradict each other; the message is the reason.
        """
        found = {self._known[plain] for name in names if (plain := _plain(name)) in self._known}
        subtypes = sorted(found.intersection(SUBTYPES))
        labels = sorted(found.intersection(LABELS) | {LABEL_OF_SUBTYPE[subtype] for subtype in subtypes})
        if len(labels) > 1 or len(subtypes) > 1:
            raise DataError(f"its class names contradict each other: {', '.join(sorted(found))}")
        return "".join(labels), "".join(subtypes)


def describe_path(path: str, *, classes: Classes | None) -> Description:
    """Describe an image by its path.

    Args:
        path: relative to the data root, with forward slashes. Only folders inside the root are read, so a root
            called `benign` says nothing.
        classes: how folder names are read where the file name does not follow the BreakHis grammar; None: the class
            is known from elsewhere, and is not asked for.

    Raises:
        DataError: its folders name no class, or two; the message is the reason.
    """
    if parsed := parse_name(path.rpartition("/")[2]):
        return Description(
            path=path,
            label=parsed.label,
            subtype=parsed.subtype,
            patient_id=parsed.patient_id,
            case_id=parsed.case_id,
            magnification=parsed.magnification,
            breakhis=parsed,
        )
    folders = PurePosixPath(path).parts[:-1]
    label, subtype = classes.read(folders) if classes else ("", "")
    if classes and not label:
        raise DataError(_NO_CLASS)
    return Description(path=path, label=label, subtype=subtype, magnification=_magnification_of(folders))


def _magnification_of(folders: Iterable[str]) -> int | None:
    matches = [match for folder in folders if (match := _MAGNIFICATION.fullmatch(folder.strip()))]
    return int(matches[-1][1]) or None if matches else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold()).replace("tumour", "tumor")
