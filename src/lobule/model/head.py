"""The classifier on top of the backbone, in numpy: standardise, dense ReLU, dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lobule.errors import VerificationError
from lobule.taxonomy import TASKS, Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Head", "load_heads", "save_heads"]

_TENSORS = ("mean", "scale", "hidden_kernel", "hidden_bias", "output_kernel", "output_bias")


@dataclass(frozen=True, eq=False)
class Head:
    """A trained head; D features, H hidden units, C outputs (binary: 1, the malignant logit; subtype: 8).

    Attributes:
        task: what it answers.
        mean: training mean of each feature, (D,).
        scale: training standard deviation of each feature, (D,), positive.
        hidden_kernel: (D, H); H = 0 means that there is no hidden layer.
        hidden_bias: (H,).
        output_kernel: (H, C), or (D, C) without a hidden layer.
        output_bias: (C,).
    """

    task: Task
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden_kernel: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output_kernel: NDArray[np.float32]
    output_bias: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check that the shapes fit each other.

        Raises:
            VerificationError: they do not.
        """
        features, hidden = self.hidden_kernel.shape
        outputs = 1 if self.task == "binary" else len(classes_of(self.task))
        expected = ((features,), (features,), (features, hidden), (hidden,), (hidden or features, outputs), (outputs,))
        for name, shape in zip(_TENSORS, expected, strict=True):
            if getattr(self, name).shape != shape:
                raise VerificationError(f"{self.task} head: {name} is {getattr(self, name).shape}, expected {shape}.")
        if not np.all(self.scale > 0):
            raise VerificationError(f"{self.task} head: scale must be positive.")

    @property
    def feature_size(self) -> int:
        """D, the number of features that it takes."""
        return int(self.mean.shape[0])

    @property
    def has_hidden_layer(self) -> bool:
        """Whether there is a hidden layer between the features and the output."""
        return bool(self.hidden_kernel.shape[1])

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits (..., C) of features (..., D)."""
        activations = self._standardise(features)
        if self.has_hidden_layer:
            hidden = activations @ self.hidden_kernel + self.hidden_bias
            activations = np.asarray(np.maximum(hidden, 0), dtype=np.float32)
        logits: NDArray[np.float32] = activations @ self.output_kernel + self.output_bias
        return logits

    def gradient(self, features: NDArray[np.float32], output: int = 0) -> NDArray[np.float32]:
        """Return d logit[output] / d features, (D,), at one image's features (D,)."""
        towards = self.output_kernel[:, output]
        if self.has_hidden_layer:
            hidden = self._standardise(features) @ self.hidden_kernel + self.hidden_bias
            towards = self.hidden_kernel @ np.where(hidden > 0, towards, np.float32(0))
        return np.asarray(towards / self.scale, dtype=np.float32)

    def _standardise(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((features - self.mean) / self.scale, dtype=np.float32)


def save_heads(path: Path, heads: Mapping[Task, Head]) -> None:
    """Write heads to one safetensors file, tensors named `task/tensor`."""
    from safetensors.numpy import save

    from lobule.provenance import write_atomically

    tensors = {f"{task}/{name}": _contiguous(getattr(head, name)) for task, head in heads.items() for name in _TENSORS}
    write_atomically(path, save(tensors))


def load_heads(path: Path) -> dict[Task, Head]:
    """Read what `save_heads` wrote.

    Raises:
        VerificationError: the file is missing, damaged or holds no head.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise VerificationError(f"{path}: cannot be read as heads ({error}).") from None
    heads = {task: _head_of(task, tensors, path) for task in TASKS if f"{task}/mean" in tensors}
    if not heads:
        raise VerificationError(f"{path}: holds no head; found {sorted(tensors)}.")
    return heads


def _head_of(task: Task, tensors: Mapping[str, NDArray[Any]], path: Path) -> Head:
    missing = [name for name in _TENSORS if f"{task}/{name}" not in tensors]
    if missing:
        raise VerificationError(f"{path}: the {task} head lacks {', '.join(missing)}.")
    return Head(task, *(tensors[f"{task}/{name}"] for name in _TENSORS))


def _contiguous(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, dtype=np.float32)
