from __future__ import annotations

import pytest

from lobule.features.keras_runtime import import_keras
from lobule.model.joint import build_joint
from tests.model.finetune_job import heads_of, plan_of, tiny_backbone

pytestmark = pytest.mark.keras


def test_mixed_precision_on_a_gpu_scales_the_loss_and_spares_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lobule.model.joint.sees_gpu", lambda: True)
    with tiny_backbone():
        plan = plan_of()
        joint = build_joint(
            plan.encoder, heads_of(), finetune=plan.config.finetune, head=plan.config.head, seed=plan.config.seed
        )
    keras = import_keras()
    assert isinstance(joint.model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert joint.backbone.get_layer("block2_conv1").compute_dtype == "float16"
    assert all(layer.compute_dtype == "float32" for layers in joint.head_layers.values() for layer in layers)
    assert all(variable.dtype == "float32" for variable in joint.model.trainable_variables)
    assert keras.config.dtype_policy().name == "float32"
