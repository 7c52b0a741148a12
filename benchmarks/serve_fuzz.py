"""Thousands of malformed requests against a real server: does it keep serving, and does its memory stay flat?

    python benchmarks/serve_fuzz.py MODEL [--requests 5000] [--seed 0]

MODEL is a bundle or a run folder. Prints the answers by status, and the memory of the server after every tenth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.server.fuzz import attack
from tests.server.processes import lobule_serve

_PARTS = 10


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", type=Path)
    options.add_argument("--requests", type=int, default=5000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    slowest = (0.0, "")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, lobule_serve(Path(scratch), given.model) as running:
        print(f"MiB at the start: {running.resident_bytes() / 2**20:.0f}")
        for part in range(_PARTS):
            outcomes = attack(running.port, count=given.requests // _PARTS, seed=given.seed + part)
            statuses += outcomes.statuses
            wrong += outcomes.wrong
            slowest = max(slowest, outcomes.slowest)
            print(f"after {sum(statuses.values())}: {running.resident_bytes() / 2**20:.0f} MiB", flush=True)
        with running.client() as client:
            alive = client.get("/readyz").status_code == 200
        errors = running.log.read_text().count('"level": "error"')
    print(f"{sum(statuses.values())} requests in {time.monotonic() - begun:.0f} s")
    print(f"answers by status (0: closed without one): {dict(sorted(statuses.items()))}")
    print(
        f"slowest answer: {slowest[0]:.1f} s ({slowest[1]}); errors in the log: {errors}; serving afterwards: {alive}"
    )
    print(f"answered wrongly: {wrong or 'none'}")
    return 0 if alive and not wrong and not errors else 1


if __name__ == "__main__":
    sys.exit(main())
