"""What the teacher sees in each image: the map of a middle block of a pretrained network, and its mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lobule.features.engines import open_engine
from lobule.model.image_source import open_images
from lobule.progress import Progress, silent
from lobule.provenance import cache_folder, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest
    from lobule.features.spec import EncoderSpec

__all__ = ["MAP_SIDE", "TEACHER_LAYER", "Lessons", "lessons_of"]

TEACHER_LAYER: Final = "conv3_block12_concat"
"""Of DenseNet121. On partitions that no reported number uses it predicts as well as the last layer, and subtypes
better; and it looks at small parts of an image, which a small network can learn to see."""

MAP_SIDE: Final = 14
"""Cells along a side of the map that the encoder predicts."""

_CHUNK: Final = 32


@dataclass(frozen=True, eq=False)
class Lessons:
    """What the teacher sees in n images; C channels.

    Attributes:
        maps: (n, 14, 14, C), half precision.
        means: (n, C), over the teacher's whole map.
    """

    maps: NDArray[np.float16]
    means: NDArray[np.float32]

    def of(self, rows: NDArray[np.bool_]) -> Lessons:
        """Return the lessons of some images and no others."""
        return Lessons(self.maps[rows], self.means[rows])


def lessons_of(manifest: Manifest, teacher: EncoderSpec, *, progress: Progress = silent) -> Lessons:
    """Show every image to the teacher, squashed and not otherwise changed; what it saw is kept in the cache.

    Args:
        manifest: n images.
        teacher: the network and the layer.
        progress: told the number of images.

    Raises:
        DataError: an image can no longer be decoded.
        WeightsError: the teacher's weights do not fit.
    """
    kept = cache_folder() / "starter" / f"{teacher.graph_key}-{manifest.digest[:32]}.safetensors"
    known = _read(kept)
    if known is not None and len(known.means) == len(manifest):
        return known
    engine = open_engine(teacher, kind="openvino")
    pixels = open_images(manifest.paths, size=engine.input_size)
    maps, means = [], []
    for start in range(0, len(manifest), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(manifest)))
        seen, areas = engine.maps(pixels.take(rows))
        means.append(seen[:, teacher.map_slice])
        maps.append(_resized(areas))
        progress("teacher", int(rows[-1]) + 1, len(manifest))
    found = Lessons(np.concatenate(maps), np.concatenate(means))
    write_atomically(kept, save({"maps": found.maps, "means": found.means}))
    return found


def _read(path: Path) -> Lessons | None:
    try:
        tensors = load(path.read_bytes())
        return Lessons(tensors["maps"], tensors["means"])
    except (OSError, SafetensorError, KeyError):
        return None


def _resized(maps: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return (n, 14, 14, C) means over equal areas of (n, h, w, C)."""
    rows, columns = (_areas(length) for length in maps.shape[1:3])
    return np.array(np.einsum("ah,nhwc,bw->nabc", rows, maps, columns, optimize=True), dtype=np.float16, order="C")


def _areas(cells: int) -> NDArray[np.float32]:
    """Return (14, cells) weights that take an axis of cells to an axis of 14."""
    start = np.arange(MAP_SIDE)[:, None] * cells / MAP_SIDE
    stop = start + cells / MAP_SIDE
    cell = np.arange(cells)[None]
    overlap = np.clip(np.minimum(stop, cell + 1) - np.maximum(start, cell), 0, None)
    return np.asarray(overlap * MAP_SIDE / cells, dtype=np.float32)
