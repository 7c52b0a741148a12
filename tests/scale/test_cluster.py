"""Real workers in a real cluster: the same bytes as without, whatever dies."""

from __future__ import annotations

import csv
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.data.scan import scan
from lobule.errors import ConfigError, MissingExtraError, RunError
from lobule.features.extract import Wanted, extract_spec
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.inference.batch import predict_paths
from lobule.inference.predictor import Predictor
from lobule.pipeline import Run, train
from lobule.scale.cluster import Cluster, loopback_only
from tests.cli.conftest import Lobule, lobule
from tests.inference.conftest import write_images
from tests.model.tiny_bundle import write_tiny_bundle
from tests.runs import QUICK, content_of
from tests.scale import played_work
from tests.scale.conftest import NODE
from tests.tiny_backbone import install_tiny_graph, tiny_backbone

__all__ = ["lobule"]

pytestmark = pytest.mark.slow
_STARTED = re.compile(r"worker 0 has started: process (\d+)")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], None]:
    """Return a function that puts work of another kind in the place of answering."""
    return lambda kind: monkeypatch.setattr("lobule.scale.work.Answering", kind)


def _images(folder: Path, count: int) -> Path:
    write_images(folder, count)
    (folder / "cut.png").write_bytes((folder / "000.png").read_bytes()[:60])
    return folder


def _outputs(out: Path) -> dict[str, bytes]:
    names = [out, out.with_name("failures.csv"), *sorted((out.parent / "maps").glob("*"))]
    return {str(path.relative_to(out.parent)): path.read_bytes() for path in names if path.exists()}


def kill_now_and_then(caplog: pytest.LogCaptureFixture, *, times: int) -> tuple[Callable[..., None], list[int]]:
    """Return what kills the newest worker of the first place, at most so many times, and a list of whom it killed."""
    killed: list[int] = []

    def kill(*_: object) -> None:
        pids = [int(found[1]) for record in caplog.records if (found := _STARTED.fullmatch(record.getMessage()))]
        if pids and pids[-1] not in killed and len(killed) < times:
            killed.append(pids[-1])
            os.kill(pids[-1], signal.SIGKILL)

    caplog.set_level(logging.INFO, "lobule.scale")
    return kill, killed


