"""Pages of the manual that are written from the code: MkDocs calls this file as a hook; nothing is written to disk.

Commands come from typer, settings from pydantic, Python names from `lobule.__all__`, exit codes from `lobule.errors`,
the REST service from its OpenAPI document, and the documents at the root of the repository are taken as they are.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import posixpath
import re
import textwrap
import types
import typing
from pathlib import Path, PurePosixPath
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel

import lobule
from lobule import errors
from lobule.cli.app import app
from lobule.config import Config

__all__ = ["commands", "on_config", "on_files", "on_page_markdown", "openapi", "pages", "settings"]

_ROOT = Path(__file__).resolve().parents[1]
_OPTIONAL = ("page.md", "service.md", "starter.md", "licences.md")
"""Pages that the navigation names and that may not be there."""
_OF_THE_ROOT = {"project/changelog.md": "CHANGELOG.md", "project/architecture.md": "ARCHITECTURE.md"}
_OF_THE_ROOT |= {"project/contributing.md": "CONTRIBUTING.md"}
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|mailto:|#)([^)]+)\)")
_KINDS = {Path: "PATH", str: "TEXT", int: "N", float: "X"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave out of the navigation the optional pages that are not there."""
    there = {*pages(), *(path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md"))}
    config.nav = _without(config.nav, {name for name in _OPTIONAL if name not in there})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written from the code."""
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Mend links that leave the manual: documents of the root are in it elsewhere, other files are not."""
    here = PurePosixPath(page.file.src_uri).parent

    def mended(link: re.Match[str]) -> str:
        text, target = link.groups()
        place = posixpath.normpath((PurePosixPath("docs") / here / target).as_posix())
        if place.startswith("docs/"):
            return link[0]
        inside = next((uri for uri, document in _OF_THE_ROOT.items() if document == place), None)
        return f"[{text}]({posixpath.relpath(inside, here.as_posix())})" if inside else text

    return _LINK.sub(mended, markdown)


def pages() -> dict[str, str]:
    """Return the text of every page that is written from the code, by its path in the manual."""
    return {
        "reference/commands.md": commands_page(),
        "reference/settings.md": settings_page(),
        "reference/python.md": python_page(),
        "reference/exit-codes.md": exit_codes_page(),
        "reference/rest.md": rest_page(),
        **{page: _of_the_root(name) for page, name in _OF_THE_ROOT.items()},
    }


def _without(nav: Any, names: set[str]) -> Any:
    if isinstance(nav, list):
        return [kept for kept in (_without(entry, names) for entry in nav) if kept is not None]
    if isinstance(nav, dict):
        kept = {title: _without(entry, names) for title, entry in nav.items()}
        return {title: entry for title, entry in kept.items() if entry is not None} or None
    return None if nav in names else nav


def _of_the_root(name: str) -> str:
    """Return a document of the root, its links as they would be in the folder that it has in the manual."""
    text = (_ROOT / name).read_text(encoding="utf-8")
    return _LINK.sub(lambda link: f"[{link[1]}]({posixpath.relpath(link[2], 'docs/project')})", text)


# Commands ------------------------------------------------------------------------------------------------------------


def commands(group: Any = None, prefix: str = "") -> dict[str, Any]:
    """Return every command of the command line by its name, such as `data scan`."""
    found: dict[str, Any] = {}
    of_all: Any = group or typer.main.get_command(app)
    for name, command in of_all.commands.items():
        found |= commands(command, f"{name} ") if hasattr(command, "commands") else {prefix + name: command}
    return found


def commands_page() -> str:
    """Return the page of all commands with all of their arguments and options."""
    parts = [
        "# Commands",
        "Written from the commands themselves; `lobule COMMAND --help` says the same. Results go to stdout, progress "
        "to stderr. "
        "`lobule --version` shows the version; `--debug`, wherever it stands, shows the traceback of an error. "
        "`python -m lobule` is the same as `lobule`.",
    ]
    for name, command in commands().items():
        parts += [f"## lobule {name}", _sentence(command.help), f"```text\n{_usage(name, command)}\n```"]
        hints = typing.get_type_hints(command.callback)
        rows = [_parameter(parameter, hints) for parameter in command.params if parameter.name in hints]
        parts.append("\n".join(["| argument or option | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _sentence(text: str | None) -> str:
    return inspect.cleandoc(text or "")


def _usage(name: str, command: Any) -> str:
    arguments = [_argument_name(each) for each in command.params if not _is_option(each)]
    needed = [
        f"{each.opts[0]} {_kind(hint)}"
        for each in command.params
        if _is_option(each) and each.required
        for hint in [typing.get_type_hints(command.callback)[each.name]]
    ]
    return " ".join(["lobule", name, *arguments, *needed, "[OPTIONS]"])


def _is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("-"))


def _argument_name(parameter: Any) -> str:
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _parameter(parameter: Any, hints: dict[str, Any]) -> str:
    if _is_option(parameter):
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        shown = names if parameter.is_flag else f"{names} {_kind(hints[parameter.name])}"
    else:
        shown = _argument_name(parameter)
    default = "needed" if parameter.required else _default(parameter.default)
    return f"| `{shown}` | {default} | {_cell(parameter.help or '')} |"


def _kind(hint: Any) -> str:
    """Return how a value of this type is written in a usage line."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return _kind(next(each for each in typing.get_args(hint) if each is not types.NoneType))
    if typing.get_origin(hint) is list:
        return _kind(typing.get_args(hint)[0])
    if typing.get_origin(hint) is typing.Literal:
        return "|".join(map(str, typing.get_args(hint)))
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return "|".join(str(each.value) for each in hint)
    return _KINDS.get(hint, "VALUE")


def _default(value: Any) -> str:
    return "" if value in (None, False, ()) else f"`{value.value if isinstance(value, enum.Enum) else value}`"


def _cell(text: str) -> str:
    """Return text for a cell of a table, whose bars would end it."""
    return " ".join(text.split()).replace("|", "\\|")


# Settings ------------------------------------------------------------------------------------------------------------


def settings(model: type[BaseModel] = Config, prefix: str = "") -> dict[str, Any]:
    """Return every setting by its name, such as `head.hidden`."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        is_group = inspect.isclass(inner) and issubclass(inner, BaseModel)
        found |= settings(inner, f"{prefix}{name}.") if is_group else {prefix + name: field}  # type: ignore[arg-type]
    return found


def settings_page() -> str:
    """Return the page of all settings."""
    parts = [
        "# Settings",
        "Written from `lobule.Config`. A setting comes from a YAML file (`--config FILE`), then `--set NAME=VALUE`, "
        "then options of the command; later ones win. The run folder's `config.yaml` holds all of them as they were.",
    ]
    groups: dict[str, list[str]] = {}
    for name, field in settings().items():
        default = field.get_default(call_default_factory=True)
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        cell = f"`{shown}`" if default not in (None, {}, ()) else "–"
        row = f"| `{name}` | {cell} | {_allowed(field)} | {_cell(field.description or '')} |"
        groups.setdefault(name.partition(".")[0] if "." in name else "", []).append(row)
    for group, rows in groups.items():
        if group:
            model = typing.cast(type[BaseModel], Config.model_fields[group].annotation)
            parts += [f"## {group}", _sentence(model.__doc__)]
        parts.append("\n".join(["| setting | default | allowed | meaning |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _allowed(field: Any) -> str:
    """Return what values a setting takes, as far as its type and limits tell."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [f"{signs[key]} {value}" for limit in field.metadata for key, value in _limits(limit).items()]
    literals = _literals(field.annotation)
    return ", ".join([f"`{each}`" for each in literals] or limits)


def _limits(limit: Any) -> dict[str, Any]:
    return {key: getattr(limit, key) for key in ("ge", "gt", "le", "lt") if getattr(limit, key, None) is not None}


def _literals(annotation: Any) -> list[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return [str(each) for each in typing.get_args(annotation)]
    return [word for inner in typing.get_args(annotation) for word in _literals(inner)]


# Python and exit codes --------------------------------------------------------------------------------------------


def python_page() -> str:
    """Return the page of the public names and of what they return."""
    names = [name for name in lobule.__all__ if not name.startswith("__")]
    values = {name: getattr(lobule, name) for name in names}
    public = {id(value) for value in values.values()}
    functions = [value for value in values.values() if inspect.isfunction(value)]
    methods = [each for _, each in inspect.getmembers(lobule.Predictor, inspect.isfunction) if each.__name__[0] != "_"]
    returned = {_name_of(kind): kind for each in [*functions, *methods] for kind in _returned(each)}
    first, overview, *_ = _sentence(lobule.__doc__).split("\n\n")
    parts = ["# Python", first, f"```text\n{textwrap.dedent(overview)}\n```"]
    parts += ["## Names", *(f"::: {_name_of(value)}" for value in values.values())]
    parts += ["## What they return", *(f"::: {name}" for name, kind in returned.items() if id(kind) not in public)]
    return "\n\n".join(parts) + "\n"


def _name_of(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _returned(function: Any) -> list[type]:
    """Return Lobule's own classes in what a function returns."""
    text = str(inspect.signature(function).return_annotation)
    module = importlib.import_module(function.__module__)
    return [
        kind
        for name in re.findall(r"[A-Za-z_]+", text)
        if inspect.isclass(kind := getattr(module, name, None)) and kind.__module__.startswith("lobule")
    ]


def exit_codes_page() -> str:
    """Return the page of exit codes and of the errors behind them."""
    kinds = [getattr(errors, name) for name in errors.__all__]
    rows = [
        f"| `{kind.__name__}` | {kind.exit_code} | {_cell(_sentence(kind.__doc__).splitlines()[0])} |" for kind in kinds
    ]
    return f"""# Exit codes and errors

| code | meaning |
|---|---|
| 0 | done |
| 1 | usage, environment or configuration error |
| 2 | finished, but some inputs failed; they are listed in `failures.csv` |
| 3 | `data audit` found conflicts or a split that leaks, or `train` was given a split that leaks |
| 4 | a model failed verification |
| 130 | stopped by Ctrl-C; the same command goes on |

A message names the argument, what is allowed, what was received and what to do next. No traceback is shown
without `--debug`.

## Errors in Python

All are in `lobule.errors` and descend from `lobule.LobuleError`; `exit_code` is what the command line returns.

| error | exit code | |
|---|--:|---|
{chr(10).join(rows)}
"""


# REST ----------------------------------------------------------------------------------------------------------------


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of the service, as `/openapi.json` gives it, without a model."""
    from fastapi import FastAPI

    from lobule.server import app as server
    from lobule.server.reference import document_of
    from lobule.server.routes import router

    application = FastAPI(title="Lobule", version=lobule.__version__)
    application.include_router(router)
    # Of the service only its routes are asked for, and they ask nothing of it before a request comes.
    server._add_states(application, typing.cast(Any, None))
    return document_of(application, needs_token=True)


def rest_page() -> str:
    """Return the page of the REST service, from its OpenAPI document."""
    document = openapi()
    parts = [
        "# REST service",
        "Written from the OpenAPI document that `lobule serve` gives at `/openapi.json`; the running service shows it "
        "at `/docs`. How to run and to ask it: [Service](../service.md).",
        "With `--token-file` every request carries `Authorization: Bearer TOKEN`. A request that cannot be answered "
        "gets a [Problem](#problem) as `application/problem+json`.",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += [f"## {method.upper()} {path}", *_operation(operation)]
    parts.append("## Messages")
    for name, schema in document["components"]["schemas"].items():
        parts += [f"### {name}", _sentence(schema.get("description"))]
        parts.append(_fields(schema) if schema.get("properties") else "Any JSON value.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _operation(operation: dict[str, Any]) -> list[str]:
    """Return what an operation does, takes and answers."""
    told = [operation.get("description") or operation["summary"] + "."]
    if parameters := operation.get("parameters"):
        fields = {each["name"]: {**each["schema"], "description": each.get("description", "")} for each in parameters}
        needed = [each["name"] for each in parameters if each.get("required")]
        told += ["Parameters of the address:", _fields({"properties": fields, "required": needed})]
    for form, content in operation.get("requestBody", {}).get("content", {}).items():
        told += [f"Body, as `{form}`:", _fields(content["schema"])]
    good: list[str] = []
    problems: list[str] = []
    for code, answer in operation["responses"].items():
        kinds = [_type(content.get("schema", {})) or form for form, content in answer.get("content", {}).items()]
        if code.startswith("2"):
            good.append(f"`{code}` {', '.join(kinds)}".strip())
        else:
            problems.append(f"`{code}`")
    told.append(f"Answers {', '.join(good)}.")
    if problems:
        told.append(f"Problems: {', '.join(problems)}.")
    return told


def _fields(schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = [
        f"| `{name}` | {_type(field)} | {'yes' if name in needed else ''} | {_cell(field.get('description', ''))} |"
        for name, field in schema["properties"].items()
    ]
    return "\n".join(["| field | type | always | meaning |", "|---|---|---|---|", *rows])


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a field in words, with a link where it is a message of its own."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return f"[{name}](#{name.lower()})"
    if options := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return " \\| ".join(f"`{option}`" for option in options)
    if inner := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(each) for each in inner)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return "file" if schema.get("format") == "binary" else str(schema.get("type", ""))
