"""What does Ray cost on one computer, and is anything lost when workers are killed?

    python benchmarks/ray_overhead.py --images 60 --rounds 2 --backbone vgg16 --weights none

Predicts the same images in this process and with as many Ray workers as there are cores, in turns, once the cluster and
its workers are up; both use all cores. Then predicts 2,000 images while one worker is killed three times, with the
starter model, and compares the bytes. Ends with 1 where the overhead is above 15 % or a byte differs.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lobule.bench.clock import alternately, seconds_of
from lobule.bench.machine import Others
from lobule.bench.setup import Setup, fresh_cache
from lobule.bench.small_model import small_run
from lobule.data.phantom import write_phantom
from lobule.inference.batch import predict_paths
from lobule.inference.elsewhere import Question, Reply
from lobule.inference.predictor import Predictor
from lobule.provenance import usable_cores
from lobule.scale.cluster import Cluster
from lobule.scale.crew import RayCrew
from lobule.scale.schedule import Lost, work_through
from lobule.scale.work import Answering
from lobule.starter import starter_bundle

ALLOWED = 0.15
_STARTED = re.compile(r"worker 0 has started: process (\d+)")


class WarmCrew(RayCrew):
    """Workers that outlive a batch, so that starting them is not in the measurement."""

    def __init__(self, predictor: Predictor, size: int) -> None:
        super().__init__(Answering.of(predictor.bundle), size=size)
        self._tokens = {slot: RayCrew.start(self, slot) for slot in range(size)}
        for slot, token in self._tokens.items():
            self.result(slot, token)

    def start(self, slot: int) -> object:
        return self._tokens.pop(slot, None) or self._ray.put(("done", 0))

    def answer(self, questions: Sequence[Question], predictor: Predictor) -> Iterator[Sequence[tuple[int, Reply]]]:
        for done in work_through(list(enumerate(questions)), self):
            if lost := [given.reason for _, given in done if isinstance(given, Lost)]:
                raise SystemExit(f"an image was given up: {lost[0]}")
            yield [(place, given) for (place, _), given in done if not isinstance(given, Lost)]


def copies(files: Sequence[Path], folder: Path, count: int) -> Path:
    """Fill a folder with so many images, by links where there are fewer."""
    folder.mkdir()
    for number in range(count):
        file = files[number % len(files)]
        (folder / f"{number:05d}{file.suffix}").symlink_to(file.resolve())
    return folder


def overhead(given: argparse.Namespace, scratch: Path) -> bool:
    run, workload = small_run(Setup(backbone=given.backbone, weights=given.weights), scratch)
    images = copies(workload.manifest.paths, scratch / "overhead", given.images)
    predictor = Predictor(run)
    others = Others()
    with Cluster("auto") as cluster:
        crew = WarmCrew(predictor, cluster.size)
        outs = {name: scratch / name / "predictions.csv" for name in ("plain", "ray")}
        contenders = {
            "plain": lambda: seconds_of(lambda: predict_paths([images], predictor, outs["plain"])),
            "ray": lambda: seconds_of(lambda: predict_paths([images], predictor, outs["ray"], workers=crew.answer)),
        }
        predict_paths(sorted(images.iterdir())[:4], predictor, scratch / "first.csv")
        predict_paths(sorted(images.iterdir())[:4], predictor, scratch / "first.csv", workers=crew.answer)
        seconds = alternately(contenders, repeats=given.rounds)
        crew.close()
        workers = cluster.size
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians["ray"] / medians["plain"] - 1
    same = outs["plain"].read_bytes() == outs["ray"].read_bytes()
    busy = others.busy_cores()
    print(f"{given.backbone}, weights {given.weights}, two views, {workers} workers on {usable_cores()} cores")
    for name, values in seconds.items():
        print(f"  {name:5}  {given.images / medians[name]:6.2f} images/s   {', '.join(f'{v:.2f}' for v in values)} s")
    print(f"  overhead {ratio:+.1%} (allowed {ALLOWED:.0%}), predictions.csv {'the same' if same else 'DIFFERS'}")
    print(f"  cores busy beside this process and its ended children, Ray's workers among them: {busy or 0:.1f}")
    return same and ratio <= ALLOWED


def kills(given: argparse.Namespace, scratch: Path) -> bool:
    drawn = write_phantom(scratch / "tissue", cases=20, images_per_case=10, size=(230, 350)).images
    images = copies(sorted(drawn.rglob("*.png")), scratch / "kills", given.kill_images)
    predictor = Predictor(starter_bundle())
    outs = {name: scratch / f"{name}-kills" / "predictions.csv" for name in ("plain", "ray")}
    plain = seconds_of(lambda: predict_paths([images], predictor, outs["plain"]))
    pids: list[int] = []
    killed: list[int] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if found := _STARTED.fullmatch(record.getMessage()):
                pids.append(int(found[1]))

    def kill(_: str, done: int, total: int) -> None:
        if len(killed) < 3 and pids and pids[-1] not in killed and done >= len(killed) * total // 5:
            killed.append(pids[-1])
            os.kill(pids[-1], signal.SIGKILL)
            print(f"  killed process {pids[-1]} at {done} of {total}")

    listener = Listener()
    logging.getLogger("lobule.scale").setLevel(logging.INFO)
    logging.getLogger("lobule.scale").addHandler(listener)
    with Cluster("auto") as cluster:
        ray = seconds_of(lambda: predict_paths([images], predictor, outs["ray"], workers=cluster.answer, progress=kill))
    same = outs["plain"].read_bytes() == outs["ray"].read_bytes()
    rows = outs["ray"].read_text(encoding="utf-8").count("\n") - 1
    print(f"starter model, {given.kill_images} images, one worker killed {len(killed)} times")
    verdict = "the same bytes" if same else "OTHER BYTES"
    print(f"  plain {plain:.1f} s, Ray with starting workers {ray:.1f} s; {rows} rows, {verdict}")
    return same and rows == given.kill_images and len(killed) == 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--kill-images", type=int, default=2000)
    given = parser.parse_args()
    with fresh_cache() as scratch:
        fine = overhead(given, scratch)
    sys.stdout.flush()
    folder = Path(tempfile.mkdtemp(prefix="lobule-bench-"))
    try:
        fine = kills(given, folder) and fine
    finally:
        shutil.rmtree(folder)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
