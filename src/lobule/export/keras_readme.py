"""The page that lies beside exported Keras models: how to use them, and what for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lobule.taxonomy import DISCLAIMER, classes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lobule.model.bundle_record import BundleRecord
    from lobule.taxonomy import Task

__all__ = ["readme_of"]

_PAGE: Final = """# Keras models of the Lobule model {model_id}

**{disclaimer}** {intended_use}

Written by Lobule {version} with Keras {keras}; each reloads in safe mode and was compared with the bundle before it was
kept.

| file | answers | output |
|---|---|---|
{table}

```python
import keras
import numpy as np
from PIL import Image

model = keras.models.load_model("{first}", safe_mode=True)
with Image.open("image.png") as picture:
    squashed = picture.convert("RGB").resize(({size}, {size}), Image.Resampling.BICUBIC)
probabilities = model.predict(np.asarray(squashed, dtype="float32")[None])
```

- Input `image`: (n, {size}, {size}, 3), RGB, 0..255, the whole image squashed to a square. Preprocessing is inside the
  graph ({graph}).
- Inside too: the mean of the logits over the views {views}, and the temperature.
- Not inside: label sets, and the refusal of images that cannot be assessed; `lobule predict` has both.
- Decision threshold of the bundle: P(malignant) >= {threshold:.9g} ({rule}).
- Trained on {n_images} images of {n_cases} cases; backbone {backbone}, weights {weights}.
"""


def readme_of(record: BundleRecord, files: Sequence[str]) -> str:
    """Return the README, Markdown.

    Args:
        record: of the bundle.
        files: names of the models, in the order of `record.tasks`.
    """
    from lobule.features.keras_runtime import import_keras

    return _PAGE.format(
        model_id=record.model_id,
        disclaimer=record.disclaimer or DISCLAIMER,
        intended_use=record.intended_use,
        version=record.lobule_version,
        keras=import_keras().__version__,
        table="\n".join(_row(task, name) for task, name in zip(record.tasks, files, strict=True)),
        first=files[0],
        size=record.input_size,
        graph=record.preprocessing.graph,
        views=", ".join(record.preprocessing.views),
        threshold=record.threshold.value,
        rule=record.threshold.rule,
        n_images=record.training.n_images,
        n_cases=record.training.n_cases,
        backbone=record.backbone.name,
        weights=record.backbone.weights,
    )


def _row(task: Task, name: str) -> str:
    if task == "binary":
        return f"| `{name}` | malignant or benign | (n, 1): P(malignant) |"
    return f"| `{name}` | tumour subtype | (n, 8): {', '.join(classes_of(task))} |"
