"""The commands of Lobule that a document shows, and what is wrong with them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from tests.manual.blocks import Page
from tests.manual.reference import reference_pages

_INDENTED = re.compile(r"^    lobule (.+)$", re.M)
_INLINE = re.compile(r"`lobule ([^`\n]+)`")
_SETTING = re.compile(r"--set[= ]([a-z_.0-9]+)=")
_ANYWHERE = {"--debug", "--help", "-h", "--version"}

COMMANDS: dict[str, Any] = reference_pages.commands()
SETTINGS: dict[str, Any] = reference_pages.settings()
_GROUPS = {name.split()[0] for name in COMMANDS if " " in name}


def commands_of(page: Page) -> Iterator[str]:
    """Yield every `lobule ...` that the page shows, without the first word."""
    for block in page.blocks:
        for step in block.steps:
            yield from (
                part.strip()[7:] for part in re.split(r"[|;&>]", step.command) if part.strip().startswith("lobule ")
            )
    yield from _INDENTED.findall(page.text)
    yield from _INLINE.findall(page.text)


def faults_of(command: str) -> list[str]:
    """Return what is wrong with `lobule COMMAND`: words that are no command, options and settings that do not exist."""
    words = shlex.split(command.replace("...", ""), comments=True)
    if not words or not words[0][0].isalpha() or words[0].isupper():
        return []
    name = " ".join(words[:2]) if words[0] in _GROUPS else words[0]
    if name in _GROUPS:
        return []
    if name not in COMMANDS:
        return [f"lobule {name}: no such command"]
    known = {option for parameter in COMMANDS[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = {word.strip("[]").partition("=")[0] for word in words if word.strip("[]").startswith("-")}
    unknown = [f"lobule {name}: no option {option}" for option in sorted(options - known - _ANYWHERE)]
    settings = [setting for setting in _SETTING.findall(command) if setting not in SETTINGS and setting != "key"]
    return unknown + [f"--set {setting}: no such setting" for setting in settings]