def check_three_kills(
    count: int,
    cluster: Cluster,
    model: Path,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Predict while a worker is killed three times; every image once, and the bytes of the plain run."""
    images, predictor = _images(folder / "images", count), Predictor(model)
    predict_paths([images], predictor, folder / "plain" / "p.csv")
    kill, killed = kill_now_and_then(caplog, times=3)
    summary = predict_paths([images], predictor, folder / "ray" / "p.csv", workers=cluster.answer, progress=kill)
    assert len(set(killed)) == 3
    assert (summary.n_predicted, summary.n_failed) == (count, 1)
    assert _outputs(folder / "ray" / "p.csv") == _outputs(folder / "plain" / "p.csv")
    with summary.out.open(newline="") as stream:
        assert len({row["path"] for row in csv.DictReader(stream)}) == count
    assert {path.name for path in summary.out.parent.iterdir()} == {"p.csv", "failures.csv"}


def test_a_worker_killed_three_times_costs_nothing(
    cluster: Cluster,
    model: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    played: Callable[[type], None],
) -> None:
    played(played_work.Slow)
    check_three_kills(300, cluster, model, tmp_path, caplog)


@pytest.mark.exhaustive
def test_a_worker_killed_three_times_costs_nothing_of_two_thousand_images(
    cluster: Cluster,
    model: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    played: Callable[[type], None],
) -> None:
    played(played_work.Slow)
    check_three_kills(2000, cluster, model, tmp_path, caplog)


def test_an_image_that_kills_every_worker_is_a_failure_and_the_rest_goes_on(
    cluster: Cluster, model: Path, tmp_path: Path, played: Callable[[type], None]
) -> None:
    images = _images(tmp_path / "images", 60)
    (images / "poison.png").write_bytes((images / "007.png").read_bytes())
    played(played_work.Poisonous)
    summary = predict_paths([images], Predictor(model), tmp_path / "p.csv", workers=cluster.answer)
    assert (summary.n_predicted, summary.n_failed, summary.exit_code) == (60, 2, 2)
    assert summary.failures is not None
    listed = summary.failures.read_text()
    assert 'poison.png","every worker that was given it died: ' in listed


def test_heat_maps_resuming_and_workers_without_the_files_give_the_same_bytes(
    cluster: Cluster, model: Path, tmp_path: Path, played: Callable[[type], None]
) -> None:
    images, predictor = _images(tmp_path / "images", 60), Predictor(model)
    whole, out = tmp_path / "whole" / "p.csv", tmp_path / "cut" / "p.csv"
    predict_paths([images], predictor, whole, heatmaps=whole.parent / "maps")

    def stop(_: str, done: int, __: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_paths([images], predictor, out, heatmaps=out.parent / "maps", workers=cluster.answer, progress=stop)
    assert not out.exists()
    lacking = sorted((out.parent / "maps").iterdir())[0]
    lacking.unlink()
    played(played_work.Blind)
    told: list[int] = []
    summary = predict_paths(
        [images],
        predictor,
        out,
        heatmaps=out.parent / "maps",
        resume=True,
        workers=cluster.answer,
        progress=lambda _, done, total: told.append(done),
    )
    assert 19 <= summary.n_resumed < 60
    assert told[0] == summary.n_resumed - 1, "the one whose heat map is missing is asked about again"
    assert told[-1] == 61
    assert lacking.exists()
    assert _outputs(out) == _outputs(whole)


def test_features_and_a_whole_run_are_those_of_one_computer(
    cluster: Cluster, phantom: PhantomSummary, finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "cache"))
    with tiny_backbone():
        install_tiny_graph()
        run = train(phantom.folder, tmp_path / "run", config=QUICK, extractor=cluster.extract)
        assert content_of(run.folder) == content_of(finished.folder)
        manifest: Manifest = scan(phantom.folder, settings=QUICK.data).manifest
        spec = encoder_spec(QUICK.features, seed=QUICK.seed)

        def refused(spec: EncoderSpec, wanted: Sequence[Wanted]) -> Any:
            raise AssertionError("all features are in the store")

        stored = extract_spec(manifest, spec, views=QUICK.features.views, extractor=refused)
        monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "other"))
        install_tiny_graph()
        here = extract_spec(manifest, spec, views=QUICK.features.views)
    np.testing.assert_array_equal(stored.values, here.values)


def test_features_of_keras_are_refused(cluster: Cluster) -> None:
    with tiny_backbone():
        spec = encoder_spec(QUICK.features.model_copy(update={"engine": "keras"}), seed=0)
        with pytest.raises(ConfigError, match=r"--set features\.engine=openvino"):
            next(cluster.extract(spec, []))


def test_workers_with_another_version_are_refused(
    cluster: Cluster, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lobule.__version__", "9.9")
    images, predictor = _images(tmp_path / "images", 3), Predictor(model)
    with pytest.raises(ConfigError, match=r"where 9\.9 is expected: install the same versions"):
        predict_paths([images], predictor, tmp_path / "p.csv", workers=cluster.answer)


def test_a_mistake_in_a_worker_is_an_error_with_its_reason(
    cluster: Cluster, model: Path, tmp_path: Path, played: Callable[[type], None]
) -> None:
    played(played_work.Broken)
    with pytest.raises(RunError, match=r"a worker failed: ZeroDivisionError: a mistake of ours"):
        predict_paths([_images(tmp_path / "images", 3)], Predictor(model), tmp_path / "p.csv", workers=cluster.answer)


def test_the_command_predicts_in_a_cluster_and_its_stdout_is_its_result(
    lobule: Lobule, nodes: Any, model: Path, tmp_path: Path, played: Callable[[type], None]
) -> None:
    images = _images(tmp_path / "images", 5)
    (images / "poison.png").write_bytes(b"no image")
    played(played_work.Poisonous)
    plain = lobule("predict", images, "--model", model, "--out", tmp_path / "plain" / "p.csv", "--json")
    (images / "poison.png").write_bytes((images / "000.png").read_bytes())
    shared = lobule(
        "predict", images, "--model", model, "--out", tmp_path / "ray" / "p.csv", "--ray", nodes.address, "--json"
    )
    assert plain.code == shared.code == 2
    assert "Ray: 2 workers." in shared.err
    assert shared.json["n_predicted"] == plain.json["n_predicted"] == 5, "what Ray says of dead workers is not there"
    for name in ("plain", "ray"):
        (tmp_path / name / "failures.csv").unlink()
    assert _outputs(tmp_path / "ray" / "p.csv") == _outputs(tmp_path / "plain" / "p.csv")


_LOCAL = """
import os, sys
from pathlib import Path
from lobule.inference.batch import predict_paths
from lobule.inference.predictor import Predictor
from lobule.scale.cluster import Cluster

images, model, out = map(Path, sys.argv[1:])
with Cluster("auto") as cluster:
    predict_paths([images], Predictor(model), out, workers=cluster.answer)
    ours = {os.getpid()}
    stats = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stats[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            pass
    while more := {pid for pid, parent in stats.items() if parent in ours} - ours:
        ours |= more
    sockets = set()
    for pid in ours:
        for entry in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(os.readlink(entry))
            except OSError:
                pass
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                print("listens", fields[1].partition(":")[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_auto_starts_a_cluster_that_listens_to_this_computer_alone(model: Path, tmp_path: Path) -> None:
    images = _images(tmp_path / "images", 5)
    predict_paths([images], Predictor(model), tmp_path / "plain" / "p.csv")
    alone = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", _LOCAL, *map(str, (images, model, tmp_path / "ray" / "p.csv"))],
        env={**alone, "RAY_TMPDIR": "/tmp/lobule-no-cluster"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listeners = done.stdout.split("\n")[:-1]
    assert listeners
    assert set(listeners) <= {"listens 0100007F", "listens 0000000000000000FFFF00000100007F"}
    assert _outputs(tmp_path / "ray" / "p.csv") == _outputs(tmp_path / "plain" / "p.csv")


def test_an_own_connection_is_used_and_left(nodes: Any, cluster: Cluster) -> None:
    import ray

    with Cluster("auto") as again:
        assert again.size == 2
    assert ray.is_initialized()


def test_the_cluster_of_the_environment_is_found(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    with Cluster("auto") as found:
        assert found.size == 2


@pytest.mark.parametrize("address", ["there", "ray://127.0.0.1:1", "127.0.0.1:x"])
def test_an_address_is_checked(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match="HOST:PORT"):
        Cluster(address)


def test_an_address_where_nothing_answers_is_said(lobule: Lobule, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    shown = lobule("predict", tmp_path, "--model", model, "--out", tmp_path / "p.csv", "--ray", "127.0.0.1:9")
    assert shown.code == 1
    assert "--ray 127.0.0.1:9: nothing answers there" in shown.err


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lobule\[ray\]"'):
        Cluster("auto")


def test_a_second_model_is_answered_by_new_workers(cluster: Cluster, model: Path, tmp_path: Path) -> None:
    images = _images(tmp_path / "images", 3)
    other = write_tiny_bundle(tmp_path / "other", seed=5)
    for each in (model, other):
        predict_paths([images], Predictor(each), tmp_path / "ray" / "p.csv", workers=cluster.answer)
        predict_paths([images], Predictor(each), tmp_path / "plain" / "p.csv")
        assert _outputs(tmp_path / "ray" / "p.csv") == _outputs(tmp_path / "plain" / "p.csv")


# The last of these tests: the cluster takes a while to notice that the node is gone.
def test_a_node_that_goes_takes_nothing_with_it(
    nodes: Any, model: Path, tmp_path: Path, played: Callable[[type], None]
) -> None:
    played(played_work.Slow)
    images, predictor = _images(tmp_path / "images", 200), Predictor(model)
    predict_paths([images], predictor, tmp_path / "plain" / "p.csv")
    with loopback_only(pytest.importorskip("ray")):
        third = nodes.add_node(**NODE)
    gone: list[int] = []

    def remove(_: str, done: int, __: int) -> None:
        if done >= 40 and not gone:
            gone.append(done)
            nodes.remove_node(third, allow_graceful=False)

    with Cluster(nodes.address) as three:
        assert three.size == 3
        out = tmp_path / "ray" / "p.csv"
        predict_paths([images], predictor, out, workers=three.answer, progress=remove)
    assert gone
    assert _outputs(out) == _outputs(tmp_path / "plain" / "p.csv")
