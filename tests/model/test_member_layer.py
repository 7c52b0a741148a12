"""No fit and no member sees another's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from lobule.features.keras_runtime import import_keras
from lobule.model.member_layer import member_layer

_FITS, _BATCH, _INPUTS, _OUTPUTS = 3, 5, 4, 2


@pytest.mark.parametrize("members", [1, 3])
def test_every_member_of_every_fit_has_a_product_of_its_own(members: int) -> None:
    layer = member_layer(_FITS, members, _INPUTS, _OUTPUTS, activation="relu", seed=0)
    features = np.random.default_rng(0).normal(size=(_FITS, _BATCH, members * _INPUTS)).astype(np.float32)
    given = import_keras().ops.convert_to_numpy(layer(features)).reshape(_FITS, _BATCH, members, _OUTPUTS)
    layer.bias.assign(np.arange(_FITS * members * _OUTPUTS).reshape(_FITS, 1, -1) / 10)
    raised = import_keras().ops.convert_to_numpy(layer(features)).reshape(_FITS, _BATCH, members, _OUTPUTS)
    kernel, bias = layer.get_weights()
    assert kernel.shape == (_FITS, members, _INPUTS, _OUTPUTS)
    for fit in range(_FITS):
        for member in range(members):
            own = features[fit, :, member * _INPUTS : (member + 1) * _INPUTS] @ kernel[fit, member]
            np.testing.assert_allclose(given[fit, :, member], np.maximum(own, 0), atol=1e-6)
            shift = bias[fit, 0, member * _OUTPUTS : (member + 1) * _OUTPUTS]
            np.testing.assert_allclose(raised[fit, :, member], np.maximum(own + shift, 0), atol=1e-6)


def test_first_kernels_have_the_spread_that_relu_needs_and_follow_the_seed() -> None:
    drawn = []
    for seed in (0, 0, 1):
        layer = member_layer(2, 2, 200, 50, activation=None, seed=seed)
        layer.build((2, 1, 400))
        drawn.append(layer.get_weights()[0])
    assert drawn[0].std() == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
