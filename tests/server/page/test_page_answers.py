"""Images in, answers out: what the page says is what the model says."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import expect

from lobule.cli.app import main
from lobule.inference.predictor import Predictor
from lobule.taxonomy import SUBTYPES
from tests.server.page.browser import Visit


def test_dropped_images_show_the_verdicts_of_the_model(visit: Visit, few: list[Path], predictor: Predictor) -> None:
    visit.drop(*few)
    visit.settled()
    frame = predictor.predict(few).frame
    for path, verdict, probability in zip(few, frame["verdict"], frame["prob_malignant"], strict=True):
        card = visit.card(path.name)
        expect(card.locator(".verdict")).to_have_text(verdict.capitalize())
        assert card.get_attribute("data-kind") == verdict
        if verdict != "not assessable":
            expect(card.locator(".number")).to_contain_text(f"{probability:.2f}")
    counts = frame["verdict"].value_counts()
    for verdict, number in counts.items():
        expect(visit.page.locator(f'.chip[data-kind="{verdict}"]')).to_contain_text(str(number))


def test_the_page_and_the_command_line_agree(visit: Visit, few: list[Path], model: Path, tmp_path: Path) -> None:
    visit.choose(*few)
    visit.settled()
    said = {answer["name"]: answer for answer in visit.downloaded()["predictions"]}
    out = tmp_path / "predictions.csv"
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, few), "--model", str(model), "--out", str(out)])
    assert ended.value.code == 0
    frame = pd.read_csv(out, keep_default_na=False)
    assert len(frame) == len(said) == len(few)
    for row in frame.to_dict("records"):
        answer = said[Path(row["path"]).name]
        numbers = [answer["prob_malignant"], answer["logit_malignant"], answer["novelty"]]
        numbers += [answer["prob_subtype"][name] for name in SUBTYPES]
        expected = [row[name] for name in ("prob_malignant", "logit_malignant", "novelty")]
        expected += [row[f"prob_{name}"] for name in SUBTYPES]
        np.testing.assert_allclose(numbers, np.array(expected, dtype=np.float64), rtol=1e-6, atol=1e-6)
        words = (answer["verdict"], answer["subtype"], "|".join(answer["label_set"]), answer["image_sha256"])
        assert words == tuple(row[name] for name in ("verdict", "pred_subtype", "label_set", "pixel_sha256"))


def test_the_csv_has_a_row_an_image_and_no_formula(
    visit: Visit, few: list[Path], predictor: Predictor, tmp_path: Path
) -> None:
    named = Path(shutil.copy(few[0], tmp_path / "=1+1,a.png"))
    visit.choose(few[1], named)
    visit.settled()
    rows = list(csv.DictReader(io.StringIO(visit.download("Images as CSV"))))
    assert {row["image_id"] for row in rows} == {few[1].name, "'=1+1,a.png"}
    expected = dict(
        zip(("'=1+1,a.png", few[1].name), predictor.predict([named, few[1]]).frame["prob_malignant"], strict=True)
    )
    for row in rows:
        assert row["status"] == "ok"
        assert float(row["prob_malignant"]) == pytest.approx(expected[row["image_id"]], abs=1e-6)
        assert sum(float(row[f"prob_{name}"]) for name in SUBTYPES) == pytest.approx(1, abs=1e-6)


def test_a_photograph_is_refused_with_the_reason_and_without_a_number(
    visit: Visit, photograph: Path, predictor: Predictor
) -> None:
    visit.drop(photograph)
    visit.settled()
    card = visit.card(photograph.name)
    expect(card.locator(".verdict")).to_have_text("Not assessable")
    reason = predictor.predict(photograph).frame["reason"][0]
    assert reason
    expect(card.locator(".reason")).to_contain_text(reason[1:])
    expect(card.locator(".number")).to_have_count(0)
    visit.view(photograph.name)
    numbers = visit.page.locator("dialog[open] .number")
    expect(numbers).to_be_hidden()


def test_a_corrupt_file_says_why_and_disturbs_no_other(visit: Visit, few: list[Path], corrupt: Path) -> None:
    visit.expect_complaints("422")
    visit.drop(corrupt, few[1])
    visit.settled()
    card = visit.card(corrupt.name)
    expect(card.locator(".verdict")).to_have_text("No answer")
    expect(card.locator(".reason")).to_contain_text("decoded")
    expect(card.locator(".placeholder")).to_have_text("Cannot be read")
    assert visit.card(few[1].name).get_attribute("data-kind") in ("benign", "malignant", "uncertain", "not assessable")
    answers = {answer["name"]: answer for answer in visit.downloaded()["predictions"]}
    assert answers[corrupt.name]["status"] == "error"
    assert answers[corrupt.name]["error"]["code"] == "unusable_image"


def test_a_format_that_the_browser_does_not_know_is_answered_and_drawn_by_the_server(
    visit: Visit, few: list[Path], predictor: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / "scan.tif"
    with Image.open(few[0]) as image:
        image.save(path)
        size = list(image.size)
    visit.choose(path)
    visit.settled()
    card = visit.card(path.name)
    expect(card.locator(".placeholder")).to_contain_text("TIFF: no preview")
    expect(card.locator(".verdict")).to_have_text(predictor.predict(few[0]).frame["verdict"][0].capitalize())
    visit.view(path.name)
    visit.page.get_by_role("switch", name="Show where the model looks").check()
    drawn = visit.page.locator("dialog[open] .layer")
    expect(drawn).to_be_visible()
    assert drawn.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == size
    expect(visit.page.get_by_label("Strength")).to_be_disabled()


def test_a_folder_is_searched_for_images(visit: Visit, few: list[Path], tmp_path: Path) -> None:
    inside = tmp_path / "study" / "case 7"
    inside.mkdir(parents=True)
    shutil.copy(few[0], inside / "a.png")
    (inside / "notes.txt").write_text("no image")
    visit.page.set_input_files("#folder", tmp_path / "study")
    visit.settled()
    assert visit.names() == ["a.png"]
    expect(visit.page.locator("#notes")).to_contain_text("1 file left out: no images by their names.")
    visit.page.get_by_label("Cases").select_option("Folder")
    expect(visit.page.get_by_role("heading", name="Case case 7")).to_be_visible()


def test_an_image_can_be_pasted_and_is_not_taken_twice(visit: Visit, few: list[Path]) -> None:
    visit.paste(few[0])
    visit.settled()
    visit.choose(few[1])
    expect(visit.page.locator("[data-part=headline]")).to_have_text(re.compile("^2 images: "))
    visit.choose(few[1])
    expect(visit.page.locator("#notes")).to_contain_text("on the page already")
    assert sorted(visit.names()) == sorted([few[0].name, few[1].name])


def test_images_can_be_removed_one_by_one_and_all_together(visit: Visit, few: list[Path]) -> None:
    visit.choose(*few[:3])
    visit.settled()
    visit.page.get_by_role("button", name=f"Remove {few[0].name}").click()
    expect(visit.page.locator(".card")).to_have_count(2)
    visit.page.get_by_role("button", name="Remove all").click()
    expect(visit.page.locator(".card")).to_have_count(0)
    expect(visit.page.get_by_role("heading", name="Drop H&E images of breast tissue here")).to_be_visible()
