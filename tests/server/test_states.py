from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from lobule.inference.predictor import Predictor
from tests.server.conftest import assert_problem, files_of, png
from tests.server.processes import Running, limited_serve, lobule_serve


def numbers(client: httpx.Client) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_server_lives_and_is_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}


def test_what_a_model_is_comes_from_its_bundle(client: httpx.Client, predictor: Predictor) -> None:
    document, record = client.get("/v1/model").json(), predictor.bundle.record
    assert document["model_id"] == record.model_id
    assert (document["tasks"], document["input_size"]) == (list(record.tasks), record.input_size)
    assert document["classes"] == {task: list(names) for task, names in record.classes.items()}
    assert (document["threshold"], document["temperature"]) == (record.threshold.value, dict(record.temperature))
    assert document["operating"] == record.operating.model_dump(mode="json")
    assert document["training"]["n_cases"] == record.training.n_cases
    assert document["metrics"] == record.metrics
    assert (document["intended_use"], document["card"]) == (record.intended_use, "# Tiny\n")
    assert document["refuses"] is True
    assert set(document["limits"]) == {
        "max_file_bytes",
        "max_request_bytes",
        "max_files",
        "max_pixels",
        "requests_per_minute",
    }


def test_requests_and_images_are_counted(client: httpx.Client, predictor: Predictor) -> None:
    before = numbers(client)
    client.post("/v1/predictions", files=files_of(png(), b"x"))
    client.get("/v1/nothing/of/this/name")
    after = numbers(client)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown('lobule_requests_total{method="POST",route="/v1/predictions",status="200"}') == 1
    assert grown('lobule_requests_total{method="GET",route="other",status="404"}') == 1
    assert grown('lobule_images_total{outcome="unusable_image"}') == 1
    assert grown('lobule_request_seconds_count{route="/v1/predictions"}') == 1
    assert after[f'lobule_model_info{{model_id="{predictor.bundle.record.model_id}"}}'] == 1
    assert after["lobule_waiting_images"] == 0


def test_logs_hold_digests_sizes_and_times_and_nothing_of_a_person(server: Running, client: httpx.Client) -> None:
    names = [("files", ("Mueller-Anna-1961.png", png(7))), ("files", ("Secret.txt", b"her diagnosis"))]
    digest = client.post("/v1/predictions?q=SecretQuery", files=names).json()["predictions"][0]["image_sha256"]
    client.get("/SecretPath", headers={"X-Secret": "SecretHeader", "User-Agent": "SecretAgent"})
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    (line,) = [line for line in lines if line.get("image_sha256") == [digest]]
    assert (line["event"], line["route"], line["status"]) == ("request", "/v1/predictions", 200)
    assert line["bytes_in"] > len(png(7))
    assert line["seconds"] > 0
    assert not re.search("Mueller|Secret|diagnosis|127\\.0\\.0\\.1", text)


def test_a_full_queue_is_not_ready(model: Path, tmp_path: Path) -> None:
    with (
        limited_serve(tmp_path, model, "slow=30", "queue=1", "max_files=1", "answer_seconds=1") as running,
        running.client() as opened,
    ):
        # Two streams look some images ahead of what they answer: as many are begun, then one waits.
        while opened.get("/readyz").status_code == 200:
            with pytest.raises(httpx.ReadTimeout):
                opened.post("/v1/predictions", files=files_of(png()), timeout=0.2)
        assert_problem(opened.get("/readyz"), 503, "busy")
        assert opened.get("/healthz").status_code == 200
        running.process.kill()


def test_every_answer_is_in_the_audit_log(model: Path, tmp_path: Path, predictor: Predictor) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_text('{"kept": true}\n')
    with lobule_serve(tmp_path, model, "--audit-log", log) as running, running.client() as opened:
        item = opened.post("/v1/predictions", files=files_of(png(1), b"x")).json()["predictions"][0]
        case = opened.post("/v1/cases", files=files_of(png(1)), data={"case_id": "Anna"}).json()["case"]
        opened.post("/v1/heatmaps?task=subtype", files=files_of(png(1), field="file"))
    kept, of_image, again, of_case, of_map = [json.loads(line) for line in log.read_text().splitlines()]
    assert kept == {"kept": True}
    assert {of_image["model_id"], of_map["model_id"]} == {predictor.bundle.record.model_id}
    for name in ("image_sha256", "verdict", "prob_malignant", "label_set", "novelty", "subtype"):
        assert of_image[name] == again[name] == item[name]
    assert of_case["case"] == [item["image_sha256"]]
    assert of_case["prob_malignant"] == case["prob_malignant"]
    assert (of_map["image_sha256"], of_map["heat_map"]) == (item["image_sha256"], item["subtype"])
    assert not re.search(r"Anna|0\.png", log.read_text())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_what_cannot_be_recorded_is_not_said(model: Path, tmp_path: Path) -> None:
    with lobule_serve(tmp_path, model, "--audit-log", "/dev/full") as running, running.client() as opened:
        assert_problem(opened.post("/v1/predictions", files=files_of(png())), 503, "audit_failed")
        assert opened.get("/healthz").status_code == 200
