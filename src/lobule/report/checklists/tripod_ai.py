"""TRIPOD+AI: 27 items for studies that develop or evaluate a prediction model."""

from __future__ import annotations

from typing import Final

from lobule.report.checklists.items import Checklist, Item

__all__ = ["TRIPOD_AI"]

_INTRODUCTION, _METHODS, _OPEN, _RESULTS, _DISCUSSION = (
    "Introduction",
    "Methods",
    "Open science",
    "Results",
    "Discussion",
)

TRIPOD_AI: Final = Checklist(
    name="tripod-ai",
    title="TRIPOD+AI",
    size="27 items, 52 with their parts",
    source="Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement. BMJ 2024;385:e078378. "
    "doi:10.1136/bmj-2023-078378",
    items=(
        Item("1", "Title", "Says that a prediction model is developed or evaluated, in whom, and for which outcome"),
        Item("2", "Abstract", "A structured abstract, by the guideline's own list for abstracts"),
        Item("3a", _INTRODUCTION, "The clinical question, why a model is wanted, and which models exist already"),
        Item(
            "3b",
            _INTRODUCTION,
            "Who the model is meant for, who is to use it, and where in the care of a patient",
            facts=("intended_use",),
            rest="the place in the care of a patient",
        ),
        Item("3c", _INTRODUCTION, "Health inequalities between groups of people that are already known"),
        Item(
            "4",
            _INTRODUCTION,
            "The aims, and whether a model is developed, evaluated or both",
            facts=("kind_of_study",),
            rest="the aims",
        ),
        Item(
            "5a",
            _METHODS,
            "Where the data come from, for development and for evaluation, why these data, and whom they represent",
            facts=("source", "counts"),
            rest="why these data, and whom they represent",
        ),
        Item("5b", _METHODS, "Over which dates the data were collected"),
        Item("6a", _METHODS, "The setting: kind of care, number and place of the centres"),
        Item(
            "6b",
            _METHODS,
            "Who could take part and who could not",
            facts=("usable",),
            rest="how patients and images were chosen before they reached this program",
        ),
        Item("6c", _METHODS, "Treatments, and how they were dealt with"),
        Item(
            "7",
            _METHODS,
            "Preparation and quality control of the data, and whether they were alike in all groups of people",
            facts=("cleaning", "preprocessing"),
            rest="whether this was alike in all groups of people",
        ),
        Item(
            "8a",
            _METHODS,
            "What is predicted and for when, how and when it was established, and why this outcome",
            facts=("outcome",),
            rest="how and when the diagnosis was established, and why this outcome",
        ),
        Item("8b", _METHODS, "Who judged the outcome where it takes judgement: their training and background"),
        Item("8c", _METHODS, "Whether those who judged the outcome were blinded"),
        Item("9a", _METHODS, "How the first set of predictors was chosen", facts=("predictors",)),
        Item(
            "9b",
            _METHODS,
            "What each predictor is, and how and when it was measured",
            facts=("predictors", "magnifications"),
            rest="staining, microscope, camera and scanner",
        ),
        Item("9c", _METHODS, "Who measured the predictors where it takes judgement: their training and background"),
        Item(
            "10",
            _METHODS,
            "How the study size came about, and why it is enough",
            facts=("counts", "fewest_cases"),
            rest="how the size was arrived at, and why it is enough",
        ),
        Item("11", _METHODS, "What was done about missing data, and what was left out for which reason", ("missing",)),
        Item(
            "12a",
            _METHODS,
            "How the data were used and divided for development and evaluation",
            facts=("partition", "disjoint"),
        ),
        Item("12b", _METHODS, "How predictors went into the model: form, scale, transformation", ("features",)),
        Item(
            "12c",
            _METHODS,
            "Kind of model and why, every step of building and tuning it, and the internal validation",
            facts=("model", "training", "epochs", "partition"),
            rest="why this kind of model, and which settings were tuned on what",
        ),
        Item(
            "12d",
            _METHODS,
            "Whether and how differences between clusters (hospitals, countries) were handled and measured",
            facts=("clusters",),
        ),
        Item(
            "12e",
            _METHODS,
            "All measures and plots of performance, and how models were compared",
            facts=("measures", "uncertainty", "rivals"),
            rest="why these measures, and why clinical utility was not measured",
        ),
        Item("12f", _METHODS, "Whether the model was updated (recalibrated) after evaluation", ("recalibration",)),
        Item("12g", _METHODS, "How the predictions were computed at evaluation", ("prediction",)),
        Item("13", _METHODS, "What was done about unequal classes, and any recalibration after it", ("imbalance",)),
        Item(
            "14",
            _METHODS,
            "What was done for fairness, and why",
            facts=("fairness",),
            rest="what was done for fairness between groups of people",
        ),
        Item("15", _METHODS, "What the model puts out, and how its thresholds were found", ("output", "threshold")),
        Item(
            "16",
            _METHODS,
            "Differences between development and evaluation data: setting, eligibility, outcome, predictors",
            facts=("internal_only",),
        ),
        Item("17", _METHODS, "Ethical approval, and consent or its waiver"),
        Item("18a", _OPEN, "Who paid, and what the funder did"),
        Item("18b", _OPEN, "Conflicts of interest"),
        Item("18c", _OPEN, "Where the protocol is, or that there is none"),
        Item("18d", _OPEN, "Where the study is registered, or that it is not"),
        Item("18e", _OPEN, "Whether and where the data can be had", ("data_digest",), rest="where the data can be had"),
        Item(
            "18f", _OPEN, "Whether and where the code can be had", ("software",), rest="where the code of this study is"
        ),
        Item("19", "Patients and public", "How patients and the public took part, or that they did not"),
        Item(
            "20a",
            _RESULTS,
            "The way of participants through the study, with and without the outcome",
            facts=("flow", "counts"),
        ),
        Item(
            "20b",
            _RESULTS,
            "Who the participants were, by source, with dates, predictors, outcomes and missing data",
            facts=("strata_counts", "missing"),
            rest="age, sex and other characteristics of the patients",
        ),
        Item(
            "20c",
            _RESULTS,
            "Evaluation data beside development data: predictors and outcome",
            facts=("internal_only", "part_counts"),
        ),
        Item("21", _RESULTS, "Number of participants and of outcomes in each analysis", ("part_counts", "scored")),
        Item(
            "22",
            _RESULTS,
            "The whole model, so that others can use it, and what restricts its use",
            facts=("bundle",),
            rest="where the model can be had, and under which terms",
        ),
        Item(
            "23a",
            _RESULTS,
            "Performance with intervals, also in important groups",
            facts=("performance", "calibration", "abstention", "by_magnification"),
            rest="performance in groups of people",
        ),
        Item("23b", _RESULTS, "How far performance differs between clusters, if that was examined", ("clusters",)),
        Item("24", _RESULTS, "What came of updating the model", ("recalibration",)),
        Item("25", _DISCUSSION, "What the results mean, also for fairness, beside earlier studies"),
        Item(
            "26",
            _DISCUSSION,
            "Limits, and what they do to bias, uncertainty and generalisability",
            facts=("fewest_cases", "limits"),
            rest="what these limits mean for the study's question",
        ),
        Item(
            "27a",
            _DISCUSSION,
            "What is to be done in use about input of poor quality or that is missing",
            facts=("bad_input",),
        ),
        Item("27b", _DISCUSSION, "What users must do themselves, and how expert they must be", ("users",)),
        Item("27c", _DISCUSSION, "What research comes next, with a view to where the model applies"),
    ),
)
