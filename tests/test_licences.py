from __future__ import annotations

import re
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def test_every_declared_dependency_stands_in_the_list_of_licences() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    names = {re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0].lower() for line in requirements} - {"lobule"}
    rows = re.findall(r"^\| ([a-z0-9._-]+) \| ([a-z0-9]+) \| (.+) \|$", (_ROOT / "docs/licences.md").read_text(), re.M)
    assert {name for name, _, _ in rows} - {"package"} == names
    needed = {name: licence for name, group, licence in rows if group != "dev"}
    assert not [name for name, licence in needed.items() if licence.startswith("not ")]
