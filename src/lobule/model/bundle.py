"""The deployable folder: graph, heads, novelty and a record, each under a digest; nothing in it can execute code."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import lobule
from lobule.errors import ConfigError, RunError, VerificationError
from lobule.features.openvino_engine import GRAPH_FILES, INT8_FILES
from lobule.features.statistics import STATISTICS
from lobule.model.head import Head, load_heads, save_heads
from lobule.model.novelty import Novelty, load_novelty, save_novelty
from lobule.provenance import digest_of_file, now, write_atomically
from lobule.taxonomy import Task

if TYPE_CHECKING:
    from lobule.features.engines import Precision
    from lobule.model.bundle_record import BundleRecord, NoveltyRecord

__all__ = ["Bundle", "graph_to_run", "locate_bundle", "open_bundle", "read_bundle", "verify_files", "write_bundle"]

_RECORD: Final = "bundle.json"
_SUMS: Final = "SHA256SUMS"
_CARD: Final = "README.md"
_HEADS: Final = "heads.safetensors"
_CALIBRATION: Final = "calibration.json"
_NOVELTY: Final = "novelty.safetensors"
_IDENTIFYING: Final = (GRAPH_FILES[1], INT8_FILES[1], _HEADS, _NOVELTY)
"""Weights, heads, novelty; the text of the graph holds names that a converter counts up: they differ each time."""

_FILES: Final = frozenset({_RECORD, _CARD, _HEADS, _CALIBRATION, *GRAPH_FILES})
_SUM_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_OF_ANOTHER: Final = "use the version of Lobule that wrote it"
_OF_VERSION_1: Final = (
    "it has no calibration and refuses nothing; train again into a new run folder (cached features make that quick), "
    "or use the version of Lobule that wrote it"
)
_DAMAGED: Final = "Do not use it: fetch the bundle again from where it came, or write it again by training."


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle.

    Attributes:
        folder: where it lies.
        record: what it says about itself.
        heads: by task, the classifier on the features of the graph.
        novelty: which images can be assessed; None: nothing is refused.
    """

    folder: Path
    record: BundleRecord
    heads: Mapping[Task, Head]
    novelty: Novelty | None = None

    @property
    def graph(self) -> Path:
        """The OpenVINO IR in single precision (`backbone.xml`, with `backbone.bin` beside it)."""
        return self.folder / GRAPH_FILES[0]

    @property
    def running_graph(self) -> Path:
        """The graph that the heads were trained on: the quantised one where the record's precision is int8."""
        return _running_graph(self.folder, self.record.precision)


def write_bundle(
    folder: Path,
    *,
    record: BundleRecord,
    heads: Mapping[Task, Head],
    graph: Path,
    card: str,
    novelty: Novelty | None = None,
    quantised: Path | None = None,
) -> Path:
    """Write a bundle so that a reader, or a crash, sees none or all of it.

    Args:
        folder: the bundle to be; an earlier bundle there is replaced.
        record: what it is; `novelty`, `model_id`, `created` and `lobule_version` are filled in.
        heads: one for each task of the record.
        graph: folder that holds `backbone.xml` and `backbone.bin`.
        quantised: folder that holds `backbone_int8.xml` and `.bin`, where the record's precision is int8.
        card: the model card, Markdown.
        novelty: which images can be assessed; None: nothing is refused.

    Returns:
        `folder`.

    Raises:
        RunError: `folder` holds something else than a bundle.
        VerificationError: heads, novelty and record do not fit each other.
    """
    folder = folder.absolute()
    record = record.model_copy(update={"novelty": _described(novelty)})
    _check_heads(heads, record)
    _check_novelty(novelty, record)
    if (quantised is not None) != (record.precision == "int8"):
        raise VerificationError(f"quantised: a graph in int8 belongs to precision int8, received {record.precision}.")
    if folder.exists() and not (folder / _RECORD).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder}: expected a bundle, an empty folder or nothing; move what is there away.")
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name in GRAPH_FILES:
        _copy(graph / name, temporary / name)
    if quantised is not None:
        for name in INT8_FILES:
            _copy(quantised / name, temporary / name)
    save_heads(temporary / _HEADS, heads)
    if novelty is not None:
        save_novelty(temporary / _NOVELTY, novelty)
    written = [name for name in _IDENTIFYING if (temporary / name).is_file()]
    model_id = record.identify({name: digest_of_file(temporary / name) for name in written})
    filled = record.model_copy(
        update={"model_id": model_id, "created": now(), "lobule_version": lobule.__version__},
    )
    write_atomically(temporary / _RECORD, _as_text(filled.model_dump(mode="json")))
    write_atomically(temporary / _CALIBRATION, _as_text(_calibration(filled)))
    write_atomically(temporary / _CARD, card)
    sums = "".join(f"{digest_of_file(temporary / name)}  {name}\n" for name in sorted(_files_of(record)))
    write_atomically(temporary / _SUMS, sums)
    _move_into_place(temporary, folder)
    return folder


