from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lobule.errors import ConfigError, ImageError, VerificationError
from lobule.features.openvino_engine import load_graph
from lobule.features.statistics import image_statistics
from lobule.features.views import apply_view
from lobule.inference.predictor import Predictor
from lobule.model.bundle import open_bundle, write_bundle
from lobule.model.novelty import Novelty, fit_novelty
from lobule.taxonomy import SUBTYPES, TASKS
from tests.inference.conftest import noise, write_images
from tests.model.tiny_bundle import make_head, make_novelty, make_record, write_graph, write_tiny_bundle


def test_logits_are_the_mean_over_the_views(predictor: Predictor, bundle_folder: Path) -> None:
    bundle, image = open_bundle(bundle_folder), noise(3)
    views = [apply_view(image, name, size=32) for name in ("identity", "flip_horizontal")]
    features = load_graph(bundle.graph).encode(views)
    predictions = predictor.predict(image)
    for task in TASKS:
        expected = bundle.heads[task].logits(features).mean(axis=0)
        np.testing.assert_allclose(predictions.logits(task)[0], expected, rtol=1e-6)
    temperature = bundle.record.temperature["subtype"]
    scores = np.exp(predictions.logits("subtype")[0] / temperature)
    np.testing.assert_allclose(predictions.probabilities("subtype")[0], scores / scores.sum(), rtol=1e-6)
    frame = predictions.frame
    assert frame["pred_subtype"][0] == SUBTYPES[int(scores.argmax())]
    assert (frame["protocol"][0], frame["model_id"][0]) == ("predict", bundle.record.model_id)


def test_the_threshold_of_the_bundle_decides(tmp_path: Path, predictor: Predictor) -> None:
    image = noise(8)
    probability = predictor.predict(image).probabilities("binary")[0, 0]
    graph, heads = write_graph(tmp_path / "graph"), {task: make_head(task) for task in TASKS}
    for threshold, verdict in ((probability, "malignant"), (np.nextafter(probability, 1), "benign")):
        record = make_record(threshold=float(threshold))
        folder = write_bundle(tmp_path / verdict, record=record, heads=heads, graph=graph, card="")
        frame = Predictor(folder).predict(image).frame
        assert (frame["pred_label"][0], frame["verdict"][0]) == (verdict, verdict)


