from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lobule.config import Config
from lobule.evaluation.columns import logit_columns, probability_columns
from lobule.evaluation.metrics import evaluate
from lobule.report.figures import write_figures
from lobule.report.html import render_report, write_report
from lobule.report.inputs import Banner, ReportInputs
from lobule.report.sketch import FigureFile
from lobule.taxonomy import DISCLAIMER

_VOID = {"meta", "img", "line", "rect", "br", "input", "link", "hr"}


class Page(HTMLParser):
    """Collects what a browser would load, and whether every tag that opens also closes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def page(inputs: ReportInputs, written_figures: list[FigureFile]) -> Page:
    return Page(render_report(inputs, written_figures))


def test_every_tag_closes_and_every_anchor_has_its_target(page: Page) -> None:
    assert page.open == []
    targets = set(page.attributes("id"))
    anchors = {href[1:] for href in page.attributes("href") if href.startswith("#")}
    assert anchors <= targets
    assert {"result", "method", "data", "binary", "subtype", "strata", "learning", "errors"} <= anchors


def test_page_requests_nothing_and_runs_nothing(page: Page) -> None:
    assert all(source.startswith("data:image/") for source in page.attributes("src"))
    outside = [href for href in page.attributes("href") if not href.startswith("#")]
    assert outside == ["https://doi.org/10.1109/TBME.2015.2496264"]
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not page.attributes("style")
    policy = next(value for value in page.attributes("content") if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_policy_names_the_digest_of_the_style_sheet_on_the_page(
    inputs: ReportInputs, written_figures: list[FigureFile]
) -> None:
    import base64
    import hashlib

    html = render_report(inputs, written_figures)
    styles = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    assert len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert f"sha256-{digest}" in html.replace("&#43;", "+").replace("&#39;", "'")
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]


def test_disclaimer_stands_at_the_head_at_the_end_and_on_every_printed_page(
    inputs: ReportInputs, page: Page, written_figures: list[FigureFile]
) -> None:
    assert page.text.count(DISCLAIMER) >= 4
    html = render_report(inputs, written_figures)
    assert re.search(r'@bottom-left \{ content: "' + re.escape(DISCLAIMER), html)


def test_first_screen_answers_how_good_how_sure_on_how_much(page: Page, inputs: ReportInputs) -> None:
    auroc = inputs.metrics.document["binary"]["folds"]["image"]["auroc"]
    first = page.text[: page.text.index("What was done", page.text.index("How to reproduce"))]
    assert f"{auroc['value']:.3f} (95 % interval {auroc['low']:.3f}–{auroc['high']:.3f}) per image" in first.replace(
        "\u00a0", " "
    )
    assert f"On {auroc['n_cases']} cases it had not seen" in first
    assert f"{auroc['n_images']} images, {auroc['n_cases']} patient ids)" in first
    assert "Plain recipe" in first
    assert "Colour only" in first


def test_images_have_text_and_tables_have_headers(page: Page) -> None:
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert all(attributes.get("alt") and attributes.get("width") for attributes in pictures)
    assert {attributes.get("scope") for tag, attributes in page.tags if tag == "th"} == {"col", "row"}
    assert ("html", {"lang": "en"}) in page.tags


def test_hostile_names_stay_text(inputs: ReportInputs) -> None:
    hostile = '"><script>alert(1)</script>$\\frac{$.png'
    frame = inputs.predictions.frame
    renamed = frame.assign(case_id=frame["case_id"].where(frame.index % 7 > 0, hostile))
    item = replace(inputs.gallery[0], image_id=hostile, case_id=hostile, text=hostile)
    inputs = replace(
        inputs,
        title=hostile,
        run={"command": hostile, "note": {hostile: [hostile]}},
        predictions=type(inputs.predictions)(renamed),
        gallery=(item,),
        banners=(Banner(severity="info", text=hostile),),
    )
    html = render_report(inputs, [])
    assert "<script" not in html
    page = Page(html)
    assert page.open == []
    assert page.text.count("<script>alert(1)</script>") >= 6


@pytest.mark.usefixtures("without_pictures")
def test_same_inputs_give_the_same_numbers_and_page(
    inputs: ReportInputs, written_figures: list[FigureFile], tmp_path: Path
) -> None:
    for first, again in zip(written_figures, write_figures(inputs, tmp_path), strict=True):
        assert again.csv.read_bytes() == first.csv.read_bytes()
    assert render_report(inputs, written_figures) == render_report(inputs, written_figures)


@pytest.mark.slow
def test_same_inputs_give_the_same_bytes(
    inputs: ReportInputs, written_figures: list[FigureFile], tmp_path: Path
) -> None:
    again = write_report(inputs, tmp_path / "report.html")
    assert again.read_text(encoding="utf-8") == render_report(inputs, written_figures)
    assert len(list((tmp_path / "figures").iterdir())) == 2 * len(written_figures)
    for figure in written_figures:
        for path in (figure.png, figure.csv):
            assert (tmp_path / "figures" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data": {"group": "image"}}, "split by image"),
        ({"features": {"weights": "none"}}, "seeded random filters"),
    ],
)
def test_what_must_not_be_believed_is_red(
    make_inputs: Callable[..., ReportInputs], settings: dict[str, object], words: str
) -> None:
    config = Config.model_validate(settings)
    page = Page(render_report(make_inputs(config=config, bootstrap=0, gallery=0), []))
    classes = [str(attributes.get("class")) for tag, attributes in page.tags if tag == "p"]
    assert classes.count("banner danger") == 1
    assert words in page.text
    assert "Do not trust these numbers" in page.text


def test_sound_run_has_no_banner(page: Page) -> None:
    assert not [1 for tag, attributes in page.tags if "banner" in str(attributes.get("class"))]


@pytest.mark.usefixtures("without_pictures")
def test_data_set_with_labels_only(make_inputs: Callable[..., ReportInputs], tmp_path: Path) -> None:
    inputs = make_inputs(subtypes=False, bootstrap=0)
    assert inputs.metrics.document["subtype"] is None
    names = {figure.name for figure in write_figures(inputs, tmp_path)}
    page = Page(render_report(inputs, []))
    assert page.open == []
    assert "subtype" not in page.attributes("id")
    assert "Subtypes are not known in this data set" in page.text
    assert "cases_binary" in names
    assert not [name for name in names if "subtype" in name or "magnification" in name]


def test_holdout_only(make_inputs: Callable[..., ReportInputs]) -> None:
    inputs = make_inputs(protocols=("holdout",), controls=False, bootstrap=0, gallery=0)
    page = Page(render_report(inputs, []))
    assert "cases it had not seen, one held-out part of the data (" in page.text
    assert "Out of fold" not in page.text
    assert "Where it fails" not in page.text
    assert "Plain recipe" not in page.text


def test_synthetic_images_are_named_so_and_need_no_citation(make_inputs: Callable[..., ReportInputs]) -> None:
    page = Page(render_report(make_inputs(synthetic=True, bootstrap=0, gallery=0), []))
    assert "Synthetic images" in page.text
    assert "Spanhol" not in page.text


def test_missing_numbers_are_dashes_with_a_reason(page: Page) -> None:
    reasons = [str(attributes.get("title")) for tag, attributes in page.tags if tag == "abbr"]
    assert reasons
    assert all("not defined here" in reason for reason in reasons)
    assert "no interval" in page.text
    assert not re.search(r"\b(nan|None)\b", page.text.replace("class_weights: none", ""))


def test_nothing_scored(inputs: ReportInputs, tmp_path: Path) -> None:
    frame = inputs.predictions.frame.assign(label="", subtype="")
    empty = type(inputs.predictions)(frame)
    document: dict[str, Any] = {"schema_version": 1, "binary": None, "subtype": None, "controls": {}}
    inputs = replace(inputs, predictions=empty, metrics=type(inputs.metrics)(document))
    page = Page(write_report(inputs, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "nothing can be said about how good this classifier is" in page.text


def test_everything_that_a_run_knows_is_on_its_page(full_inputs: ReportInputs) -> None:
    page = Page(render_report(full_inputs, []))
    assert page.open == []
    anchors = [href[1:] for href in page.attributes("href") if href.startswith("#")]
    expected = ["result", "method", "data", "binary", "calibration", "threshold", "abstention", "refusals", "cases"]
    shown = [anchor for anchor in dict.fromkeys(anchors) if anchor in page.attributes("id")]
    assert shown[:9] == expected
    assert {"subtype", "strata", "robustness", "limits"} <= set(shown)


def test_first_screen_says_whether_it_beats_colour(full_inputs: ReportInputs) -> None:
    html = render_report(full_inputs, [])
    first = html[html.index('<section id="result"') : html.index('<section id="method"')]
    assert '<p class="versus better"><strong>It beats colour:</strong>' in first
    assert "+0.075" in first
    assert "Price of cheating" not in first
    assert "Model minus rival" in first


def test_cases_in_several_folds_are_a_leak(foreign: ReportInputs, full_inputs: ReportInputs) -> None:
    frame = foreign.predictions.frame
    leaking = type(foreign.predictions)(frame.assign(fold=range(len(frame))).assign(fold=lambda rows: rows["fold"] % 2))
    page = Page(render_report(replace(foreign, predictions=leaking), []))
    several = frame.assign(fold=leaking.frame["fold"]).groupby("case_id")["fold"].nunique().gt(1).sum()
    assert f"Do not trust these numbers: {several} cases have images in several folds" in page.text
    assert "images in several folds" not in Page(render_report(full_inputs, [])).text


def test_a_finished_page_does_not_say_that_its_run_goes_on(inputs: ReportInputs) -> None:
    page = Page(render_report(replace(inputs, run={**inputs.run, "status": "running"}), []))
    assert "status done" in page.text
    assert "status running" not in page.text


def test_what_is_wider_than_a_phone_shows_that_it_scrolls(page: Page, inputs: ReportInputs) -> None:
    regions = [attributes for tag, attributes in page.tags if tag == "div" and attributes.get("class") == "picture"]
    assert len(regions) >= 8
    assert sum(attributes.get("tabindex") == "0" for attributes in regions) >= 5
    html = render_report(inputs, [])
    assert "figure.wide .picture { overflow-x: auto;" in html
    assert "swipe or scroll the figure sideways" in html
    assert "var(--shade)" in html


def test_predictions_from_elsewhere_make_a_page_with_a_warning(foreign: ReportInputs, tmp_path: Path) -> None:
    page = Page(write_report(foreign, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert "These predictions were made elsewhere. Lobule cannot know how the data were divided" in page.text
    assert "Whether it beats colour is not known" in page.text
    ids = page.attributes("id")
    assert {"result", "method", "data", "binary", "calibration", "threshold", "abstention", "cases"} <= set(ids)
    assert not {"learning", "errors", "robustness", "reproduce", "refusals"} & set(ids)
    targets = {href[1:] for href in page.attributes("href") if href.startswith("#")}
    assert targets <= set(ids)
    assert not re.search(r"\b(nan|None)\b", page.text.replace("None was fitted", ""))


def test_foreign_predictions_of_one_class_and_no_subtypes(foreign: ReportInputs, tmp_path: Path) -> None:
    frame = foreign.predictions.frame
    bare = frame[frame["label"] == "benign"].reset_index(drop=True)
    bare = bare.assign(subtype="", magnification=None, pred_subtype="")
    bare[[*logit_columns("subtype"), *probability_columns("subtype")]] = np.nan
    predictions = type(foreign.predictions)(bare)
    metrics = evaluate(predictions, bootstrap=20)
    path = write_report(replace(foreign, predictions=predictions, metrics=metrics), tmp_path / "report.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert "only one class is there, benign" in page.text
    assert "subtype" not in page.attributes("id")
    assert "So no guarantee is claimed" in page.text
