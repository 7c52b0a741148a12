"""Facts of the model: what it is, how it was trained, with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lobule.report.numbers import count
from lobule.report.sections.limits import intended_use

if TYPE_CHECKING:
    from lobule.config import Config
    from lobule.report.inputs import ReportInputs

__all__ = ["model_facts"]

_WEIGHTS = {"imagenet": "trained on ImageNet", "none": "seeded random filters, not trained"}


def model_facts(inputs: ReportInputs) -> dict[str, str]:
    """Return the facts of the model; only that nothing was trained here is known of predictions from elsewhere."""
    config: Config | None = inputs.config
    if config is None:
        return {"kind_of_study": "Evaluation of predictions; no model was developed here."}
    use, misuse = intended_use()
    return {
        "limits": ("One data set, nothing tested on data from elsewhere; regions that people chose, not whole slides."),
        "kind_of_study": "Development of a diagnostic prediction model, with internal validation.",
        "intended_use": f"For: {use} Not for: {misuse}",
        "internal_only": (
            "Development and internal validation used one data set, so setting, eligibility, outcome and predictors "
            "are the same; nothing was tested on data from elsewhere."
        ),
        **_made_of(config),
        **_trained(config, inputs),
        **_used(inputs),
    }


def _made_of(config: Config) -> dict[str, str]:
    features, head = config.features, config.head
    views = count(len(features.views), "fixed view")
    weights = _WEIGHTS.get(features.weights, "with weights from a file")
    return {
        "predictors": "The pixels of one image and nothing else: no clinical data, magnification or file metadata.",
        "preprocessing": (
            f"Decoded to 8-bit RGB, resized to the input of {features.backbone} without keeping proportions; "
            f"{views} of each image ({', '.join(features.views)}), whose logits are averaged."
        ),
        "features": "Averages of the backbone's last map, standardised with mean and deviation of the training images.",
        "model": (
            f"Convolutional network {features.backbone}, {weights}, {_tuned(config)}; on its averaged last map a head "
            f"a task ({_hidden(config)}) for malignancy (sigmoid) and for the eight subtypes (softmax)."
        ),
        "initialisation": f"Backbone {features.backbone}: {weights}. Heads: random, from seed {config.seed}.",
        "ensemble": (
            f"The head is the mean of {head.members} members that share nothing but their input."
            if head.hidden and head.members > 1
            else "None: one head a task."
        ),
    }


def _tuned(config: Config) -> str:
    return f"the last {count(config.finetune.blocks, 'block')} fine-tuned" if config.finetune.blocks else "frozen"


def _hidden(config: Config) -> str:
    return f"{config.head.hidden} hidden units" if config.head.hidden else "no hidden layer"


def _trained(config: Config, inputs: ReportInputs) -> dict[str, str]:
    head = config.head
    epochs = " and ".join(f"{number} ({task})" for task, number in inputs.chosen_epochs.items())
    return {
        "training": (
            f"Cross-entropy; Adam, learning rate {head.learning_rate:g}, batches of {head.batch_size}, dropout "
            f"{head.dropout:g} (on the features {head.input_dropout:g}), L2 penalty {head.l2:g}, at most "
            f"{head.max_epochs} epochs; seed {config.seed}."
        ),
        "epochs": (
            "Number of epochs: that of a fold was chosen on the other folds"
            + (f"; used for the shipped model: {epochs}." if epochs else ".")
        ),
        "refit": "The shipped model was refitted on all cases for the median number of epochs of the folds.",
        "imbalance": (
            "Classes are weighted inversely to their frequency in the loss, so that the rarer one is not ignored."
            if head.class_weights == "balanced"
            else "None: every class has the same weight in the loss."
        ),
        "prediction": (
            "By the program: mean logit over the views, divided by the temperature, then sigmoid or softmax; of a "
            "case, the mean log-odds of its images. Each fold was predicted by the model that had not seen it."
        ),
        "explanation": (
            "Exact Grad-CAM of every answer: what each cell of the last map adds to the logit. Tested against "
            "automatic differentiation; not validated against a pathologist's regions."
        ),
        "software": _software(inputs.run),
        "record": "Arguments, versions, digests, seeds and times: run.json, config.yaml and split.json of the run.",
    }


def _software(run: Any) -> str:
    environment = run.get("environment") or {}
    packages = ", ".join(f"{name} {version}" for name, version in (environment.get("packages") or {}).items())
    parts = [
        f"Lobule {run['lobule_version']} (Apache-2.0)" if run.get("lobule_version") else "",
        f"Python {environment['python']}" if environment.get("python") else "",
        packages,
        f"on {environment['cores']} cores, {environment['processor']}" if environment.get("processor") else "",
    ]
    listed = ", ".join(part for part in parts if part)
    return f"{listed}." if listed else ""


def _used(inputs: ReportInputs) -> dict[str, str]:
    run_id = inputs.run.get("run_id")
    return {
        "bundle": (
            "The whole model (graph, weights, preprocessing, thresholds; nothing in it can execute code) is the folder "
            f"model/ of the run{f' {run_id}' if run_id else ''}, with SHA-256 sums and a model card."
        ),
        "bad_input": (
            "What cannot be decoded is refused with a reason and listed in failures.csv; an image unlike those of the "
            "training can get the verdict `not assessable`, with a reason."
        ),
        "users": "A person names files or a folder of images; nothing is outlined or entered by hand.",
    }
