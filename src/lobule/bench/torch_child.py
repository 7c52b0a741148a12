"""PyTorch in a process of its own: its LLVM and that of TensorFlow do not bear each other in one.

`python -m lobule.bench.torch_child NETWORK IMAGES.npy CORES`; a pass over the images for every line on stdin, its
seconds on stdout.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

import numpy as np

from lobule.bench.clock import seconds_of

__all__ = ["main"]

_BATCH = 32


def main(arguments: list[str]) -> int:
    """Answer every line on stdin with the seconds of one pass; once before that to warm up."""
    network, images, cores = arguments
    encode = _encoder(network, images, int(cores))
    encode()
    for _ in sys.stdin:
        sys.stdout.write(f"{seconds_of(encode)}\n")
        sys.stdout.flush()
    return 0


def _encoder(network: str, images: str, cores: int) -> Callable[[], object]:
    """Return a function that runs torchvision's network, random weights, eager, channels last, on all images."""
    torch, models = importlib.import_module("torch"), importlib.import_module("torchvision.models")
    torch.set_num_threads(cores)
    body = getattr(models, network)(weights=None).features.eval().to(memory_format=torch.channels_last)
    pixels = np.load(images)
    batches = [torch.from_numpy(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]

    def encode() -> list[object]:
        with torch.inference_mode():
            return [body(batch.permute(0, 3, 1, 2)).mean(dim=(2, 3)).numpy() for batch in batches]

    return encode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
