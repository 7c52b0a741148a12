"""A tiny model, images that it accepts, and a server that answers with it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lobule.features.openvino_engine import load_graph
from lobule.features.statistics import image_statistics
from lobule.features.views import apply_view
from lobule.inference.predictor import Predictor
from lobule.model.novelty import fit_novelty
from tests.inference.conftest import noise
from tests.model.tiny_bundle import INPUT_SIZE, write_graph, write_tiny_bundle
from tests.server.processes import Running, lobule_serve


def png(seed: int = 0, *, height: int = 46, width: int = 70) -> bytes:
    """Return noise that the model accepts, as a file."""
    return encoded(noise(seed, height=height, width=width))


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


BLANK = encoded(np.full((40, 40, 3), 200, np.uint8))
"""An image that the model refuses."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle whose novelty was fitted to noise, so that noise is accepted and a blank image is not."""
    folder = tmp_path_factory.mktemp("served")
    graph = load_graph(write_graph(folder / "graph") / "backbone.xml")
    images = [noise(seed) for seed in range(40)]
    features = graph.encode([apply_view(image, "identity", size=INPUT_SIZE) for image in images])
    statistics = np.stack([image_statistics(image) for image in images])
    novelty = fit_novelty(features, statistics, cases=np.arange(len(images)) // 2)
    return write_tiny_bundle(folder / "model", novelty=novelty)


@pytest.fixture(scope="session")
def predictor(model: Path) -> Predictor:
    return Predictor(model)


@pytest.fixture(scope="session")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return `lobule serve` as a person starts it."""
    with lobule_serve(tmp_path_factory.mktemp("server"), model) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


def files_of(*contents: bytes, field: str = "files") -> list[tuple[str, tuple[str, bytes]]]:
    return [(field, (f"{place}.png", content)) for place, content in enumerate(contents)]


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < 120, "it never came true"
        time.sleep(0.01)


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert {"type", "title", "detail"} <= set(problem)
    assert response.headers["x-content-type-options"] == "nosniff"
