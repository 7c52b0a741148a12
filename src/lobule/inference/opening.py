"""Opening a model so that its first answer comes soon."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np  # noqa: F401 - before the thread: two threads that import it at once can see half of it.
from PIL import (  # noqa: F401 - all that images are read with; for one that is missing, Pillow would import all it has.
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from lobule.features.openvino_runtime import import_openvino

if TYPE_CHECKING:
    from pathlib import Path

    from lobule.inference.predictor import Predictor

__all__ = ["open_predictor"]


def open_predictor(model: Path) -> Predictor:
    """Return a predictor whose graph is read and compiled while everything else is imported, checked and decoded.

    Nothing is read as a graph, and nothing answered, before every file of the bundle is what its digest says.

    Args:
        model: a bundle, or a run folder.

    Raises:
        ConfigError: `model` is no bundle.
        VerificationError: the bundle is not what it claims to be.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="lobule-open")
    try:
        pool.submit(import_openvino)
        from lobule.model.bundle import graph_to_run, locate_bundle, read_bundle, verify_files

        folder = locate_bundle(model)
        digests = verify_files(folder)
        from lobule.features.openvino_engine import load_graph

        graph, precision = graph_to_run(folder)
        opening = pool.submit(load_graph, graph, precision=precision)
    finally:
        pool.shutdown(wait=False)
    from lobule.inference.predictor import Predictor

    return Predictor(read_bundle(folder, digests), opening=opening)
