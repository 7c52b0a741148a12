from __future__ import annotations

import csv
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from lobule.data.images import decode, pixel_sha256
from lobule.inference.predictor import Predictor
from lobule.taxonomy import DISCLAIMER, SUBTYPES
from tests.cli.conftest import Outcome
from tests.inference.conftest import noise
from tests.model.tiny_bundle import write_tiny_bundle
from tests.server.conftest import BLANK, assert_problem, encoded, files_of, png
from tests.server.processes import lobule_serve

_SAME = 1e-6


def test_the_answer_is_that_of_python_and_of_the_command_line(
    client: httpx.Client, predictor: Predictor, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = [png(seed) for seed in range(5)] + [encoded(noise(9), "TIFF"), BLANK]
    folder = tmp_path / "images"
    folder.mkdir()
    for place, content in enumerate(contents):
        (folder / f"{place}.png").write_bytes(content)
    items = client.post("/v1/predictions", files=files_of(*contents)).json()["predictions"]
    frame = predictor.predict([decode(content) for content in contents]).frame
    rows = _by_command_line(folder, model, tmp_path / "out.csv", capsys)
    for place, item in enumerate(items):
        row = rows[f"{place}.png"]
        for other in (frame.iloc[place], row):
            for name in ("prob_malignant", "logit_malignant", "novelty"):
                assert item[name] == pytest.approx(float(other[name]), abs=_SAME)
            for name in SUBTYPES:
                assert item["prob_subtype"][name] == pytest.approx(float(other[f"prob_{name}"]), abs=_SAME)
            said = (item["verdict"], item["reason"], item["label"], item["subtype"], item["image_sha256"])
            assert said == tuple(
                other[name] for name in ("verdict", "reason", "pred_label", "pred_subtype", "pixel_sha256")
            )
            assert "|".join(item["label_set"]) == other["label_set"]


def _by_command_line(
    folder: Path, model: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, dict[str, str]]:
    from lobule.cli.app import main

    with pytest.raises(SystemExit) as ended:
        main(["predict", str(folder), "--model", str(model), "--out", str(out)])
    assert Outcome(ended.value.code, *capsys.readouterr()).code == 0  # type: ignore[arg-type]
    return {Path(row["path"]).name: row for row in csv.DictReader(io.StringIO(out.read_text()))}


def test_answers_come_in_the_order_sent_with_what_failed_among_them(client: httpx.Client, predictor: Predictor) -> None:
    response = client.post("/v1/predictions", files=files_of(png(1), b"no image", png(2), b"", BLANK))
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    document = response.json()
    assert (document["model_id"], document["disclaimer"]) == (predictor.bundle.record.model_id, DISCLAIMER)
    first, broken, second, empty, blank = document["predictions"]
    assert [item["index"] for item in document["predictions"]] == [0, 1, 2, 3, 4]
    assert [item["status"] for item in document["predictions"]] == ["ok", "error", "ok", "error", "ok"]
    assert (first["width"], first["height"]) == (70, 46)
    assert first["image_sha256"] == pixel_sha256(noise(1))
    assert second["image_sha256"] == pixel_sha256(noise(2))
    assert broken["error"]["code"] == empty["error"]["code"] == "unusable_image"
    assert "known format" in broken["error"]["detail"]
    assert "empty" in empty["error"]["detail"]
    assert (blank["verdict"], blank["novelty"] > 1) == ("not assessable", True)
    assert blank["reason"].startswith("blank")


def test_where_nothing_could_be_answered_every_file_has_its_reason(client: httpx.Client) -> None:
    response = client.post("/v1/predictions", files=files_of(b"text", png()[:200]))
    assert_problem(response, 422, "no_usable_image")
    assert [error["index"] for error in response.json()["errors"]] == [0, 1]
    assert {error["code"] for error in response.json()["errors"]} == {"unusable_image"}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("C:\\slides\\a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        ("Gewebe ä 組織.png", "Gewebe ä 組織.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 500, "x" * 120),
        ("\u200b\u2066", "image-1"),
    ],
)
def test_names_are_cleaned(client: httpx.Client, sent: str, shown: str) -> None:
    response = client.post("/v1/predictions", files=[("files", (sent, png()))])
    assert response.json()["predictions"][0]["name"] == shown


def test_a_model_without_subtypes_says_null(tmp_path: Path) -> None:
    model = write_tiny_bundle(tmp_path / "model", tasks=("binary",))
    with lobule_serve(tmp_path, model) as running, running.client() as opened:
        item = opened.post("/v1/predictions", files=files_of(png())).json()["predictions"][0]
        assert (item["subtype"], item["prob_subtype"], item["novelty"]) == (None, None, None)
        case = opened.post("/v1/cases", files=files_of(png()), data={"case_id": "1"}).json()["case"]
        assert (case["subtype"], case["prob_subtype"]) == (None, None)
        refused = opened.post("/v1/heatmaps?task=subtype", files=files_of(png(), field="file"))
        assert_problem(refused, 422, "unknown_task")
        assert opened.get("/v1/model").json()["tasks"] == ["binary"]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3, 2), (2000, 1)])
def test_images_of_odd_sizes_are_answered(client: httpx.Client, size: tuple[int, int]) -> None:
    stream = io.BytesIO()
    Image.new("L", size, 100).save(stream, "PNG")
    item = client.post("/v1/predictions", files=files_of(stream.getvalue())).json()["predictions"][0]
    assert (item["status"], item["width"], item["height"]) == ("ok", *size)
    assert np.isfinite(item["prob_malignant"])
