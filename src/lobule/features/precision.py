"""Which precision the backbone may compute in: what is cheaper must keep the features, shown on real images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lobule.data.images import decode
from lobule.errors import ConfigError, DataError, ImageError, VerificationError
from lobule.features.openvino_engine import OpenVINOEngine, precisions
from lobule.features.parity import Parity, digest_of_images, parity_of
from lobule.features.spec import EncoderSpec
from lobule.features.views import apply_view
from lobule.progress import Progress, silent
from lobule.provenance import digest_of_json, usable_cores

if TYPE_CHECKING:
    from lobule.config import FeatureSettings
    from lobule.data.manifest import Manifest

__all__ = ["settle"]

_CALIBRATION: Final = 300
_JUDGED: Final = 64


def settle(
    spec: EncoderSpec, settings: FeatureSettings, training: Manifest, *, seed: int, progress: Progress = silent
) -> EncoderSpec:
    """Return the specification in the precision of the settings, once its gate has let it pass.

    bf16 is compared with single precision on up to 64 images, int8 is calibrated on up to 300 and compared on up to 64
    others; both draw them by the seed, in the views of the settings by turns. Every image must keep its cosine:
    `lobule.features.parity.BOUNDS`. What was measured once is remembered.

    Args:
        spec: as `encoder_spec` resolved it.
        settings: `precision` and `views` are read.
        training: training images, and no others: a quantised backbone has seen them, if not their labels.
        seed: draws the images.
        progress: told about the stage "precision".

    Raises:
        ConfigError: the precision cannot be had on this engine or processor, or there are too few images for it.
        MissingExtraError: int8 without NNCF.
        VerificationError: a precision that was asked for by name does not keep the features; `auto` stays with f32.
        DataError: a file cannot be decoded.
    """
    wanted = settings.precision
    if wanted == "f32" or (wanted == "auto" and (spec.engine != "openvino" or "BF16" not in precisions())):
        return spec
    _require_possible(spec, wanted)
    progress("precision", 0, 1)
    if wanted == "int8":
        settled, parity = _quantised(spec, _drawn(spec, settings, training, seed, count=_CALIBRATION + _JUDGED))
    else:
        settled = replace(spec, precision="bf16")
        parity = _of_bf16(settled, _drawn(spec, settings, training, seed, count=_JUDGED))
    progress("precision", 1, 1)
    if parity.is_kept:
        return settled
    if wanted == "auto":
        return spec
    raise VerificationError(f"features.precision {wanted}: {parity}; use features.precision=f32.")


def _require_possible(spec: EncoderSpec, wanted: str) -> None:
    if spec.engine != "openvino":
        raise ConfigError(
            f"features.precision {wanted}: is computed by OpenVINO on a processor only, received the engine"
            f" {spec.engine}; use --set features.engine=openvino, or features.precision=f32."
        )
    if wanted == "bf16" and "BF16" not in precisions():
        raise ConfigError(
            f"features.precision bf16: this processor computes in {', '.join(precisions())}; use auto or f32."
        )


def _drawn(
    spec: EncoderSpec, settings: FeatureSettings, training: Manifest, seed: int, *, count: int
) -> NDArray[np.uint8]:
    """Return up to `count` images, (n, S, S, 3), drawn by the seed whatever the order of the manifest."""
    paths = dict(zip(training.frame["pixel_sha256"], training.paths, strict=True))
    digests = sorted(paths)
    order = np.random.default_rng(seed).permutation(len(digests))[:count]
    chosen = [(paths[digests[place]], settings.views[turn % len(settings.views)]) for turn, place in enumerate(order)]
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode") as pool:
        return np.stack(list(pool.map(lambda each: _view(*each, size=spec.architecture.input_size), chosen)))


def _view(path: Path, view: str, *, size: int) -> NDArray[np.uint8]:
    try:
        return apply_view(decode(path), view, size=size)
    except ImageError as error:
        raise DataError(f"{path}: {error}; scan the data again.") from None


def _quantised(spec: EncoderSpec, images: NDArray[np.uint8]) -> tuple[EncoderSpec, Parity]:
    from lobule.features.quantise import quantise

    judged = min(_JUDGED, len(images) // 4)
    if not judged:
        raise ConfigError(f"features.precision int8: 4 training images are needed, received {len(images)}; use f32.")
    return quantise(spec, images[judged:], images[:judged])


def _of_bf16(spec: EncoderSpec, images: NDArray[np.uint8]) -> Parity:
    from lobule.features.convert import graph_of

    key = digest_of_json({"spec": spec.key, "images": digest_of_images(images)})[:32]
    if known := Parity.read(key):
        return known
    graph = graph_of(spec)
    plain, other = (OpenVINOEngine(graph, precision=precision).encode(images) for precision in ("f32", "bf16"))
    parity = parity_of(plain, other, backbone=spec.backbone, precision="bf16")
    parity.write(key)
    return parity
