"""How much of what the model can do in a process is left when it answers over HTTP, and what happens under too much?"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import numpy as np

from lobule.bench.clock import alternately, seconds_of
from lobule.bench.results import Ratio, Result, Series, Skipped
from lobule.bench.setup import Setup, fresh_cache
from lobule.bench.small_model import small_run
from lobule.bench.workload import Workload
from lobule.errors import RunError
from lobule.inference.predictor import Predictor
from lobule.progress import Progress, silent

__all__ = ["bench_serve"]

_CLIENTS: Final = (1, 8, 32)
_CROWD, _QUICK_CROWD = 200, 12
_SHARE: Final = 0.85
_REQUESTS, _QUICK_REQUESTS = 24, 8
_ROUNDS: Final = 2
_BOUNDARY: Final = "lobule-bench-boundary"
_SECONDS: Final = 300


@dataclass(frozen=True, eq=False)
class _Load:
    """What clients met, over all rounds: seconds of each answer, and answers by status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


def bench_serve(setup: Setup, *, progress: Progress = silent) -> Result:
    """Measure a real server on this computer with 1, 8 and 32 clients beside a predictor in process, then a crowd.

    Args:
        setup: what is measured; `images` is the number of requests of a measurement.
        progress: told about each step.

    Raises:
        LobuleError: the weights or the images cannot be used, or the server does not start.
    """
    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client")):
        return Result("serve", {}, (), skipped=(Skipped("serve", 'pip install "lobule[serve]"'),))
    count = setup.count(_REQUESTS, quick=_QUICK_REQUESTS)
    with fresh_cache() as scratch:
        run, workload = small_run(setup, scratch, progress=progress)
        contents = [path.read_bytes() for path in workload.manifest.paths]
        bodies = [_body(content) for content in contents]
        predictor = Predictor(run)
        predictor.predict(contents[0])
        loads = {clients: _Load() for clients in _CLIENTS}
        with _server(run, scratch) as address:
            contenders: dict[str, Callable[[], float]] = {
                "predictor_batch": lambda: count / seconds_of(lambda: predictor.predict(_taken(contents, count)))
            }
            for clients, load in loads.items():
                contenders[f"serve_{clients}"] = _rate_of(address, bodies, clients, count, load)
            rates = alternately(contenders, repeats=setup.rounds(_ROUNDS), progress=progress)
            crowd = _Load()
            _send(address, _taken(bodies, _QUICK_CROWD if setup.quick else _CROWD), crowd)
            after = _Load()
            _send(address, bodies[:1], after)
    return _result(setup, workload, rates, loads, crowd, recovered=after.statuses == {200: 1})


@contextmanager
def _server(run: Path, scratch: Path) -> Iterator[str]:
    """Run `lobule serve` and give its host and port.

    Raises:
        RunError: it did not start, or did not end with 0.
    """
    options = ["--model", str(run), "--port", "0", "--requests-per-minute", "1000000"]
    log = scratch / "server.log"
    with log.open("w") as stderr:
        command = [sys.executable, "-m", "lobule", "serve", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    with process:
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line.startswith("http://"):
            process.kill()
            raise RunError(f"lobule serve did not start: {log.read_text()[-500:]}")
        try:
            yield urlsplit(line).netloc
        finally:
            process.terminate()
    if process.returncode:
        raise RunError(f"lobule serve ended with {process.returncode}: {log.read_text()[-500:]}")


def _body(content: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="image"\r\n\r\n'
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _taken(items: Sequence[bytes], count: int) -> list[bytes]:
    return list(islice(cycle(items), count))


def _rate_of(address: str, bodies: Sequence[bytes], clients: int, count: int, load: _Load) -> Callable[[], float]:
    """Return a function that lets clients send one image after the other and gives the images a second."""
    total = max(count, clients)
    shares = [_taken(bodies, total)[client::clients] for client in range(clients)]

    def measure() -> float:
        with ThreadPoolExecutor(clients) as pool:
            return total / seconds_of(lambda: list(pool.map(lambda share: _one_client(address, share, load), shares)))

    return measure


def _one_client(address: str, bodies: Sequence[bytes], load: _Load) -> None:
    connection = http.client.HTTPConnection(address, timeout=_SECONDS)
    for body in bodies:
        _ask(connection, body, load)
    connection.close()


def _ask(connection: http.client.HTTPConnection, body: bytes, load: _Load) -> None:
    begun = time.perf_counter()
    kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    try:
        connection.request("POST", "/v1/predictions", body, kind)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        load.statuses[0] += 1
        connection.close()
        return
    load.statuses[response.status] += 1
    load.seconds.append(time.perf_counter() - begun)


def _send(address: str, bodies: Sequence[bytes], load: _Load) -> None:
    """Let one client a body ask, all at the same moment."""
    together = threading.Barrier(len(bodies))

    def ask(body: bytes) -> None:
        together.wait()
        _one_client(address, [body], load)

    with ThreadPoolExecutor(len(bodies)) as pool:
        list(pool.map(ask, bodies))


def _result(
    setup: Setup,
    workload: Workload,
    rates: dict[str, tuple[float, ...]],
    loads: dict[int, _Load],
    crowd: _Load,
    *,
    recovered: bool,
) -> Result:
    series = [Series(name, "images/s", values) for name, values in rates.items()]
    for clients, load in loads.items():
        for name, percent in (("p50", 50), ("p99", 99)):
            value = float(np.percentile(load.seconds, percent)) if load.seconds else float("inf")
            series.append(Series(f"serve_{clients}_{name}", "s", (value,)))
    series.append(Series("crowd_answered", "requests", (float(crowd.statuses[200]),)))
    series.append(Series("crowd_shed", "requests", (float(crowd.statuses[503]),)))
    medians = {each.name: each.median for each in series}
    failed = sum(count for load in loads.values() for status, count in load.statuses.items() if status != 200)
    strange = sum(count for status, count in crowd.statuses.items() if status not in (200, 503))
    batch = medians["predictor_batch"]
    shares = [
        Ratio(
            f"serve_{clients}_vs_predictor",
            medians[f"serve_{clients}"] / batch,
            f"serve_{clients} / predictor_batch",
            at_least=_SHARE if clients == 8 else None,
        )
        for clients in loads
    ]
    ratios = (
        *shares,
        Ratio("serve_failed", float(failed), "answers other than 200, of 1, 8 and 32 clients", at_most=0.0),
        Ratio("crowd_strange", float(strange), "answers of the crowd other than 200 and 503", at_most=0.0),
        Ratio("crowd_recovered", float(recovered), "1: a lone request after the crowd was answered", at_least=1.0),
    )
    described = {
        "backbone": setup.backbone,
        "weights": setup.weights,
        "images": workload.description,
        "views": "identity and flip_horizontal, both sides",
        "crowd": f"{sum(crowd.statuses.values())} clients at the same moment, one image each",
    }
    notes = (
        "serve_N: N clients in this process, each sending one encoded image after the other over a connection; "
        "the server is a process of its own on the same cores.",
        "predictor_batch: Predictor.predict in this process on the same encoded bytes, all at once.",
        "p50 and p99 are of all requests of all rounds.",
    )
    return Result("serve", described, tuple(series), ratios, notes=notes)
