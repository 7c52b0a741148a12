"""Heads with random tensors."""

from __future__ import annotations

import numpy as np

from lobule.model.head import Head
from lobule.taxonomy import Task


def random_head(task: Task, *, features: int, hidden: int, seed: int = 0) -> Head:
    generator = np.random.default_rng(seed)
    outputs = 1 if task == "binary" else 8

    def draw(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return generator.normal(scale=0.2, size=shape).astype(np.float32)

    scale = np.exp(generator.normal(scale=2, size=features)).astype(np.float32)
    return Head(
        task,
        draw(features) * 5,
        scale,
        draw(features, hidden),
        draw(hidden),
        draw(hidden or features, outputs),
        draw(outputs),
    )
