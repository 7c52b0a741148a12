"""What a run knows of itself, in sentences that a checklist can quote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobule.report.checklists.data_facts import data_facts
from lobule.report.checklists.model_facts import model_facts
from lobule.report.checklists.result_facts import result_facts

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = ["facts_of"]


def facts_of(inputs: ReportInputs) -> dict[str, str]:
    """Return facts by name; an empty text is a fact that is not known, as most are of predictions from elsewhere.

    Args:
        inputs: what is reported; manifest, split, audit and config may be None where only predictions are known.
    """
    return {**data_facts(inputs), **model_facts(inputs), **result_facts(inputs)}
