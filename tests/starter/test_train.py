"""The whole of it on synthetic tissue, with a teacher that sees little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lobule
from lobule.config import FeatureSettings, load_config
from lobule.controls.rivals import RIVALS
from lobule.data.phantom import PhantomSummary
from lobule.data.split import Split
from lobule.errors import RunError
from lobule.features.backbones import STARTER
from lobule.features.spec import encoder_spec
from lobule.model.image_source import open_images
from lobule.pipeline import Run
from lobule.run_folder import RunFolder
from lobule.starter import record, train
from lobule.starter.distil import Recipe, distil
from lobule.starter.teacher import Lessons, lessons_of
from lobule.starter.train import StarterPlan, teacher_settings, train_starter
from tests.tiny_backbone import SETTINGS, install_tiny_graph, tiny_backbone

pytestmark = [pytest.mark.keras, pytest.mark.slow]

QUICK = {
    "features": {"backbone": "starter", "weights": "distilled", "views": ("identity",)},
    "data": {"folds": 2},
    "head": {"hidden": 8, "max_epochs": 3},
    "report": {"bootstrap": 20, "gallery": 1},
}


@dataclass(frozen=True)
class Made:
    run: Run
    plan: StarterPlan
    data: Path
    seen: list[set[bytes]]


def _repeated(*arguments: Any, **options: Any) -> Lessons:
    """Return the lessons of a teacher of eight channels as often as the encoder has channels for them."""
    found = lessons_of(*arguments, **options)
    often = STARTER.feature_size() // found.means.shape[1]
    return Lessons(np.tile(found.maps, often), np.tile(found.means, often))


@pytest.fixture(scope="module")
def made(phantom: PhantomSummary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Return a run, and the pixels that each encoder was made from."""
    seen: list[set[bytes]] = []

    def watched(images: Any, lessons: Any, *, recipe: Recipe, seed: int) -> Any:
        seen.append({image.tobytes() for image in images})
        assert len(images) == len(lessons.means) == len(lessons.maps)
        return distil(images, lessons, recipe=recipe, seed=seed)

    with pytest.MonkeyPatch.context() as patch, tiny_backbone():
        patch.setenv("LOBULE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(train, "distil", watched)
        patch.setattr(train, "lessons_of", _repeated)
        install_tiny_graph()
        plan = StarterPlan(
            FeatureSettings.model_validate({**SETTINGS, "views": ("identity",)}),
            load_config(settings=QUICK),
            Recipe(patches=2000),
        )
        out = tmp_path_factory.mktemp("starter") / "run"
        yield Made(train_starter(phantom.folder, out, plan, command="train"), plan, phantom.folder, seen)


def test_no_encoder_saw_an_image_of_the_fold_that_it_is_tested_on(made: Made) -> None:
    manifest = lobule.scan(made.data).manifest
    divided = Split.read(made.run.folder / "split.json", manifest)
    fold_of = divided.fold_of(manifest)
    pixels = open_images(manifest.paths, size=224).take(np.arange(len(manifest)))
    held_out = [{image.tobytes() for image in pixels[fold_of == fold]} for fold in range(2)]
    assert len(made.seen) == 3
    for fold, seen in enumerate(made.seen[:2]):
        assert not seen & held_out[fold]
        assert seen == held_out[1 - fold]
    assert made.seen[2] == held_out[0] | held_out[1]


def test_the_holdout_is_the_first_fold(made: Made) -> None:
    frame = pd.read_csv(made.run.folder / "predictions.csv")
    first = frame[(frame["protocol"] == "folds") & (frame["fold"] == 0)].set_index("image_id")
    holdout = frame[frame["protocol"] == "holdout"].set_index("image_id")
    assert sorted(first.index) == sorted(holdout.index)
    np.testing.assert_allclose(first["novelty"], holdout["novelty"].loc[first.index])


def test_the_run_folder_is_one_of_lobule(made: Made) -> None:
    folder = made.run.folder
    for name in ("run.json", "config.yaml", "split.json", "history.csv", "metrics.json", "report.html"):
        assert (folder / name).is_file()
    assert {path.stem for path in (folder / "controls").iterdir()} == set(RIVALS)
    assert set(made.run.metrics.document["controls"]) == set(RIVALS)
    model = lobule.load(folder)
    assert model.bundle.record.backbone.name == "starter"
    image = next(made.data.rglob("*.png"))
    assert model.predict(image).frame["verdict"].notna().all()
    heat_map = model.heatmap(image)
    assert heat_map.values.shape == (14, 14)
    card = (folder / "model" / "README.md").read_text(encoding="utf-8")
    assert "made anew for every fold" in card


def test_a_finished_run_is_not_done_again_and_others_are_refused(made: Made) -> None:
    assert train_starter(made.data, made.run.folder, made.plan).was_done
    other = StarterPlan(made.plan.teacher, made.plan.config, Recipe(patches=1999))
    with pytest.raises(RunError, match="patches was 2000, received 1999"):
        train_starter(made.data, made.run.folder, other)


def test_a_run_is_installed_and_agrees_with_itself_alone(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "docs" / "starter.md"
    page.parent.mkdir()
    page.write_text("before\n\n<!-- numbers -->\n\nold\n\n<!-- end of numbers -->\n\nafter\n")
    record.install(made.run.folder, tmp_path)
    bundle = tmp_path / "src" / "lobule" / "starter" / "bundle"
    assert (bundle / "SHA256SUMS").is_file()
    assert (tmp_path / "tests" / "starter" / "record" / "controls" / "colour_only.csv").is_file()
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n\n<!-- numbers -->\n\n| question |")
    assert text.endswith("<!-- end of numbers -->\n\nafter\n")
    monkeypatch.setattr(record, "starter_bundle", lambda: bundle)
    assert record.check(made.run.metrics) == []
    monkeypatch.setattr(record, "TOLERANCE", -1.0)
    assert any("binary case auroc (value)" in line for line in record.check(made.run.metrics))


def test_the_teacher_is_a_middle_block_of_densenet(tmp_path: Path) -> None:
    settings = teacher_settings(tmp_path / "weights.h5")
    assert (settings.backbone, settings.layers) == ("densenet121", ("conv3_block12_concat",))


def test_two_processes_do_not_make_it_in_one_folder(made: Made, tmp_path: Path) -> None:
    teacher = encoder_spec(made.plan.teacher, seed=made.plan.config.seed)
    first = RunFolder.open(tmp_path / "run", train._arguments(made.data, made.plan, teacher))
    with first.alone():
        first.note(n=1)
        with pytest.raises(RunError, match="another process is working in this run folder"):
            train_starter(made.data, tmp_path / "run", made.plan)
