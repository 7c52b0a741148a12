"""The option `--checklist`, for the commands that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["checklist_names", "write_run_checklists"]


def checklist_names(option: str | None) -> tuple[str, ...]:
    """Return the names that were given, none without the option.

    Raises:
        ConfigError: one is not known.
    """
    if option is None:
        return ()
    from lobule.report.checklist import checklist_names as names_in

    return names_in(option)


def write_run_checklists(run: Path, names: Sequence[str]) -> list[Path]:
    """Write checklists of a finished run into its folder."""
    if not names:
        return []
    from lobule.report.checklist import write_checklists
    from lobule.report.recorded import recorded_inputs

    return write_checklists(recorded_inputs(run), names, run)
