"""`lobule compare`: two models on the same images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lobule.cli.console import disclaim, say, show_json, show_table, shown_progress, warn
from lobule.cli.options import AsJson, Seed
from lobule.cli.targets import writable_file
from lobule.errors import ConfigError
from lobule.provenance import write_atomically

if TYPE_CHECKING:
    from lobule.evaluation.compare import Comparison, Contrast

__all__ = ["compare"]


def compare(
    run_a: Annotated[Path, typer.Argument(help="Run folder, or a predictions.csv made anywhere.")],
    run_b: Annotated[Path, typer.Argument(help="What it is compared with.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the comparison as JSON to this file.")] = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", help="Replicates of the case bootstrap.", min=0)] = 2000,
    protocol: Annotated[
        Literal["folds", "holdout", "predict"] | None,
        typer.Option("--protocol", help="Which predictions; else the first of these that both have."),
    ] = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Compare two models, paired by case: the difference of every metric, and whether it is more than chance."""
    from lobule.evaluation.compare import compare as compare_predictions

    if run_a.resolve() == run_b.resolve():
        raise ConfigError(f"RUN_A and RUN_B are the same, {run_a}; name two different runs.")
    if out:
        writable_file("--out", out)
    with shown_progress() as progress:
        found = compare_predictions(
            run_a,
            run_b,
            names=(str(run_a), str(run_b)),
            protocol=protocol,
            bootstrap=bootstrap,
            seed=seed or 0,
            progress=progress,
        )
    if out:
        write_atomically(out, json.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if as_json:
        show_json(found.to_json())
    else:
        _show(found)
        _caution(found)
        disclaim()


def _show(found: Comparison) -> None:
    say(f"A  {found.names[0]}\nB  {found.names[1]}")
    images = found.contrasts[0].difference
    title = f"A and B on the same {images.n_images} images of {images.n_cases} cases ({found.protocol})"
    columns = ["metric", "A", "B", "A - B", "95 % interval", "among all", "verdict"]
    show_table(title, columns, [_row(contrast) for contrast in found.contrasts if contrast.a is not None])
    if found.critical_value is None:
        say("No interval: too few cases, or no replicates.")
    else:
        say(
            f"{found.n_comparisons} comparisons were made. The verdicts come from the intervals among all, which hold "
            f"together with 95 % confidence: {found.critical_value:.2f} standard errors to each side instead of 1.96."
        )


def _row(contrast: Contrast) -> list[str]:
    difference = contrast.difference
    return [
        f"{contrast.task}, by {contrast.level}: {contrast.name.replace('_', ' ')}",
        _number(contrast.a),
        _number(contrast.b),
        _number(difference.value, sign=True),
        _interval(difference.low, difference.high),
        _interval(contrast.low, contrast.high),
        contrast.verdict,
    ]


def _caution(found: Comparison) -> None:
    """Say what a reader of the table must know."""
    for task, matched in found.n_images.items():
        left_out = found.only_a[task] + found.only_b[task]
        if matched and left_out:
            warn(f"{task}: left out are {found.only_a[task]} images only in A and {found.only_b[task]} only in B.")
    if found.identical:
        warn("Both hold the same predictions.")
    elif not found.same_folds:
        warn("The two were trained on different divisions of these images: a part of any difference is the division.")


def _number(value: float | None, *, sign: bool = False) -> str:
    return "–" if value is None else f"{value:+.3f}" if sign else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "–"
    return f"always {low:+.3f}" if low == high else f"{low:+.3f} to {high:+.3f}"
