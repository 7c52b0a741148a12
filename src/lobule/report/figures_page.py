"""All figures of a run on one page, each beside the file of its numbers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from lobule.errors import RunError
from lobule.provenance import write_atomically
from lobule.taxonomy import DISCLAIMER

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_figures_page"]

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Figures of {name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1.5rem }}
figure {{ margin: 0 }}
img {{ width: 100%; height: auto; background: #fff }}
</style>
</head>
<body>
<h1>Figures of {name}</h1>
<p>{disclaimer} <a href="../report.html">The report</a> says what they mean.</p>
<main>
{figures}
</main>
</body>
</html>
"""


def write_figures_page(run: Path) -> Path:
    """Write `figures/index.html`, which shows every PNG in `figures/` and links the CSV of its numbers.

    Args:
        run: run folder, or one that `lobule evaluate` wrote.

    Returns:
        The page.

    Raises:
        RunError: there is no figure.
    """
    folder = run / "figures"
    images = sorted(folder.glob("*.png")) if folder.is_dir() else []
    if not images:
        raise RunError(f"{folder}: holds no figure; finish the run with `lobule train`, or score it again.")
    page = _PAGE.format(
        name=escape(run.resolve().name), disclaimer=escape(DISCLAIMER), figures="\n".join(map(_figure, images))
    )
    write_atomically(folder / "index.html", page)
    return folder / "index.html"


def _figure(image: Path) -> str:
    title, source = escape(image.stem.replace("_", " ")), quote(image.name)
    numbers = image.with_suffix(".csv")
    link = f' (<a href="{quote(numbers.name)}">numbers</a>)' if numbers.is_file() else ""
    return (
        f'<figure><a href="{source}"><img src="{source}" alt="{title}" loading="lazy"></a>'
        f"<figcaption>{title}{link}</figcaption></figure>"
    )
