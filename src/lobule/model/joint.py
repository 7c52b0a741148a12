"""Both heads on one backbone as one Keras model, with the last blocks of the backbone open to training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lobule.errors import ConfigError
from lobule.features.build import build
from lobule.features.keras_runtime import import_keras, keras_backend, sees_gpu
from lobule.model.augmentation import reseed
from lobule.model.keras_head import apply_layers, head_of, keras_layers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lobule.config import FinetuneSettings, HeadSettings
    from lobule.features.backbones import Backbone
    from lobule.features.spec import EncoderSpec
    from lobule.model.head import Head
    from lobule.taxonomy import Task

__all__ = ["JointModel", "build_joint", "unfreeze"]


@dataclass(frozen=True, eq=False)
class JointModel:
    """A backbone with its heads.

    Attributes:
        model: compiled; image (n, S, S, 3) RGB 0..255 to logits (n, C) by task.
        backbone: the part of it that `lobule.features.build.build` made.
        head_layers: by task, the layers of the head.
    """

    model: Any
    backbone: Any
    head_layers: Mapping[Task, list[Any]]

    @property
    def heads(self) -> dict[Task, Head]:
        """The heads as they are now."""
        return {task: head_of(task, layers) for task, layers in self.head_layers.items()}

    def reseed(self, *state: int) -> None:
        """Set the random numbers of dropout to a state that depends on these numbers alone."""
        heads = [layer for layers in self.head_layers.values() for layer in layers]
        reseed([*self.backbone.layers, *heads], *state)


def build_joint(
    spec: EncoderSpec,
    heads: Mapping[Task, Head],
    *,
    finetune: FinetuneSettings,
    head: HeadSettings,
    seed: int,
) -> JointModel:
    """Build and compile the joint model; before any training it gives the logits of the frozen stage.

    BatchNormalization keeps its statistics; what dropout and stochastic depth a backbone has is active in training.
    On a GPU the backbone computes in mixed precision, the heads never. The loss is the sum of the tasks'
    cross-entropies.

    Args:
        spec: the frozen backbone.
        heads: the heads of the frozen stage.
        finetune: how many blocks are opened, and the learning rate.
        head: dropout and penalty of the heads.
        seed: seed of the dropout masks.

    Raises:
        ConfigError: the backbone has fewer blocks.
        WeightsError: the weights do not fit.
    """
    keras = import_keras()
    dtype = "mixed_float16" if sees_gpu() else "float32"
    backbone = build(spec.architecture, spec.weights, layers=spec.layers, seed=spec.seed, dtype=dtype)
    unfreeze(backbone, spec.architecture, finetune.blocks)
    image = keras.Input(backbone.input_shape[1:], name="image", dtype="float32")
    features, _ = backbone(image)
    layers = {task: keras_layers_of(each, settings=head, seed=seed) for task, each in heads.items()}
    model = keras.Model(image, {task: apply_layers(each, features) for task, each in layers.items()})
    _compile(model, heads, finetune.learning_rate)
    return JointModel(model, backbone, layers)


def unfreeze(model: Any, backbone: Backbone, blocks: int) -> None:
    """Open the last blocks of a frozen graph to training; BatchNormalization stays as it is.

    Args:
        model: what `build` made.
        backbone: its entry in the registry.
        blocks: how many blocks, from the last.

    Raises:
        ConfigError: the backbone has fewer blocks.
    """
    if blocks > len(backbone.blocks):
        raise ConfigError(
            f"finetune.blocks: {backbone.name} has {len(backbone.blocks)} blocks, received {blocks}; ask for fewer."
        )
    prefixes = tuple(prefix for block in backbone.blocks[len(backbone.blocks) - blocks :] for prefix in block)
    kept = import_keras().layers.BatchNormalization
    model.trainable = True
    for layer in model.layers:
        layer.trainable = layer.name.startswith(prefixes) and not isinstance(layer, kept)


def _compile(model: Any, heads: Mapping[Task, Head], learning_rate: float) -> None:
    """Compile for both tasks; `hits` counts the right answers among all images, those without a class included."""
    keras = import_keras()

    def hits(y_true: Any, y_pred: Any) -> Any:
        if y_pred.shape[-1] == 1:
            return keras.ops.cast(keras.ops.equal(y_pred > 0, y_true > 0.5), "float32")
        answer = keras.ops.one_hot(keras.ops.argmax(y_pred, axis=-1), y_pred.shape[-1])
        return keras.ops.sum(answer * y_true, axis=-1)

    kinds = {task: "BinaryCrossentropy" if task == "binary" else "CategoricalCrossentropy" for task in heads}
    optimizer = keras.optimizers.Adam(learning_rate)
    if sees_gpu():
        # `compile` scales the loss by itself only where the outer model, too, is of mixed precision.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    # XLA pays on a GPU; on a processor TensorFlow's own convolutions are the faster ones.
    eager = keras_backend() == "tensorflow" and not sees_gpu()
    model.compile(
        optimizer=optimizer,
        loss={task: getattr(keras.losses, kind)(from_logits=True) for task, kind in kinds.items()},
        metrics={task: [keras.metrics.MeanMetricWrapper(hits, name="hits")] for task in heads},
        weighted_metrics={
            task: [getattr(keras.metrics, kind)(from_logits=True, name="cross_entropy")] for task, kind in kinds.items()
        },
        jit_compile=False if eager else "auto",
    )
