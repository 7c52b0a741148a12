"""Everything a report is drawn from, gathered by the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lobule.config import Config, DecisionSettings
    from lobule.data.audit import Audit
    from lobule.data.manifest import Manifest
    from lobule.data.split import Split
    from lobule.evaluation.metrics import Metrics
    from lobule.evaluation.predictions import Predictions
    from lobule.report.search_record import SearchRecord

__all__ = ["Banner", "GalleryItem", "ReportInputs", "standard_banners"]


@dataclass(frozen=True, kw_only=True)
class Banner:
    """A statement at the head of the page that changes how every number below it is read.

    Args:
        severity: danger (the numbers must not be believed), warning or info.
        text: one or two plain sentences, shown as text, never as markup.
    """

    severity: Literal["danger", "warning", "info"]
    text: str


@dataclass(frozen=True, kw_only=True)
class GalleryItem:
    """One wrongly classified image with what the model looked at.

    Args:
        image_id: as in the manifest.
        case_id: as in the manifest.
        text: one sentence on the error.
        label: true label.
        subtype: true subtype, or "" where it is not known.
        predicted_label: label the model gave.
        predicted_subtype: subtype the model gave, or "" without a subtype head.
        probability: probability of malignancy, 0 to 1.
        magnification: 40, 100, 200, 400, or None where it is not known.
        image: (H, W, 3) uint8, RGB.
        overlay_binary: (H, W, 3) uint8, the image under the heat map for malignancy.
        overlay_subtype: (H, W, 3) uint8, the same for the predicted subtype; None without a subtype head.
    """

    image_id: str
    case_id: str
    text: str
    label: str
    subtype: str
    predicted_label: str
    predicted_subtype: str
    probability: float
    magnification: int | None
    image: NDArray[np.uint8]
    overlay_binary: NDArray[np.uint8]
    overlay_subtype: NDArray[np.uint8] | None = None


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """Everything a report is drawn from; of predictions made elsewhere only the first three are known.

    Args:
        title: heading of the page.
        metrics: what was measured.
        predictions: what it was measured on.
        history: `HISTORY_COLUMNS`, one row an epoch; the fold of the holdout is empty (or -1).
        chosen_epochs: task -> number of epochs that was used (counted from 1).
        manifest: the images that were trained on, after the audit's policy.
        split: who was trained on and who was tested on; without it the report says that it cannot know.
        audit: what was found in the data before the policy.
        config: every setting.
        decision: rule of the threshold and alpha that the metrics were measured with; None: those of `config`, or the
            usual ones.
        run: the record in run.json, shown whole; `command` (the command line) and `finished` or `started` (time,
            ISO 8601) also stand in the text where present.
        robustness: `condition, amount, n_images, n_cases, auroc, low, high, verdict_changes`, one row a change of
            the images and amount, or a magnification that was left out; None where it was not measured.
        gallery: worst errors first.
        banners: statements that only the pipeline can make, such as a fine-tuned holdout; those that follow from the
            settings are added by the report itself, see `standard_banners`.
        search: what a sweep tried and chose; None where the settings were given.
        synthetic: the images were drawn by a program; the report says so and asks for no citation of real data.
        rescored: the predictions were scored again, perhaps with other settings: the run's own bundle keeps its own
            temperatures, thresholds and label sets.
    """

    title: str
    metrics: Metrics
    predictions: Predictions
    history: pd.DataFrame | None = None
    chosen_epochs: Mapping[str, int] = field(default_factory=dict)
    manifest: Manifest | None = None
    split: Split | None = None
    audit: Audit | None = None
    config: Config | None = None
    decision: DecisionSettings | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    robustness: pd.DataFrame | None = None
    gallery: tuple[GalleryItem, ...] = ()
    banners: tuple[Banner, ...] = ()
    search: SearchRecord | None = None
    synthetic: bool = False
    rescored: bool = False

    @property
    def unit(self) -> str:
        """What was never divided: case, patient or image; "" where the split is not known."""
        return self.split.group_by if self.split else ""

    @property
    def images(self) -> pd.DataFrame:
        """A row an image with what is known of it: of the manifest, or else of the predictions."""
        if self.manifest:
            return self.manifest.frame
        return self.predictions.frame.drop_duplicates("image_id").reset_index(drop=True)


def standard_banners(
    config: Config | None, *, group_by: str, synthetic: bool = False, divided_cases: int = 0
) -> tuple[Banner, ...]:
    """Return the banners that follow from settings and data: a leaking split, random filters, synthetic images.

    Args:
        config: settings of the run; None where they are not known.
        group_by: unit of the split that was used: case, patient or image; "" where it is not known.
        synthetic: the images were drawn by a program.
        divided_cases: cases of predictions from elsewhere that have images in several folds.
    """
    banners = []
    if not group_by:
        banners.append(
            Banner(
                severity="warning",
                text="These predictions were made elsewhere. Lobule cannot know how the data were divided: if images of"
                " one case were both trained on and tested on, every number on this page is inflated.",
            )
        )
    if not group_by and divided_cases:
        have = "case has" if divided_cases == 1 else "cases have"
        banners.append(
            Banner(
                severity="danger",
                text=f"{divided_cases:,} {have} images in several folds, so images of one case were trained on and"
                " tested on. Every number on this page is inflated and says nothing about new cases.",
            )
        )
    if synthetic:
        banners.append(
            Banner(
                severity="danger",
                text="Synthetic images: drawn by a program, not taken of tissue. Nothing on this page says anything "
                "about patients.",
            )
        )
    if group_by == "image":
        banners.append(
            Banner(
                severity="danger",
                text="This run was split by image: images of the same case were trained on and tested on. "
                "Every number on this page is inflated and says nothing about new cases.",
            )
        )
    if group_by == "patient":
        banners.append(
            Banner(
                severity="warning",
                text="This run was split by patient id, not by case number: slides of one case that are filed under "
                "different ids can stand on both sides of the split.",
            )
        )
    if config and config.features.weights == "none":
        banners.append(
            Banner(
                severity="danger",
                text="The backbone has seeded random filters, not trained ones: this run demonstrates the machinery "
                "and makes no claim about medicine.",
            )
        )
    return tuple(banners)
