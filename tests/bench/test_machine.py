from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from lobule.bench.machine import Others, machine
from lobule.features.openvino_engine import precisions
from lobule.provenance import usable_cores


def test_the_machine_is_a_json_value_with_what_counts() -> None:
    told = machine()
    assert json.loads(json.dumps(told)) == told
    assert told["usable_cores"] == usable_cores() >= 1
    assert set(told["precisions"]) == set(precisions()) >= {"FP32"}


def test_the_work_of_another_process_is_seen_while_it_runs() -> None:
    others = Others()
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    time.sleep(0.7)
    busy = others.busy_cores()
    child.kill()
    child.wait()
    if busy is None:
        pytest.skip("this system does not tell")
    assert busy > 0.1
