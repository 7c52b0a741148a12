from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lobule.data.manifest import Manifest
from lobule.data.split import Split
from lobule.evaluation.metrics import evaluate
from lobule.report.figures import write_figures
from lobule.report.frames import split_frame
from lobule.report.inputs import ReportInputs
from lobule.report.plots import draw_cases
from lobule.report.plots_decisions import draw_risk_coverage
from lobule.report.plots_strata import draw_split
from lobule.report.sketch import FigureFile
from lobule.report.theme import png_of
from tests.report.blocks_of_metrics import changed

_NAMES = {
    *("split", "cases_binary", "curves_binary", "confusion_binary", "reliability_binary"),
    *("risk_coverage", "confusion_subtype_folds", "confusion_subtype_holdout", "by_magnification", "recall_by_subtype"),
    *("learning_binary", "learning_subtype"),
}


@pytest.fixture
def figures(written_figures: list[FigureFile]) -> dict[str, FigureFile]:
    return {figure.name: figure for figure in written_figures}


def read(figure: FigureFile) -> pd.DataFrame:
    return pd.read_csv(figure.csv)


def test_every_figure_is_a_png_beside_a_csv(figures: dict[str, FigureFile]) -> None:
    assert set(figures) == _NAMES
    for figure in figures.values():
        assert figure.png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert b"Software" not in figure.png.read_bytes()
        assert figure.csv.with_suffix(".png") == figure.png
        assert len(read(figure))
    folder = figures["split"].png.parent
    assert len(list(folder.iterdir())) == 2 * len(figures)


def test_confusion_numbers_are_those_of_the_metrics(inputs: ReportInputs, figures: dict[str, FigureFile]) -> None:
    frame = read(figures["confusion_binary"])
    for level in ("image", "case"):
        counts = inputs.metrics.document["binary"]["folds"][level]["confusion_matrix"]["counts"]
        assert frame.loc[frame["panel"] == f"Out of fold, {level}s", "count"].tolist() == np.ravel(counts).tolist()
    shares = frame.groupby(["panel", "true"])["row_share"].sum()
    assert np.allclose(shares, 1)


def test_magnification_and_subtype_numbers_are_those_of_the_metrics(
    inputs: ReportInputs, figures: dict[str, FigureFile]
) -> None:
    level = inputs.metrics.document["binary"]["folds"]["image"]
    frame = read(figures["by_magnification"])
    aurocs = frame[frame["metric"] == "AUROC"].set_index("magnification")
    for key, stratum in level["by_magnification"].items():
        assert aurocs.loc[f"{key}X", "value"] == pytest.approx(stratum["auroc"]["value"])
        assert aurocs.loc[f"{key}X", "low"] == pytest.approx(stratum["auroc"]["low"])
    recalls = read(figures["recall_by_subtype"]).set_index(["subtype", "question"])
    right = level["by_subtype"]["ductal_carcinoma"]["accuracy"]
    assert recalls.loc[("ductal_carcinoma", "label"), "value"] == pytest.approx(right["value"])
    own = inputs.metrics.document["subtype"]["folds"]["image"]["per_class"]["adenosis"]
    assert recalls.loc[("adenosis", "subtype"), "value"] == pytest.approx(own["recall"])
    assert recalls.loc[("adenosis", "subtype"), "n_cases"] == own["n_cases"]


def test_area_under_the_drawn_curve_is_the_auroc(inputs: ReportInputs, figures: dict[str, FigureFile]) -> None:
    frame = read(figures["curves_binary"])
    for protocol in ("folds", "holdout"):
        points = frame[(frame["protocol"] == protocol) & (frame["curve"] == "roc")]
        area = np.trapezoid(points["y"], points["x"])
        assert area == pytest.approx(inputs.metrics.value("binary", "auroc", protocol=protocol), abs=1e-6)


def test_split_figure_counts_every_image_once_in_the_folds(
    manifest: Manifest, division: Split, figures: dict[str, FigureFile]
) -> None:
    frame = read(figures["split"])
    folds = frame[frame["part"].str.startswith("fold")]
    assert folds["n_images"].sum() == len(manifest)
    assert frame.loc[frame["part"] == "validation", "n_images"].sum() == len(division.validation)
    cases = folds.drop_duplicates(["part", "label"])["n_label_cases"].sum()
    assert cases == manifest.frame["case_id"].nunique()


def test_learning_curves_are_the_history(inputs: ReportInputs, figures: dict[str, FigureFile]) -> None:
    assert inputs.history is not None
    expected = inputs.history[inputs.history["task"] == "binary"].reset_index(drop=True)
    pd.testing.assert_frame_equal(read(figures["learning_binary"]), expected, check_dtype=False)


def test_cases_are_ordered_by_their_own_probability(inputs: ReportInputs, figures: dict[str, FigureFile]) -> None:
    frame = read(figures["cases_binary"])
    assert frame["case_probability"].is_monotonic_increasing
    assert len(frame) == len(inputs.images)


def test_rings_are_the_errors_of_the_confusion_matrix(inputs: ReportInputs, figures: dict[str, FigureFile]) -> None:
    cases = read(figures["cases_binary"]).drop_duplicates("case_id")
    called = pd.crosstab(cases["label"], cases["called_malignant"]).to_numpy()
    assert called.tolist() == inputs.metrics.document["binary"]["folds"]["case"]["confusion_matrix"]["counts"]
    caption = figures["cases_binary"].caption
    assert "A ring: a case that was called wrongly." in caption
    assert "Each fold was judged at its own threshold, so that a mark near the line" in caption


