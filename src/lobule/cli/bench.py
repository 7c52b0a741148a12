"""`lobule bench`: Lobule beside what a user would pick instead, measured here and now."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lobule.cli.console import say, show_json, show_table, shown_progress
from lobule.cli.options import AsJson, Seed
from lobule.errors import ConfigError

if TYPE_CHECKING:
    from lobule.bench.results import Ratio, Report, Result, Series

__all__ = ["bench"]


def bench(
    question: Annotated[
        str | None, typer.Argument(help="encode, train, predict or serve; without one: all.", show_default=False)
    ] = None,
    backbone: Annotated[str, typer.Option("--backbone", help="Name in the backbone registry.")] = "vgg16",
    weights: Annotated[str, typer.Option("--weights", help="none (seeded), imagenet or the path of a file.")] = "none",
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of images; without one, a mix is drawn for the purpose.")
    ] = None,
    images: Annotated[int | None, typer.Option("--images", help="Number of images.")] = None,
    repeats: Annotated[int | None, typer.Option("--repeats", help="Rounds; medians are shown.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small numbers, to see that it works.")] = False,
    scale: Annotated[bool, typer.Option("--scale", help="With encode: time and memory for each of --sizes.")] = False,
    sizes: Annotated[
        str | None, typer.Option("--sizes", help="With --scale: numbers of images, such as 1000,4000.")
    ] = None,
    precision: Annotated[
        Literal["auto", "f32", "bf16", "int8"], typer.Option("--precision", help="As the setting features.precision.")
    ] = "auto",
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Measure speed beside rivals, in turns in one run: files to features, to a report, to answers, over HTTP."""
    from lobule.bench.run import QUESTIONS, run_benchmarks
    from lobule.bench.setup import Setup

    wanted = _sizes(question, sizes, scale=scale)
    setup = Setup(backbone, weights, data, images, repeats, quick, seed or 0, precision)
    with shown_progress() as progress:
        report = run_benchmarks(
            setup,
            [question] if question else list(QUESTIONS),
            sizes=wanted,
            command=shlex.join(["lobule", *sys.argv[1:]]),
            progress=progress,
        )
    if as_json:
        show_json(report.to_json())
    else:
        _show(report, quick=quick)


def _sizes(question: str | None, sizes: str | None, *, scale: bool) -> tuple[int, ...]:
    """Return the sizes to measure; none without `--scale`.

    Raises:
        ConfigError: the options do not go together, or a size is no number.
    """
    if not scale and sizes is None:
        return ()
    if question != "encode" or not scale or sizes is None:
        raise ConfigError("--scale: belongs to `lobule bench encode --scale --sizes 1000,4000,16000,64000`.")
    try:
        return tuple(int(size) for size in sizes.split(","))
    except ValueError:
        raise ConfigError(f"--sizes {sizes}: expected numbers with commas, such as 1000,4000.") from None


def _show(report: Report, *, quick: bool) -> None:
    machine = report.machine
    say(f"{machine['processor']}, {machine['usable_cores']} cores, {', '.join(machine['precisions'])}")
    say(f"{machine['platform']}, Python {machine['python']}, load before {machine['load_before']}")
    say(", ".join(f"{name} {version}" for name, version in machine["packages"].items()))
    say(report.command)
    for result in report.results:
        _show_result(result)
    if quick:
        say("Measured with --quick: it works; the numbers say nothing about speed.")


def _show_result(result: Result) -> None:
    say("")
    for name, text in result.workload.items():
        say(f"{name}: {text}")
    show_table(result.question, ("measured", "median", "lowest", "highest", "unit", "times"), _rows(result.series))
    show_table("ratios", ("ratio", "value", "target", "", "is"), [_ratio_row(ratio) for ratio in result.ratios])
    for rival in result.skipped:
        say(f"{rival.name}: not measured: {rival.remedy}")
    for note in result.notes:
        say(note)


def _rows(series: tuple[Series, ...]) -> list[tuple[str, ...]]:
    return [
        (
            each.name + (" (extrapolated)" if each.extrapolated else ""),
            *(f"{value:.4g}" for value in (each.median, min(each.values), max(each.values))),
            each.unit,
            str(len(each.values)),
        )
        for each in series
    ]


def _ratio_row(ratio: Ratio) -> tuple[str, ...]:
    met = {True: "met", False: "not met", None: ""}[ratio.is_met]
    return ratio.name, f"{ratio.value:.3g}", ratio.target, met, ratio.meaning