@pytest.mark.parametrize("views", [("identity", "flip_horizontal"), ("flip_vertical", "rotate_90")])
def test_novelty_is_judged_on_the_identity_view_whatever_the_views(tmp_path: Path, views: tuple[str, ...]) -> None:
    record = make_record()
    record = record.model_copy(update={"preprocessing": record.preprocessing.model_copy(update={"views": views})})
    graph, heads = write_graph(tmp_path / "graph"), {task: make_head(task) for task in TASKS}
    images = [noise(seed) for seed in range(30)]
    identity = load_graph(graph / "backbone.xml").encode([apply_view(image, "identity", size=32) for image in images])
    statistics = np.stack([image_statistics(image) for image in images])
    novelty = fit_novelty(identity, statistics, cases=np.arange(30) // 2)
    plain, judging = (
        Predictor(write_bundle(tmp_path / name, record=record, heads=heads, graph=graph, card="", novelty=each))
        for name, each in (("plain", None), ("judging", novelty))
    )
    strange = np.full((40, 40, 3), 200, np.uint8)
    frame = judging.predict([*images, strange]).frame
    expected, _ = novelty.judge(identity, statistics)
    np.testing.assert_allclose(frame["novelty"][:30], expected, rtol=1e-8)
    assert frame["verdict"][30] == "not assessable"
    assert frame["reason"][30].startswith("blank: 100 % of the image is without detail (novelty ")
    assert ((frame["verdict"] == "not assessable") == (frame["novelty"] > 1)).all()
    before = plain.predict([*images, strange])
    assert before.frame["novelty"].isna().all()
    assert set(before.frame["verdict"]) <= {"benign", "malignant"}
    for task in TASKS:
        np.testing.assert_array_equal(judging.predict([*images, strange]).logits(task), before.logits(task))
    assert (frame["pred_label"] == before.frame["pred_label"]).all()


def test_an_answer_does_not_depend_on_the_images_beside_it(predictor: Predictor) -> None:
    images = [noise(seed, height=30 + seed, width=60) for seed in range(40)]
    together = predictor.predict(images)
    alone = [predictor.predict(image) for image in reversed(images)]
    for task in TASKS:
        apart = np.concatenate([each.logits(task) for each in alone])[::-1]
        np.testing.assert_array_equal(together.logits(task), apart)


def test_what_a_file_name_tells_is_filled_in(predictor: Predictor, tmp_path: Path) -> None:
    name = "SOB_M_DC-14-13412AB-200-007.png"
    for path in (tmp_path / name, tmp_path / "other.png"):
        Image.fromarray(noise(1)).save(path)
    frame = predictor.predict([tmp_path / name, str(tmp_path / "other.png")]).frame
    row = frame.iloc[0]
    assert (row["image_id"], row["label"], row["subtype"]) == (name[:-4], "malignant", "ductal_carcinoma")
    assert (row["case_id"], row["patient_id"], row["magnification"]) == ("14-13412", "14-13412AB", 200)
    assert row["path"] == (tmp_path / name).as_posix()
    other = frame.iloc[1]
    assert (other["image_id"], other["label"], other["case_id"]) == ("other", "", "")
    assert other["pixel_sha256"] == row["pixel_sha256"]


def test_every_image_has_an_id_of_its_own(predictor: Predictor, tmp_path: Path) -> None:
    (one, *_), (two, *_) = write_images(tmp_path / "a", 1), write_images(tmp_path / "b", 1)
    frame = predictor.predict([one, two, one, noise(0), Image.fromarray(noise(1)), two.read_bytes()]).frame
    assert frame["image_id"].is_unique
    assert frame["image_id"].tolist()[3:] == ["image-4", "image-5", "image-6"]
    assert frame["path"].tolist()[3:] == ["", "", ""]


def test_no_image_gives_no_row(predictor: Predictor) -> None:
    assert len(predictor.predict([])) == 0


def test_a_bad_image_is_named(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"bad\.png: not an image"):
        predictor.predict([noise(0), tmp_path / "bad.png"])
    with pytest.raises(ImageError, match="image 2: the file is empty"):
        predictor.predict([noise(0), b""])


def test_errors_stay_in_their_place(predictor: Predictor) -> None:
    def bad() -> NDArray[np.uint8]:
        raise ImageError("torn")

    def good() -> NDArray[np.uint8]:
        return noise(0)

    for pattern in ("b", "gb", "bg", "bbgbbgbb", "gggg", "g" * 30 + "b" * 30 + "g"):
        answers = list(predictor.stream(good if kind == "g" else bad for kind in pattern))
        assert "".join("b" if isinstance(answer, ImageError) else "g" for answer in answers) == pattern


def test_images_are_taken_a_few_at_a_time(predictor: Predictor) -> None:
    taken = 0

    def loads() -> Iterator[object]:
        nonlocal taken
        for _ in range(2000):
            taken += 1
            yield lambda: noise(0)

    answers = predictor.stream(loads())  # type: ignore[arg-type]
    next(answers)
    assert 1 <= taken < 200
    before = threading.active_count()
    answers.close()
    assert threading.active_count() <= before


def test_progress_is_told(predictor: Predictor) -> None:
    told: list[tuple[str, int, int]] = []
    predictor.predict([noise(0), noise(1)], progress=lambda *event: told.append(event))
    assert told == [("predict", 1, 2), ("predict", 2, 2)]


def test_many_threads_get_the_answers_of_one(predictor: Predictor, bundle_folder: Path) -> None:
    fresh = Predictor(bundle_folder)
    images = [noise(seed) for seed in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(fresh.predict, images))
        maps = list(pool.map(fresh.heatmap, images))
    for image, answer, heat_map in zip(images, answers, maps, strict=True):
        np.testing.assert_array_equal(answer.logits("subtype"), predictor.predict(image).logits("subtype"))
        np.testing.assert_array_equal(heat_map.values, predictor.heatmap(image).values)


def test_streams_predictions_and_heat_maps_at_once_are_as_one_after_the_other(bundle_folder: Path) -> None:
    images = [noise(seed) for seed in range(6)]
    alone = Predictor(bundle_folder)
    expected = alone.predict(images).frame
    maps = [alone.heatmap(image).values for image in images]
    together = Predictor(bundle_folder)  # No thread has opened the graph yet.
    start = threading.Barrier(9)

    def answer(worker: int) -> list[object]:
        start.wait()
        if worker % 3 == 0:
            return [together.predict(images).frame.equals(expected) for _ in range(4)]
        if worker % 3 == 1:
            single = [together.predict(image).frame["logit_malignant"][0] for image in images]
            return [value == wanted for value, wanted in zip(single, expected["logit_malignant"], strict=True)]
        heat = [together.heatmap(image).values for image in images]
        stopped = together.stream([lambda image=image: image for image in images])  # type: ignore[misc]
        next(stopped)
        stopped.close()  # Its requests go back to where others take them from.
        return [np.array_equal(value, wanted) for value, wanted in zip(heat, maps, strict=True)]

    with ThreadPoolExecutor(9) as pool:
        results = list(pool.map(answer, range(9)))
    assert all(all(result) for result in results)


def test_heat_maps_explain_the_undistorted_view(predictor: Predictor, bundle_folder: Path) -> None:
    bundle, image = open_bundle(bundle_folder), noise(6)
    features = load_graph(bundle.graph).encode([apply_view(image, "identity", size=32)])
    heat_map = predictor.heatmap(image)
    assert heat_map.values.shape == (8, 8)
    assert (heat_map.task, heat_map.class_name) == ("binary", "malignant")
    assert heat_map.logit == pytest.approx(float(bundle.heads["binary"].logits(features)[0, 0]), rel=1e-5)
    assert predictor.heatmap(image, toward="benign").logit == -heat_map.logit
    assert predictor.heatmap(image, task="subtype", toward="adenosis").class_name == "adenosis"


def test_the_predicted_subtype_is_explained(predictor: Predictor) -> None:
    for seed in range(4):
        predicted = predictor.predict(noise(seed)).frame["pred_subtype"][0]
        assert predictor.heatmap(noise(seed), task="subtype").class_name == predicted


def test_a_model_without_subtypes(tmp_path: Path) -> None:
    predictor = Predictor(write_tiny_bundle(tmp_path / "model", tasks=("binary",)))
    predictions = predictor.predict(noise(0))
    assert np.isnan(predictions.probabilities("subtype")).all()
    assert predictions.frame["pred_subtype"][0] == ""
    with pytest.raises(ConfigError, match="this model answers binary"):
        predictor.heatmap(noise(0), task="subtype")


def test_a_graph_that_is_not_the_one_of_the_record_is_refused(tmp_path: Path) -> None:
    record = make_record().model_copy(update={"input_size": 48})
    heads = {task: make_head(task) for task in TASKS}
    graph = write_graph(tmp_path / "graph")
    folder = write_bundle(tmp_path / "model", record=record, heads=heads, graph=graph, card="")
    with pytest.raises(VerificationError, match="takes 32 pixels"):
        Predictor(folder).predict(noise(0))


def test_a_graph_that_is_none_is_refused(tmp_path: Path) -> None:
    graph = write_graph(tmp_path / "graph")
    text = (graph / "backbone.xml").read_bytes()
    (graph / "backbone.xml").write_bytes(text[: len(text) // 2])
    heads = {task: make_head(task) for task in TASKS}
    folder = write_bundle(tmp_path / "model", record=make_record(), heads=heads, graph=graph, card="")
    with pytest.raises(VerificationError, match="cannot be read as an OpenVINO graph"):
        Predictor(folder).predict(noise(0))


def test_a_head_that_overflows_is_refused(tmp_path: Path) -> None:
    head = make_head("binary", hidden=0)
    head.output_kernel[:] = np.inf
    graph, record = write_graph(tmp_path / "graph"), make_record(tasks=("binary",))
    folder = write_bundle(tmp_path / "model", record=record, heads={"binary": head}, graph=graph, card="")
    with pytest.raises(VerificationError, match="not finite"), np.errstate(all="ignore"):
        Predictor(folder).predict(noise(0))


@pytest.mark.slow
@pytest.mark.parametrize("novelty", [None, make_novelty()], ids=["plain", "novelty"])
def test_prediction_imports_no_training_framework(novelty: Novelty | None, tmp_path: Path) -> None:
    (image,) = write_images(tmp_path, 1)
    copied = write_tiny_bundle(tmp_path / "model", novelty=novelty)
    code = (
        "import sys; from pathlib import Path; from lobule.inference.batch import predict_paths;"
        "from lobule.inference.predictor import Predictor;"
        "model, image, out = sys.argv[1:]; predictor = Predictor(model); predictor.predict(image);"
        "predict_paths([Path(image)], predictor, Path(out) / 'out.csv', heatmaps=Path(out))"
    )
    arguments = ["-X", "importtime", "-c", code, str(copied), str(image), str(tmp_path)]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=120)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "lobule.inference.predictor" in imported
    roots = {name.split(".")[0] for name in imported}
    assert not roots & {"keras", "tensorflow", "jax", "torch", "matplotlib", "sklearn"}