def test_one_threshold_for_all_needs_no_word_on_folds(foreign: ReportInputs, tmp_path: Path) -> None:
    files = {figure.name: figure for figure in write_figures(foreign, tmp_path)}
    assert "fold" not in files["cases_binary"].caption


def test_the_legend_of_errors_lies_outside_the_axes() -> None:
    frame = pd.DataFrame(
        {"level": ["image"] * 3, "coverage": [0.1, 0.5, 1.0], "risk": [0.5, 0.4, 0.2], "confidence": 1}
    )
    figure = draw_risk_coverage(frame).figure
    png_of(figure)
    (legend,), (axes,) = figure.legends, figure.axes
    assert axes.get_legend() is None
    box = axes.get_tightbbox()
    assert box is not None
    assert not legend.get_window_extent().overlaps(box)


def test_bins_of_the_reliability_diagram_give_the_ece(inputs: ReportInputs, figures: dict[str, FigureFile]) -> None:
    frame = read(figures["reliability_binary"])
    for (level, stage), bins in frame.groupby(["level", "stage"]):
        gaps = (bins["predicted"] - bins["observed"]).abs() * bins["count"]
        measured = inputs.metrics.document["binary"]["folds"][level]["calibration"][stage]["ece"]["value"]
        assert gaps.sum() / bins["count"].sum() == pytest.approx(measured, abs=1e-6)
    assert len(frame.groupby(["level", "stage"])) == 4


def test_risk_curve_ends_at_the_error_rate_and_has_the_area_of_the_metrics(
    inputs: ReportInputs, figures: dict[str, FigureFile]
) -> None:
    frame = read(figures["risk_coverage"])
    for level in ("image", "case"):
        block = inputs.metrics.document["binary"]["folds"][level]
        curve = frame[frame["level"] == level]
        assert curve["risk"].iloc[-1] == pytest.approx(1 - block["accuracy"]["value"], abs=1e-6)
        area = (curve["risk"] * np.diff(curve["coverage"], prepend=0)).sum()
        assert area == pytest.approx(block["risk_coverage"]["area"]["value"], abs=1e-6)


@pytest.mark.usefixtures("without_pictures")
def test_foreign_predictions_have_the_figures_that_they_can_have(foreign: ReportInputs, tmp_path: Path) -> None:
    files = {figure.name: figure for figure in write_figures(foreign, tmp_path)}
    assert not {"split", "learning_binary", "robustness"} & set(files)
    assert {"cases_binary", "reliability_binary", "risk_coverage", "curves_binary"} <= set(files)
    assert set(read(files["reliability_binary"])["stage"]) == {"after"}


@pytest.mark.usefixtures("without_pictures")
def test_robustness_has_a_figure_where_it_was_measured(inputs: ReportInputs, tmp_path: Path) -> None:
    names = {figure.name: figure for figure in write_figures(replace(inputs, robustness=changed()), tmp_path)}
    frame = read(names["robustness"])
    assert len(frame) == len(changed()) - 4
    assert not frame["condition"].str.contains("magnification").any()


@pytest.mark.usefixtures("without_pictures")
def test_metrics_older_than_decisions_can_be_drawn(inputs: ReportInputs, tmp_path: Path) -> None:
    document = inputs.metrics.document
    levels = {name: document["binary"]["folds"][name] for name in ("image", "case")}
    bare = {
        name: {key: value for key, value in level.items() if key not in ("calibration", "conformal", "risk_coverage")}
        for name, level in levels.items()
    }
    old = type(inputs.metrics)({**document, "binary": {"folds": bare, "threshold": {"value": 0.5, "rule": "fixed"}}})
    files = {figure.name: figure for figure in write_figures(replace(inputs, metrics=old), tmp_path)}
    assert "risk_coverage" not in files
    assert set(read(files["reliability_binary"])["stage"]) == {"after"}


@pytest.mark.usefixtures("without_pictures")
def test_one_class_only(inputs: ReportInputs, tmp_path: Path) -> None:
    frame = inputs.predictions.frame
    benign = type(inputs.predictions)(frame[frame["label"] == "benign"].reset_index(drop=True))
    names = {
        figure.name
        for figure in write_figures(
            replace(inputs, predictions=benign, metrics=evaluate(benign, bootstrap=0)), tmp_path
        )
    }
    assert "curves_binary" not in names
    assert {"cases_binary", "confusion_binary", "by_magnification"} <= names


def test_any_case_name_can_be_drawn() -> None:
    names = ["$\\frac{$", "<b>&", "a" * 60, "日本"]
    frame = pd.DataFrame({"case_id": names, "label": "benign", "probability": 0.3, "case_probability": 0.3})
    frame = frame.assign(called_malignant=False)
    drawn = draw_cases(frame, threshold=0.5)
    assert png_of(drawn.figure)[:4] == b"\x89PNG"
    assert sorted(drawn.numbers["case_id"]) == sorted(names)


def test_users_settings_neither_show_nor_change(
    manifest: Manifest, division: Split, figures: dict[str, FigureFile]
) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black"}):
        drawn = png_of(draw_split(split_frame(manifest, division)).figure)
    assert drawn == figures["split"].png.read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_importing_the_room_loads_neither_matplotlib_nor_a_deep_learning_framework() -> None:
    code = (
        "import sys, lobule.report.html, lobule.report.card;"
        "print([n for n in ('matplotlib', 'keras', 'tensorflow', 'jinja2', 'sklearn', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
