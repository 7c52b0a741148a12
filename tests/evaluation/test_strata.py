from __future__ import annotations

import numpy as np

from lobule.evaluation.levels import images_of
from lobule.evaluation.predictions import Predictions
from lobule.evaluation.strata import by_magnification, by_subtype


def test_strata(handmade: Predictions) -> None:
    images = images_of(handmade, "binary", "folds")
    found = {name: np.flatnonzero(mask).tolist() for name, mask in by_magnification(images).items()}
    assert found == {"40": [0, 4], "100": [3], "400": [2], "unknown": [1]}
    assert list(found) == ["40", "100", "400", "unknown"]
    found = {name: np.flatnonzero(mask).tolist() for name, mask in by_subtype(images).items()}
    assert found == {"adenosis": [3, 4], "ductal_carcinoma": [2], "lobular_carcinoma": [1]}