def open_bundle(path: Path) -> Bundle:
    """Verify every file of a bundle and open it.

    Args:
        path: a bundle, or a run folder (its `model/` is opened).

    Raises:
        ConfigError: `path` is neither.
        VerificationError: a file is missing, unlisted or not what its digest says; or the record does not hold.
    """
    folder = locate_bundle(Path(path))
    return read_bundle(folder, verify_files(folder))


def read_bundle(folder: Path, digests: Mapping[str, str]) -> Bundle:
    """Open a bundle whose files have been verified.

    Args:
        folder: the bundle.
        digests: what `verify_files` returned for it.

    Raises:
        VerificationError: the record does not hold, or does not agree with the files.
    """
    record = _read_record(folder / _RECORD)
    if set(digests) != _files_of(record):
        differing = ", ".join(sorted(set(digests) ^ _files_of(record)))
        raise VerificationError(f"{folder}: {differing} and {_RECORD} do not agree on whether it is there. {_DAMAGED}")
    identity = record.identify({name: digests[name] for name in _IDENTIFYING if name in digests})
    if record.model_id != identity:
        raise VerificationError(
            f"{folder}: bundle.json says model_id {record.model_id!r}, its contents say {identity}."
        )
    _check_calibration(folder / _CALIBRATION, record)
    heads = load_heads(folder / _HEADS)
    _check_heads(heads, record)
    novelty = load_novelty(folder / _NOVELTY) if record.novelty else None
    _check_novelty(novelty, record)
    return Bundle(folder, record, heads, novelty)


def graph_to_run(folder: Path) -> tuple[Path, Precision]:
    """Return the graph that the heads of a verified bundle were trained on and its precision, before all is read.

    Raises:
        VerificationError: the record is not JSON.
    """
    document = _read_json(folder / _RECORD)
    given = document.get("precision") if isinstance(document, dict) else None
    # Anything else is what `read_bundle` will refuse.
    precision: Precision = given if given in ("bf16", "int8") else "f32"
    return _running_graph(folder, precision), precision


def _running_graph(folder: Path, precision: Precision) -> Path:
    return folder / (INT8_FILES[0] if precision == "int8" else GRAPH_FILES[0])


def _files_of(record: BundleRecord) -> set[str]:
    quantised = INT8_FILES if record.precision == "int8" else ()
    return {*_FILES, *((_NOVELTY,) if record.novelty else ()), *quantised}


def _described(novelty: Novelty | None) -> NoveltyRecord | None:
    if novelty is None:
        return None
    from lobule.model.bundle_record import NoveltyRecord

    return NoveltyRecord(false_refusal=float(novelty.false_refusal), statistics=STATISTICS)


def locate_bundle(path: Path) -> Path:
    """Return the folder of a bundle: `path`, or the `model/` of the run folder that `path` is.

    Raises:
        ConfigError: it is neither.
    """
    for folder in (path, path / "model"):
        if (folder / _RECORD).is_file() or (folder / _SUMS).is_file():
            return folder
    found = "a folder without a model" if path.is_dir() else "a file" if path.exists() else "nothing there"
    raise ConfigError(
        f"--model {path}: expected a bundle (a folder with {_RECORD} and {_SUMS}) or a run folder with one in model/; "
        f"received {found}. Name the folder that `lobule train` wrote."
    )


