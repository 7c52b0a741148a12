"""One self-contained page: everything inline, nothing requested, no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from lobule.provenance import write_atomically
from lobule.report.figures import write_figures
from lobule.report.inputs import GalleryItem, ReportInputs
from lobule.report.page import page_of
from lobule.report.sketch import FigureFile
from lobule.report.theme import display_name

__all__ = ["render_report", "write_report"]

_PICTURE_WIDTH = 440
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class _Picture:
    data_uri: str
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class _Error:
    item: GalleryItem
    summary: str
    pictures: tuple[_Picture, ...]


def write_report(inputs: ReportInputs, path: Path) -> Path:
    """Write the page, and the figures with their numbers into `figures/` beside it, atomically.

    Args:
        inputs: what the report is drawn from.
        path: the HTML file.

    Returns:
        The path of the page.
    """
    figures = write_figures(inputs, path.parent / "figures")
    write_atomically(path, render_report(inputs, figures))
    return path


def render_report(inputs: ReportInputs, figures: Sequence[FigureFile]) -> str:
    """Return the page as HTML: the same inputs and figures give the same text.

    Args:
        inputs: what the report is drawn from.
        figures: as from `write_figures`; their files are read.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        {
            **page_of(inputs, {figure.section for figure in figures}),
            "css": Markup(css),
            "policy": _policy(css),
            "figures": [_embedded(figure) for figure in figures],
            "gallery": [_error(item) for item in inputs.gallery],
        }
    )


def _policy(css: str) -> str:
    """Return a content security policy that allows this style sheet and inline images, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _embedded(figure: FigureFile) -> Mapping[str, Any]:
    from PIL import Image

    content = figure.png.read_bytes()
    with Image.open(BytesIO(content)) as image:
        width, height = image.size
    return {
        "section": figure.section,
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "alt": figure.alt,
        "shape": figure.shape,
        "data_uri": _data_uri(content, "image/png"),
        "width": width // 2,
        "height": height // 2,
    }


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _error(item: GalleryItem) -> _Error:
    truth = display_name(item.subtype) if item.subtype else "subtype not known"
    said = f", {display_name(item.predicted_subtype)}" if item.predicted_subtype else ""
    magnification = f" · {item.magnification}X" if item.magnification else ""
    summary = (
        f"True: {item.label} ({truth}). Predicted: {item.predicted_label}{said};"
        f" probability of malignancy {item.probability:.2f}. Case {item.case_id}{magnification}."
    )
    layers = [
        (item.image, "image", "The image"),
        (item.overlay_binary, "heat map for malignancy", "Evidence for malignancy"),
        (item.overlay_subtype, "heat map for the predicted subtype", f"Evidence for {said.removeprefix(', ')}"),
    ]
    pictures = tuple(
        _picture(pixels, alt=f"{item.image_id}: {alt}", caption=caption)
        for pixels, alt, caption in layers
        if pixels is not None
    )
    return _Error(item, summary, pictures)


def _picture(pixels: Any, *, alt: str, caption: str) -> _Picture:
    from PIL import Image

    image = Image.fromarray(pixels)
    if image.width > _PICTURE_WIDTH:
        height = max(1, round(image.height * _PICTURE_WIDTH / image.width))
        image = image.resize((_PICTURE_WIDTH, height), Image.Resampling.LANCZOS)
    stream = BytesIO()
    image.save(stream, "JPEG", quality=86)
    return _Picture(_data_uri(stream.getvalue(), "image/jpeg"), image.width, image.height, alt, caption)
