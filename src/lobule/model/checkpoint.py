"""What a killed fine-tuning goes on from: one file, replaced as a whole after every epoch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.provenance import write_atomically
from lobule.taxonomy import TASKS, Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

_RECORD: Final = "record"

Tensors = tuple["NDArray[Any]", ...]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training after some epoch. Random numbers need no place here: they follow from seed, epoch and step.

    Attributes:
        key: digest of everything that decides the training; a checkpoint of another training is not used.
        epoch: epochs that are done.
        best_epoch: the epoch of the lowest validation loss so far (without validation: the last), from 1.
        best_loss: that loss; infinite without validation.
        rows: the history so far, one tuple a row.
        weights: the trainable variables now.
        optimizer: the variables of the optimizer now.
        best_weights: the trainable variables at the best epoch.
        logits: after each epoch, by task, the validation logits (n_validation, C).
    """

    key: str
    epoch: int
    best_epoch: int
    best_loss: float
    rows: tuple[tuple[Any, ...], ...]
    weights: Tensors
    optimizer: Tensors
    best_weights: Tensors
    logits: tuple[Mapping[Task, NDArray[np.float32]], ...]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a crash leaves the earlier one or the new one."""
    from safetensors.numpy import save

    record = {name: getattr(checkpoint, name) for name in ("key", "epoch", "best_epoch", "best_loss", "rows")}
    tensors: dict[str, NDArray[Any]] = {_RECORD: np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)}
    for group in ("weights", "optimizer", "best_weights"):
        tensors |= {f"{group}/{place}": value for place, value in enumerate(getattr(checkpoint, group))}
    for place, logits in enumerate(checkpoint.logits):
        tensors |= {f"logits/{place}/{task}": value for task, value in logits.items()}
    write_atomically(path, save({name: np.array(value, order="C") for name, value in tensors.items()}))


def read_checkpoint(path: Path, key: str) -> Checkpoint | None:
    """Return the checkpoint of the training with this key; None where there is none that can be used."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        record = json.loads(tensors.pop(_RECORD).tobytes())
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    if record["key"] != key:
        return None
    record["rows"] = tuple(tuple(row) for row in record["rows"])
    return Checkpoint(
        **record,
        weights=_group(tensors, "weights"),
        optimizer=_group(tensors, "optimizer"),
        best_weights=_group(tensors, "best_weights"),
        logits=tuple(_logits(tensors, place) for place in range(record["epoch"])),
    )


def _group(tensors: Mapping[str, NDArray[Any]], group: str) -> Tensors:
    return tuple(tensors[f"{group}/{place}"] for place in range(sum(name.startswith(f"{group}/") for name in tensors)))


def _logits(tensors: Mapping[str, NDArray[Any]], place: int) -> dict[Task, NDArray[np.float32]]:
    return {task: tensors[f"logits/{place}/{task}"] for task in TASKS if f"logits/{place}/{task}" in tensors}
