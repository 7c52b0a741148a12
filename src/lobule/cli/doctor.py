"""`lobule doctor`: what is installed, what is missing, and the line that mends it."""

from __future__ import annotations

from dataclasses import asdict

import typer

from lobule.cli.console import disclaim, say, show_json
from lobule.cli.options import AsJson

__all__ = ["doctor"]


def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and the line that mends it; exit 1 if something needed is missing."""
    from lobule.doctor import examine

    checks = examine()
    is_fine = all(check.is_fine for check in checks if check.is_needed)
    if as_json:
        show_json({"is_fine": is_fine, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            mark = "ok" if check.is_fine else "MISSING" if check.is_needed else "optional"
            say(f"{mark:<9}{check.name:<18}{check.found}")
            if check.remedy:
                say(f"{'':<9}{'':<18}-> {check.remedy}")
        disclaim()
    if not is_fine:
        raise typer.Exit(1)
