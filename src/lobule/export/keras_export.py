"""One flat `.keras` model a task: image in, probabilities out; reloads in safe mode, proven against the bundle."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.errors import ConfigError, VerificationError
from lobule.export.encoder import encoder_of
from lobule.export.keras_readme import readme_of
from lobule.features.build import build_spec
from lobule.features.convert import parity_images
from lobule.features.keras_runtime import import_keras
from lobule.features.openvino_engine import load_graph
from lobule.features.views import apply_view
from lobule.model.bundle import Bundle, open_bundle
from lobule.model.keras_head import apply_layers, keras_layers_of
from lobule.provenance import write_atomically
from lobule.taxonomy import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LARGEST_DIFFERENCE", "export_keras"]

LARGEST_DIFFERENCE: Final = 1e-3
"""Largest difference allowed between the probabilities of an exported model and of its bundle."""

_CROP: Final = "crop_"
_PARITY_IMAGES: Final = 4
_TURNS: Final[dict[str, tuple[bool, tuple[int, ...]]]] = {
    "identity": (False, ()),
    "flip_horizontal": (False, (2,)),
    "flip_vertical": (False, (1,)),
    "rotate_90": (True, (1,)),
    "rotate_180": (False, (1, 2)),
    "rotate_270": (True, (2,)),
    "transpose": (True, ()),
    "transverse": (True, (1, 2)),
}
"""By view: whether height and width are exchanged, and which axes of the batch are reversed afterwards."""


def export_keras(model: Path, out: Path, *, weights: Path | None = None) -> list[Path]:
    """Write one `.keras` model for each task of a bundle, and a README that says how to use them.

    Each takes "image", (n, S, S, 3) RGB 0..255 as float32, squashed as the README shows, and gives (n, C)
    probabilities: preprocessing, the averaging over the bundle's views and the temperature are inside. The graph is
    flat and made of Keras' own layers and operations, so that it reloads with `safe_mode=True`.

    Args:
        model: run folder, or bundle.
        out: folder to write into; created. Models of the same names are replaced.
        weights: weights file of the backbone, where the run does not tell or no longer has it.

    Returns:
        The models, then the README.

    Raises:
        ConfigError: `model` is no bundle, or averages over crops, which a squashed image cannot give.
        WeightsError: the Keras weights of the backbone cannot be found, or are not those of the bundle.
        VerificationError: the bundle is damaged, or a written model does not give the bundle's probabilities.
    """
    bundle = open_bundle(model)
    _refuse_crops(bundle)
    spec = encoder_of(bundle, weights=weights)
    out.mkdir(parents=True, exist_ok=True)
    images = parity_images(_PARITY_IMAGES, bundle.record.input_size)
    features = _features_of(bundle, images)
    backbone, written = build_spec(spec), []
    for task in bundle.record.tasks:
        keras_model = _model_of(backbone, bundle, task)
        written.append(_write_verified(keras_model, out / f"{task}.keras", images, _answers(bundle, task, features)))
    readme = out / "README.md"
    write_atomically(readme, readme_of(bundle.record, [path.name for path in written]))
    return [*written, readme]


def _refuse_crops(bundle: Bundle) -> None:
    crops = [view for view in bundle.record.preprocessing.views if view.startswith(_CROP)]
    if crops:
        raise ConfigError(
            f"MODEL {bundle.folder}: averages over {', '.join(crops)}, which are cut from the image before it is "
            "squashed; a Keras model gets the squashed image. Train with --set features.views of flips and turns."
        )


def _model_of(backbone: Any, bundle: Bundle, task: Task) -> Any:
    """Return the flat graph: views stacked along the batch, one pass, logits averaged, temperature, probabilities."""
    keras, record = import_keras(), bundle.record
    views = record.preprocessing.views
    image = keras.Input((record.input_size, record.input_size, 3), name="image", dtype="float32")
    turned = [_turned(image, view) for view in views]
    stacked = keras.layers.Concatenate(axis=0, name="views")(turned) if len(views) > 1 else turned[0]
    features, _ = backbone.call(stacked)
    head = bundle.heads[task]
    logits = apply_layers(keras_layers_of(head), features)
    if len(views) > 1:
        logits = keras.ops.mean(keras.ops.reshape(logits, (len(views), -1, head.output_bias.shape[0])), axis=0)
    logits = keras.layers.Rescaling(1 / record.temperature[task], name="temperature")(logits)
    activation = "sigmoid" if task == "binary" else "softmax"
    probabilities = keras.layers.Activation(activation, name="probability")(logits)
    return keras.Model(image, probabilities, name=f"lobule_{task}")


def _turned(image: Any, view: str) -> Any:
    ops = import_keras().ops
    exchanged, reversed_axes = _TURNS[view]
    if exchanged:
        image = ops.transpose(image, (0, 2, 1, 3))
    return ops.flip(image, axis=reversed_axes) if reversed_axes else image


def _features_of(bundle: Bundle, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the bundle's own graph makes of every view, (V, n, D)."""
    engine, size = load_graph(bundle.graph), bundle.record.input_size
    return np.stack(
        [
            engine.encode(apply_view(image, view, size=size) for image in images)
            for view in bundle.record.preprocessing.views
        ]
    )


def _answers(bundle: Bundle, task: Task, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the bundle's probabilities, (n, C), from features (V, n, D)."""
    logits = bundle.heads[task].logits(features).mean(axis=0, dtype=np.float64) / bundle.record.temperature[task]
    if task == "binary":
        return np.asarray(1 / (1 + np.exp(-logits)))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _write_verified(model: Any, path: Path, images: NDArray[np.uint8], expected: NDArray[np.float64]) -> Path:
    """Save a model, reload it in safe mode and compare; only then is it given its name."""
    keras = import_keras()
    unverified = path.with_name(f".{uuid.uuid4().hex}.keras")
    try:
        model.save(unverified)
        reloaded = keras.models.load_model(unverified, safe_mode=True, compile=False)
        received = np.asarray(reloaded.predict_on_batch(images.astype(np.float32)))
        difference = float(np.abs(received - expected).max())
        if not difference <= LARGEST_DIFFERENCE:
            raise VerificationError(
                f"{path.name}: its probabilities differ by {difference:.2g} from those of the bundle, allowed "
                f"{LARGEST_DIFFERENCE:g}; it was not written. Name the weights that the bundle was made from."
            )
        unverified.replace(path)
    finally:
        unverified.unlink(missing_ok=True)
    return path
