"""OpenVINO in a process of its own, as only there it is imported for the first time."""

from __future__ import annotations

import subprocess
import sys

_TOLD = "print([name for name in ('openvino.tools.ovc', 'openvino_telemetry', 'numpy.f2py') if sys.modules.get(name)])"


def _printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_it_comes_without_what_reports_to_its_maker() -> None:
    code = "from lobule.features.openvino_runtime import import_openvino\nov = import_openvino()\nov.Core()\n"
    assert _printed(code + _TOLD) == "[]"
    assert _printed(code + "assert import_openvino() is ov is sys.modules['openvino']\nprint('same')") == "same"


def test_others_in_the_process_can_still_convert_and_nothing_is_reported() -> None:
    code = """
from lobule.features.openvino_runtime import import_openvino
import_openvino()
import openvino
try:
    openvino.convert_model("nowhere.onnx")
except Exception as error:
    print("nowhere.onnx" in str(error), sys.modules.get("openvino.tools.ovc") is not None)
print(sys.modules.get("openvino_telemetry"))
"""
    assert _printed(code).split() == ["True", "True", "None"]


def test_where_it_is_there_already_it_is_left_as_it_is() -> None:
    code = """
import openvino
before = openvino.convert_model
from lobule.features.openvino_runtime import import_openvino
print(import_openvino().convert_model is before)
"""
    assert _printed(code) == "True"
