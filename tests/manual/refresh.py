"""Writes what commands print into the pages that show it: `python -m tests.manual.refresh PAGE.md ...`.

An output is touched only where the test would not accept it; lines `...` are lost then, and to be put back by hand.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from lobule.data.phantom import write_phantom
from lobule.pipeline import train
from tests.manual.blocks import Page, Step, read_page
from tests.manual.output import is_as_shown
from tests.manual.session import Session, follow, providers
from tests.runs import QUICK
from tests.tiny_backbone import install_tiny_graph, tiny_backbone


def refresh(path: Path) -> int:
    """Run a page and write anew the outputs that it shows and that have changed; return how many.

    What was printed before a command failed is written all the same.
    """
    page = read_page(path)
    steps: list[tuple[Step, str]] = []
    try:
        with tempfile.TemporaryDirectory() as made, tiny_backbone():
            install_tiny_graph()
            folder = Path(made) / "page"
            folder.mkdir()
            _provide(page, Path(made), folder)
            with contextlib.closing(Session(folder, page.as_written)) as session:
                steps.extend(follow(page, session))
    finally:
        changed = [(step, printed) for step, printed in steps if step.output and not is_as_shown(step.output, printed)]
        text = page.text
        for step, printed in reversed(changed):
            text = text[: step.start] + printed + text[step.end :]
        path.write_text(text, encoding="utf-8")
    return len(changed)


def _provide(page: Page, made: Path, folder: Path) -> None:
    if not page.needs:
        return
    tissue = write_phantom(made / "phantom", cases=16, images_per_case=4, size=(92, 140)).folder
    run = train(tissue, made / "run", config=QUICK, command="lobule train").folder if "RUN" in page.needs else tissue
    for name in page.needs:
        providers(tissue, run)[name](folder)


if __name__ == "__main__":
    for named in sys.argv[1:]:
        print(f"{named}: {refresh(Path(named).resolve())} outputs changed")
