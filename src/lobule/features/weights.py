"""Which weights a backbone gets: found, fetched or seeded, always with their digest."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lobule.errors import MissingExtraError, WeightsError
from lobule.features.backbones import Backbone, Download
from lobule.features.backbones import backbone as backbone_named
from lobule.features.keras_runtime import keras_home
from lobule.provenance import digest_of_file, digest_of_json

__all__ = ["ResolvedWeights", "finetuned_weights", "holds_only", "published_file", "resolve_weights"]

_TIMEOUT_SECONDS: Final = 10.0
_TRUNCATED_OF: Final = {"vgg16": "vgg16_blocks1to3"}


@dataclass(frozen=True)
class ResolvedWeights:
    """Weights that are known to be there.

    Attributes:
        kind: `imagenet` (Keras' published file), `none` (seeded random filters), `file` (a file of the application's
            own weights) or `finetuned` (a file saved from a graph that `build` made).
        path: the file; None for `none`.
        digest: SHA-256 of the file's bytes, or of the recipe and seed of the random filters.
        backbone: registry name of the backbone that they fit.
        note: anything about the choice that a user should read; may be empty.
    """

    kind: Literal["imagenet", "none", "file", "finetuned"]
    path: Path | None
    digest: str
    backbone: str
    note: str = ""


def resolve_weights(name: str, backbone: Backbone, *, seed: int) -> ResolvedWeights:
    """Find the weights that a setting names; `imagenet` is fetched once into Keras' model cache.

    A file that holds only blocks 1 to 3 of VGG16 resolves to the backbone `vgg16_blocks1to3`, said in `note`.

    Args:
        name: `imagenet`, `none` or the path of a weights file.
        backbone: what the weights are for.
        seed: decides the random filters of `none`; ignored otherwise.

    Raises:
        WeightsError: the file is missing, damaged or cannot be fetched.
    """
    if name == "none":
        digest = digest_of_json({"filters": "he_normal 1", "seed": seed})
        return ResolvedWeights("none", None, digest, backbone.name)
    if name == "imagenet":
        if not backbone.download.url:
            raise WeightsError(f"--weights imagenet: there are none of the backbone {backbone.name}; allowed: none.")
        path = _published(backbone)
        return ResolvedWeights("imagenet", path, digest_of_file(path), backbone.name)
    return _from_file(Path(name).expanduser(), backbone)


def finetuned_weights(path: Path, backbone: Backbone) -> ResolvedWeights:
    """Return weights that were saved with `save_weights` from a model that `build` made for this backbone.

    Raises:
        WeightsError: the file is missing.
    """
    _require_file(path)
    return ResolvedWeights("finetuned", path.resolve(), digest_of_file(path), backbone.name)


def holds_only(path: Path, layers: int) -> bool:
    """Tell whether a weights file holds exactly this many layers with weights.

    Raises:
        WeightsError: the file is not a Keras weights file.
        MissingExtraError: HDF5 cannot be read.
    """
    return _layers_with_weights(path) == layers


def _from_file(path: Path, backbone: Backbone) -> ResolvedWeights:
    _require_file(path)
    fitting, note = backbone.name, ""
    shorter = _TRUNCATED_OF.get(backbone.name)
    if shorter and holds_only(path, _convolutions(backbone_named(shorter))):
        fitting = shorter
        note = f"{path.name} holds only the first blocks of {backbone.name}: the backbone {shorter} is used."
    return ResolvedWeights("file", path.resolve(), digest_of_file(path), fitting, note)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(
            f"--weights {path}: no such file; allowed: imagenet, none, or the path of a weights file without the"
            " classifier (.h5 or .weights.h5)."
        )


def _convolutions(backbone: Backbone) -> int:
    return sum("_conv" in layer for layer in backbone.layers)


def _layers_with_weights(path: Path) -> int:
    try:
        import h5py
    except ModuleNotFoundError:
        raise MissingExtraError("Reading a weights file", "train") from None
    try:
        with h5py.File(path, "r") as file:
            if "layer_names" in file.attrs:
                return sum(bool(len(file[name].attrs["weight_names"])) for name in file.attrs["layer_names"])
            layers = file.get("layers", {})
            return sum(bool(len(layers[name].get("vars", ()))) for name in layers)
    except (OSError, KeyError) as error:
        raise WeightsError(f"--weights {path}: not a Keras weights file ({error}).") from None


def published_file(backbone: Backbone) -> Path:
    """Return where Keras keeps the ImageNet weights of a backbone; the file need not be there."""
    return keras_home() / "models" / backbone.download.file


def _published(backbone: Backbone) -> Path:
    download, path = backbone.download, published_file(backbone)
    if path.is_file() and _is_genuine(path, download):
        return path
    try:
        _fetch(download, path)
    except (OSError, urllib.error.URLError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"--weights imagenet: {download.file} is not at {path.parent} and cannot be fetched ({reason}). Fetch"
            f" {download.url} on a computer with a network and put it there, or name it: --weights PATH."
            " --weights none uses seeded random filters."
        ) from None
    return path


def _fetch(download: Download, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with urllib.request.urlopen(download.url, timeout=_TIMEOUT_SECONDS) as source, partial.open("wb") as target:
            expected = int(source.headers.get("Content-Length") or 0)
            while part := source.read(1 << 20):
                target.write(part)
        _require_genuine(partial, download, expected)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _require_genuine(path: Path, download: Download, expected_bytes: int) -> None:
    received = path.stat().st_size
    if (expected_bytes and received != expected_bytes) or not _is_genuine(path, download):
        raise WeightsError(
            f"--weights imagenet: {download.url} gave {received} bytes that are not the published file (its digest is"
            f" {download.digest or 'not published'}); try again, or name a file: --weights PATH."
        )


def _is_genuine(path: Path, download: Download) -> bool:
    if download.digest is None:
        return True
    algorithm = "md5" if len(download.digest) == 32 else "sha256"
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest() == download.digest
