"""The arithmetic of the limit: what an image costs, and what the processor can do at most."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from lobule.bench.clock import seconds_of
from lobule.features.openvino_runtime import import_openvino

__all__ = ["PEAK_SIDE", "multiply_accumulates", "product_peak"]

PEAK_SIDE: Final = 4096
"""Side of the square matrices whose product measures the processor's peak."""


def multiply_accumulates(model: Any) -> int:
    """Return the multiplications (each with its addition) that a Keras model needs for one image.

    Counted are the kernels of convolutions and dense layers, each applied at every position of its output; what
    normalisation, activation and pooling cost is left out, as is usual.

    Args:
        model: a flat `keras.Model` with a fixed input size.
    """
    return sum(_of_layer(layer) for layer in model.layers)


def _of_layer(layer: Any) -> int:
    names = ("kernel", "depthwise_kernel", "pointwise_kernel")
    kernels = [kernel for name in names if (kernel := getattr(layer, name, None)) is not None]
    if not kernels:
        return 0
    positions = math.prod(layer.output.shape[1:-1])
    return int(positions * sum(math.prod(kernel.shape) for kernel in kernels))


def product_peak(precision: str, *, side: int = PEAK_SIDE) -> Callable[[], float]:
    """Return a function that multiplies two (side, side) matrices through OpenVINO on all cores.

    One of them is a constant, as the weights of a network are.

    Args:
        precision: `f32` or `bf16`.
        side: of the matrices.

    Returns:
        The function; it returns multiply-accumulates a second.
    """
    ov = import_openvino()
    from openvino import opset13 as ops

    generator = np.random.default_rng(0)
    left, right = (generator.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    given = ops.parameter([side, side], ov.Type.f32, name="left")
    product = ops.matmul(given, ops.constant(right), False, False)
    settings = {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    compiled = ov.Core().compile_model(ov.Model([product], [given], "product"), "CPU", settings)
    request = compiled.create_infer_request()

    def run() -> float:
        return side**3 / seconds_of(lambda: request.infer([left], share_inputs=True, share_outputs=True))

    run()
    return run
