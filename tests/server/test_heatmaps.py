from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lobule.data.images import pixel_sha256
from lobule.inference.heatmap import overlay
from lobule.inference.predictor import Predictor
from lobule.taxonomy import SUBTYPES, TASKS, Task
from tests.inference.conftest import noise
from tests.server.conftest import assert_problem, files_of, png


def pixels_of(response: httpx.Response) -> NDArray[np.uint8]:
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    return np.asarray(Image.open(io.BytesIO(response.content)))


@pytest.mark.parametrize("task", TASKS)
def test_the_overlay_is_that_of_python(client: httpx.Client, predictor: Predictor, task: Task) -> None:
    response = client.post("/v1/heatmaps", params={"task": task}, files=files_of(png(3), field="file"))
    heat_map = predictor.heatmap(noise(3), task=task)
    np.testing.assert_array_equal(pixels_of(response), overlay(noise(3), heat_map))
    told = {name: value for name, value in response.headers.items() if name.startswith("x-lobule-")}
    assert told["x-lobule-model-id"] == predictor.bundle.record.model_id
    assert (told["x-lobule-task"], told["x-lobule-class"]) == (task, heat_map.class_name)
    assert float(told["x-lobule-logit"]) == pytest.approx(heat_map.logit, abs=1e-6)
    assert float(told["x-lobule-peak"]) == pytest.approx(heat_map.peak, abs=1e-6)
    assert told["x-lobule-image-sha256"] == pixel_sha256(noise(3))


def test_the_layer_laid_over_the_image_is_the_overlay(client: httpx.Client) -> None:
    answers = {
        form: pixels_of(client.post(f"/v1/heatmaps?form={form}", files=files_of(png(3), field="file"))).astype(float)
        for form in ("overlay", "layer")
    }
    colour, alpha = answers["layer"][..., :3], 0.6 * answers["layer"][..., 3:] / 255
    laid = (1 - alpha) * noise(3) + alpha * colour
    assert answers["layer"].shape == (46, 70, 4)
    assert answers["layer"][..., 3].max() > 200
    np.testing.assert_allclose(laid, answers["overlay"], atol=1.5)


def test_the_class_can_be_chosen(client: httpx.Client, predictor: Predictor) -> None:
    for toward in SUBTYPES:
        response = client.post(
            "/v1/heatmaps", params={"task": "subtype", "toward": toward}, files=files_of(png(3), field="file")
        )
        expected = predictor.heatmap(noise(3), task="subtype", toward=toward)
        assert response.headers["x-lobule-class"] == toward
        np.testing.assert_array_equal(pixels_of(response), overlay(noise(3), expected))
    benign = client.post("/v1/heatmaps?toward=benign", files=files_of(png(3), field="file"))
    assert float(benign.headers["x-lobule-logit"]) == pytest.approx(-predictor.heatmap(noise(3)).logit, abs=1e-6)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("task=slide", "invalid_parameter"),
        ("form=svg", "invalid_parameter"),
        ("toward=adenosis", "unknown_class"),
        ("task=subtype&toward=benign", "unknown_class"),
        ("toward=%ff%00", "unknown_class"),
    ],
)
def test_unknown_parameters_are_named(client: httpx.Client, query: str, code: str) -> None:
    assert_problem(client.post(f"/v1/heatmaps?{query}", files=files_of(png(), field="file")), 422, code)


def test_one_usable_file_is_needed(client: httpx.Client) -> None:
    assert_problem(client.post("/v1/heatmaps", files=files_of(png(), png(), field="file")), 413, "too_many_files")
    assert_problem(client.post("/v1/heatmaps", files=files_of(b"no image", field="file")), 422, "unusable_image")
    assert_problem(client.post("/v1/heatmaps", files=files_of(png())), 422, "unexpected_field")
