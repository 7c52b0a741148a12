"""CLAIM, update of 2024: 44 items for studies of artificial intelligence in medical imaging."""

from __future__ import annotations

from typing import Final

from lobule.report.checklists.items import Checklist, Item

__all__ = ["CLAIM"]

_DATA, _REFERENCE, _PARTITIONS, _MODEL, _TRAINING, _EVALUATION = (
    "Methods: data",
    "Methods: reference standard",
    "Methods: partitions",
    "Methods: model",
    "Methods: training",
    "Methods: evaluation",
)

CLAIM: Final = Checklist(
    name="claim",
    title="CLAIM, 2024 update",
    size="44 items",
    source="Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): "
    "2024 Update. Radiology: Artificial Intelligence 2024;6(4):e240300. doi:10.1148/ryai.240300",
    items=(
        Item("1", "Title and abstract", "Says that it is a study of artificial intelligence, and of which kind"),
        Item("2", "Title and abstract", "A summary of design, methods, results and conclusions"),
        Item(
            "3",
            "Introduction",
            "Background, and what the method is meant to be used for",
            facts=("intended_use",),
            rest="the scientific and clinical background",
        ),
        Item("4", "Introduction", "Aims and hypotheses"),
        Item("5", "Methods: design", "Whether the study looks forward or back"),
        Item("6", "Methods: design", "The goal of the study", ("kind_of_study",), rest="the goal"),
        Item("7", _DATA, "Where the data come from", ("source", "counts"), rest="institutions and dates"),
        Item(
            "8", _DATA, "What was included and excluded", ("usable",), rest="how images were chosen before this program"
        ),
        Item("9", _DATA, "How images were prepared", ("cleaning", "preprocessing")),
        Item("10", _DATA, "How parts of the data were picked (such as regions of a slide)"),
        Item("11", _DATA, "How the data were de-identified", ("privacy",), rest="how the data were de-identified"),
        Item("12", _DATA, "What was done about missing data", ("missing",)),
        Item(
            "13",
            _DATA,
            "How the images were taken",
            facts=("magnifications",),
            rest="staining, microscope, camera and scanner",
        ),
        Item(
            "14",
            _REFERENCE,
            "What counts as the truth, and how it was obtained",
            ("outcome",),
            rest="how it was obtained",
        ),
        Item("15", _REFERENCE, "Why this reference standard"),
        Item("16", _REFERENCE, "Who made the annotations, and how they were qualified"),
        Item("17", _REFERENCE, "How the test images were annotated"),
        Item("18", _REFERENCE, "How much annotators differ from each other and from themselves"),
        Item("19", _PARTITIONS, "How data were assigned to parts", ("partition", "part_counts")),
        Item("20", _PARTITIONS, "At which level the parts have nothing in common", ("disjoint",)),
        Item(
            "21",
            "Methods: testing data",
            "The intended size of the test",
            ("scored",),
            rest="how the size was arrived at",
        ),
        Item("22", _MODEL, "The model in detail", ("model", "output")),
        Item("23", _MODEL, "Software, with versions", ("software",)),
        Item("24", _MODEL, "How parameters were initialised", ("initialisation",)),
        Item("25", _TRAINING, "How the model was trained", ("training", "epochs", "imbalance")),
        Item(
            "26",
            _TRAINING,
            "How the final model was chosen",
            ("epochs", "refit"),
            rest="which settings were tuned on what",
        ),
        Item("27", _TRAINING, "How models were combined", ("ensemble",)),
        Item("28", _EVALUATION, "Measures of performance", ("measures", "rivals")),
        Item("29", _EVALUATION, "Measures of uncertainty and significance", ("uncertainty",)),
        Item("30", _EVALUATION, "Robustness, or sensitivity to the choices made", ("robustness",)),
        Item("31", _EVALUATION, "Methods of explaining the model", ("explanation",)),
        Item("32", _EVALUATION, "Evaluation on internal data", ("partition", "disjoint")),
        Item(
            "33",
            _EVALUATION,
            "Testing on external data",
            ("internal_only",),
            rest="why there is no external test, or its results",
        ),
        Item("34", _EVALUATION, "Registration of a clinical trial"),
        Item("35", "Results: data", "Numbers included and excluded", ("flow", "counts")),
        Item(
            "36",
            "Results: data",
            "Characteristics of the cases in each part",
            facts=("strata_counts", "part_counts"),
            rest="age, sex and other characteristics of the patients",
        ),
        Item("37", "Results: performance", "Performance with its uncertainty", ("performance", "beside_rivals")),
        Item(
            "38",
            "Results: performance",
            "Diagnostic performance and how precisely it is known",
            facts=("diagnostic", "calibration", "abstention"),
        ),
        Item("39", "Results: performance", "What went wrong, and where", ("errors", "by_magnification")),
        Item(
            "40",
            "Discussion",
            "Limits",
            ("fewest_cases", "limits"),
            rest="what these limits mean for the study's question",
        ),
        Item(
            "41",
            "Discussion",
            "What follows for practice, and the intended use",
            ("intended_use",),
            rest="what follows for practice",
        ),
        Item(
            "42",
            "Other",
            "Where the full protocol, or more technical detail, is",
            ("record",),
            rest="where the protocol is",
        ),
        Item(
            "43",
            "Other",
            "Whether software, model and data can be had",
            facts=("bundle", "data_digest"),
            rest="where they can be had",
        ),
        Item("44", "Other", "Who paid, and what the funder did"),
    ),
)
