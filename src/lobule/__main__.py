"""`python -m lobule` is the command `lobule`."""

from __future__ import annotations

from lobule.cli.interruption import INTERRUPTED, end_at_once

__all__ = ["run"]


def run() -> None:
    """Run the command line as a process: Ctrl-C leaves no traceback, neither while it starts nor while it ends."""
    end_at_once(INTERRUPTED)
    from lobule.cli.app import main

    try:
        main()
    except SystemExit as ended:
        end_at_once(ended.code if isinstance(ended.code, int) else 1)
        raise


if __name__ == "__main__":
    run()
