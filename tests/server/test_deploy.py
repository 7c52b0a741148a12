"""The container and the unit are read, not run: what must hold of them is checked here."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from lobule.cli.app import app

_DEPLOY = Path(__file__).parents[2] / "deploy"
_DOCKERFILE = (_DEPLOY / "Dockerfile").read_text(encoding="utf-8")
_OPTIONS = {
    option
    for parameter in typer.main.get_command(app).commands["serve"].params  # type: ignore[attr-defined]
    for option in parameter.opts
}


def _instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", _DOCKERFILE)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines]


def test_the_container_runs_without_rights_from_named_versions() -> None:
    given = _instructions()
    last = given[max(place for place, (name, _) in enumerate(given) if name == "FROM") :]
    bases = [value for name, value in given if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.1[123]-slim-\w+( AS \w+)?", base) for base in bases)
    users = [value for name, value in last if name == "USER"]
    assert users == ["10001:10001"]
    names = [name for name, _ in last]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert all(name not in names[names.index("USER") :] for name in ("RUN", "COPY", "ADD"))
    assert "ADD" not in [name for name, _ in given]
    assert "HEALTHCHECK" in names
    assert dict(last)["STOPSIGNAL"] == "SIGTERM"


def test_nothing_that_only_builds_reaches_the_container() -> None:
    given = _instructions()
    last = given[max(place for place, (name, _) in enumerate(given) if name == "FROM") :]
    assert [value for name, value in last if name == "COPY"] == ["--from=build /opt/lobule /opt/lobule"]
    assert not [value for _, value in last if "pip" in value or "apt" in value]
    assert all("--no-cache-dir" in value for name, value in given if "pip install" in value)
    assert not re.search(r"(?i)(password|secret_key|token=)", _DOCKERFILE)


def test_container_and_unit_use_options_that_there_are() -> None:
    unit = (_DEPLOY / "lobule.service").read_text(encoding="utf-8")
    for text in (_DOCKERFILE.split("ENTRYPOINT")[1], unit.split("ExecStart=")[1].splitlines()[0]):
        used = set(re.findall(r"--[a-z-]+", text))
        assert {"--model", "--host", "--port"} <= used <= _OPTIONS
    assert "0.0.0.0" not in unit
    assert "--token-file" in _DOCKERFILE


def test_the_unit_is_confined() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(_DEPLOY / "lobule.service", encoding="utf-8")
    service = unit["Service"]
    assert service["DynamicUser"] == service["NoNewPrivileges"] == service["PrivateTmp"] == "yes"
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) > 180


@pytest.mark.parametrize("command", [["hadolint"], ["systemd-analyze", "verify"]])
def test_linters_find_nothing(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    file = _DEPLOY / ("Dockerfile" if command == ["hadolint"] else "lobule.service")
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    assert not [line for line in told.splitlines() if "lobule.service" in line and "not executable" not in line]
    assert command != ["hadolint"] or done.returncode == 0, told
