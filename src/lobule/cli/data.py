"""`lobule data`: fetch, describe, check and divide a data set, or draw a synthetic one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lobule.cli.console import disclaim, say, show_json, show_table, shown_progress, warn
from lobule.cli.data_get import get_command
from lobule.cli.options import (
    AsJson,
    CasePattern,
    Columns,
    Data,
    Folds,
    Group,
    Labels,
    Root,
    Seed,
    Validation,
    configured,
    reading,
)
from lobule.cli.targets import writable_file, writable_folder
from lobule.taxonomy import SUBTYPE_OF_CODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lobule.data.failures import Failure

__all__ = ["data_app"]

# Eight columns of full names do not fit a terminal; these codes are what BreakHis itself uses.
_CODE_OF_SUBTYPE = {subtype: code for code, subtype in SUBTYPE_OF_CODE.items()}

data_app = typer.Typer(
    help="Fetch, describe, check and divide a data set, or draw a synthetic one.", no_args_is_help=True
)
data_app.command("get")(get_command)


@data_app.command("scan")
def scan_command(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Manifest to write (CSV).")],
    group: Group = None,
    labels: Labels = None,
    columns: Columns = None,
    root: Root = None,
    case_pattern: CasePattern = None,
    as_json: AsJson = False,
) -> None:
    """Write a manifest: what every image is, and the digest of its pixels."""
    from lobule.data.failures import write_failures
    from lobule.data.scan import scan

    writable_file("--out", out)
    config = configured(data={"group": group, **reading(root, labels, columns, case_pattern)})
    with shown_progress() as progress:
        result = scan(data, settings=config.data, progress=progress)
    result.manifest.write(out)
    write_failures(out.with_name("failures.csv"), result.failures)
    frame = result.manifest.frame
    summary = {
        "manifest": str(out),
        "images": len(frame),
        "cases": int(frame["case_id"].nunique()),
        "benign": int((frame["label"] == "benign").sum()),
        "malignant": int((frame["label"] == "malignant").sum()),
        "failures": len(result.failures),
        "ignored": result.ignored,
    }
    _show(summary, as_json=as_json)
    exit_with_failures(result.failures, out.with_name("failures.csv"))


@data_app.command("audit")
def audit_command(
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", help="Write the findings (JSON).")] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            "--split",
            help="Split to check: Lobule's JSON, lines name|magnification|fold|part (.txt), a .csv with a column of "
            "subsets, or a folder with train, val and test.",
        ),
    ] = None,
    labels: Labels = None,
    columns: Columns = None,
    root: Root = None,
    case_pattern: CasePattern = None,
    as_json: AsJson = False,
) -> None:
    """Look for copies, conflicts, leaks of a split and what a classifier could cheat from; exit 3 on errors."""
    from lobule.data.audit import audit
    from lobule.data.given_split import read_given_split
    from lobule.data.scan import scan
    from lobule.provenance import write_atomically

    if out:
        writable_file("--out", out)
    # An audit needs no case: it says what is missing instead of stopping.
    config = configured(data={"group": "image", **reading(root, labels, columns, case_pattern)})
    with shown_progress() as progress:
        manifest = scan(data, settings=config.data, progress=progress).manifest
        given = read_given_split(split, manifest) if split else None
        found = audit(manifest, split=given, progress=progress)
    document = found.to_json()
    if out:
        write_atomically(out, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        show_json(document)
    else:
        say(found.as_text())
        disclaim()
    if found.has_conflicts:
        raise typer.Exit(3)


@data_app.command("split")
def split_command(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Split to write (JSON).")],
    group: Group = None,
    folds: Folds = None,
    validation: Validation = None,
    seed: Seed = None,
    labels: Labels = None,
    columns: Columns = None,
    root: Root = None,
    case_pattern: CasePattern = None,
    as_json: AsJson = False,
) -> None:
    """Divide a data set into folds and a holdout that no case crosses."""
    from lobule.data.scan import scan
    from lobule.data.split import describe, split

    writable_file("--out", out)
    dividing = {"group": group, "folds": folds, "validation": validation}
    config = configured(seed=seed, data={**dividing, **reading(root, labels, columns, case_pattern)})
    with shown_progress() as progress:
        manifest = scan(data, settings=config.data, progress=progress).manifest
    divided = split(manifest, config.data, seed=config.seed)
    divided.write(out, manifest)
    table = describe(divided, manifest)
    if as_json:
        show_json({"split": str(out), "parts": json.loads(table.to_json(orient="records"))})
        return
    cells = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    show_table(
        f"Split by {divided.group_by}: {out}",
        [_CODE_OF_SUBTYPE.get(name, name.replace("_", " ")) for name in table.columns],
        cells,
    )
    disclaim()


@data_app.command("phantom")
def phantom_command(
    to: Annotated[Path, typer.Option("--to", help="Folder to draw into.")],
    cases: Annotated[int, typer.Option("--cases", help="Number of cases.", min=16)] = 24,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Draw synthetic H&E-like tissue with the names and folders of BreakHis, and masks of its malignant regions."""
    from lobule.data.phantom import write_phantom

    writable_folder("--to", to)
    with shown_progress() as progress:
        summary = write_phantom(to, cases=cases, seed=seed or 0, progress=progress)
    _show(
        {name: str(value) if isinstance(value, Path) else value for name, value in vars(summary).items()},
        as_json=as_json,
    )


def exit_with_failures(failures: Sequence[Failure], listed: Path) -> None:
    """End with exit code 2 where inputs failed."""
    if failures:
        warn(f"{len(failures)} files could not be used; they are listed with the reasons in {listed}.")
        raise typer.Exit(2)


def _show(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(summary)
    else:
        for name, value in summary.items():
            say(f"{name:<12}{value}")
        disclaim()


def _cell(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
