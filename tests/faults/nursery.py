"""Processes to be killed: one warm process, which has imported everything, forks a child for each job in milliseconds.

python -m tests.faults.nursery predict|train      jobs as JSON on stdin; answers a pid, then an exit code
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code, negative where a signal ended it; seconds that it lived; what it wrote."""

    code: int
    seconds: float
    out: str
    err: str


@dataclass(frozen=True, eq=False)
class Nursery:
    """Runs jobs, and strikes them down at a moment."""

    process: subprocess.Popen[str]
    scratch: Path

    def run(
        self, job: Mapping[str, Any], *, strike: signal.Signals = signal.SIGKILL, after: float | None = None
    ) -> Ended:
        """Run a job; with `after`, send it a signal so many seconds later."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        files = {name: str(self.scratch / name) for name in ("out", "err")}
        self.process.stdin.write(json.dumps({**job, **files}) + "\n")
        self.process.stdin.flush()
        pid, start = int(self.process.stdout.readline()), time.monotonic()
        if after is not None:
            time.sleep(after)
            os.kill(pid, strike)  # A zombie at the worst: it is waited for after the answer below is asked for.
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        texts = {name: Path(file).read_text() for name, file in files.items()}
        return Ended(code, time.monotonic() - start, **texts)


@contextmanager
def nursery(kind: str, scratch: Path) -> Iterator[Nursery]:
    """Start a nursery for jobs of a kind: "predict" without a training framework, "train" with one."""
    scratch.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.faults.nursery", kind]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=quiet, bufsize=1
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield Nursery(process, scratch)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _serve() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if not pid:
            _live(job)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        sys.stdin.readline()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def _live(job: Mapping[str, Any]) -> None:
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ["LOBULE_CACHE"] = job["cache"]
    code = 1
    try:
        _WORK[job["kind"]](job)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 -- the boundary of a process
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _extract(job: Mapping[str, Any]) -> None:
    from lobule.config import FeatureSettings
    from lobule.data.manifest import Manifest
    from lobule.features import extract as extraction
    from tests.tiny_backbone import SETTINGS

    extraction._IMAGES_A_SHARD = 3  # type: ignore[misc]
    manifest = Manifest.read(Path(job["manifest"]), root=Path(job["root"]))
    extraction.extract(manifest, FeatureSettings.model_validate(SETTINGS), seed=0)


def _predict(job: Mapping[str, Any]) -> None:
    from lobule.inference import batch
    from lobule.inference.predictor import Predictor

    batch._CHUNK = 2  # type: ignore[misc]
    out, maps = Path(job["target"]), job.get("maps")
    batch.predict_paths(
        [Path(job["images"])], Predictor(Path(job["model"])), out, heatmaps=Path(maps) if maps else None, resume=True
    )


def _train(job: Mapping[str, Any]) -> None:
    from lobule.pipeline import train
    from tests.runs import QUICK

    train(Path(job["data"]), Path(job["target"]), config=QUICK, command="lobule train")


def _command(job: Mapping[str, Any]) -> None:
    from lobule.cli.app import main

    main(list(job["words"]))


_WORK = {"extract": _extract, "predict": _predict, "train": _train, "command": _command}


def _warm(kind: str) -> None:
    """Import what the jobs need; no thread may be running when they are forked."""
    import lobule.cli.app
    import lobule.inference.batch
    import lobule.inference.opening
    import lobule.pipeline
    from lobule.features.backbones import BACKBONES
    from lobule.features.openvino_runtime import import_openvino
    from tests.tiny_backbone import TINY

    BACKBONES[TINY.name] = TINY  # type: ignore[index]
    import_openvino()
    if kind == "train":
        import matplotlib.pyplot  # noqa: F401
        import scipy.optimize  # noqa: F401

        import lobule.model.fit  # noqa: F401
        from lobule.features.keras_runtime import import_keras

        import_keras()


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would not live on in a child
    _warm(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    _serve()