def verify_files(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a bundle, after comparing it with what SHA256SUMS lists.

    Raises:
        VerificationError: a file is missing, unlisted or not what its digest says.
    """
    listed = _read_sums(folder / _SUMS)
    found = {entry.name for entry in folder.iterdir()} - {_SUMS}
    for names, problem in (
        (_FILES - set(listed), f"not listed in {_SUMS}"),
        (set(listed) - _FILES - {_NOVELTY, *INT8_FILES}, f"listed in {_SUMS}, but no part of a bundle"),
        (set(listed) - found, "missing"),
        (found - set(listed), "there, but no part of a bundle"),
    ):
        if names:
            raise VerificationError(f"{folder}: {problem}: {', '.join(sorted(names))}. {_DAMAGED}")
    for name, digest in listed.items():
        if not (folder / name).is_file() or digest_of_file(folder / name) != digest:
            raise VerificationError(f"{folder / name}: is not the file that {_SUMS} lists (SHA-256). {_DAMAGED}")
    return listed


def _read_sums(path: Path) -> dict[str, str]:
    try:
        lines = path.read_bytes().decode("ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise VerificationError(f"{path}: cannot be read as a list of digests ({error}). {_DAMAGED}") from None
    if lines.pop():
        raise VerificationError(f"{path}: does not end with a complete line. {_DAMAGED}")
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _SUM_LINE.fullmatch(line)
        if match is None or match[2] in listed:
            raise VerificationError(f"{path}: line {number} is not `SHA-256  name`, each name once. {_DAMAGED}")
        listed[match[2]] = match[1]
    return listed


def _read_record(path: Path) -> BundleRecord:
    from pydantic import ValidationError

    from lobule.model.bundle_record import SCHEMA_VERSION, BundleRecord

    document = _read_json(path)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise VerificationError(
            f"{path}: schema_version {SCHEMA_VERSION} is what this Lobule ({lobule.__version__}) reads, "
            f"received {version!r}; "
            f"{_OF_VERSION_1 if version == 1 else _OF_ANOTHER}."
        )
    try:
        return BundleRecord.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise VerificationError(f"{path}: {problems}. {_DAMAGED}") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise VerificationError(f"{path}: cannot be read as JSON ({error}). {_DAMAGED}") from None


def _check_calibration(path: Path, record: BundleRecord) -> None:
    if _read_json(path) != _calibration(record):
        raise VerificationError(f"{path}: does not agree with {_RECORD}. {_DAMAGED}")


def _check_heads(heads: Mapping[Task, Head], record: BundleRecord) -> None:
    if set(heads) != set(record.tasks):
        raise VerificationError(f"heads: expected one for each of {record.tasks}, received {tuple(heads)}.")
    for task, head in heads.items():
        if head.task != task or head.feature_size != record.backbone.feature_size:
            raise VerificationError(
                f"heads: the {task} head takes {head.feature_size} features and answers {head.task}; "
                f"the backbone gives {record.backbone.feature_size}."
            )


def _check_novelty(novelty: Novelty | None, record: BundleRecord) -> None:
    if novelty is None:
        return
    if novelty.features.mean.size != record.backbone.feature_size:
        raise VerificationError(
            f"novelty: judges {novelty.features.mean.size} features; the backbone gives {record.backbone.feature_size}."
        )
    if record.novelty != _described(novelty):
        raise VerificationError(f"{_NOVELTY}: does not agree with {_RECORD}. {_DAMAGED}")


def _calibration(record: BundleRecord) -> dict[str, Any]:
    from lobule.model.bundle_record import SCHEMA_VERSION

    return {
        "schema_version": SCHEMA_VERSION,
        "operating": record.operating.model_dump(mode="json"),
        "novelty": record.novelty.model_dump(mode="json") if record.novelty else None,
    }


def _as_text(document: dict[str, Any]) -> str:
    try:
        return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    except ValueError as error:
        raise VerificationError(f"{_RECORD}: numbers must be finite, or null where undefined ({error}).") from None


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as stream:
        os.fsync(stream.fileno())


def _move_into_place(temporary: Path, folder: Path) -> None:
    """Rename; a bundle that is already there steps aside first, as no folder can be replaced in one step."""
    earlier = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(earlier, ignore_errors=True)
    if folder.exists():
        folder.rename(earlier)
    temporary.rename(folder)
    shutil.rmtree(earlier, ignore_errors=True)
