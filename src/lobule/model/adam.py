"""Adam with the L2 penalty in its update: a pass over the kernels, where a penalty in the loss costs five."""

from __future__ import annotations

from typing import Any

from lobule.features.keras_runtime import import_keras, import_tensorflow, keras_backend

__all__ = ["penalised_adam"]


def penalised_adam(learning_rate: float, *, l2: float) -> Any:
    """Return Keras' Adam on the loss plus `l2` times the sum of the squared kernels.

    The penalty's gradient, 2 x l2 x kernel, is added to that of the loss before the moments see it, as if it were a
    part of the loss (and unlike decoupled weight decay). Under TensorFlow a variable is then updated by one kernel of
    its library instead of a dozen passes that each fill an array of the variable's size; the formula is the same.

    Args:
        learning_rate: of Adam.
        l2: factor of the penalty; biases, whose names say so, are not penalised.
    """
    keras = import_keras()
    fused = _tensorflow_update if keras_backend() == "tensorflow" else None

    class PenalisedAdam(keras.optimizers.Adam):  # type: ignore[misc, name-defined]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            if l2 and "bias" not in variable.name:
                gradient = gradient + 2 * l2 * keras.ops.convert_to_tensor(variable)
            if fused:
                fused(self, gradient, variable, learning_rate)
            else:
                super().update_step(gradient, variable, learning_rate)

    return PenalisedAdam(learning_rate)


def _tensorflow_update(adam: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    tensorflow = import_tensorflow()
    index = adam._get_variable_index(variable)
    step = tensorflow.cast(adam.iterations + 1, variable.dtype)
    tensorflow.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=adam._momentums[index].value.handle,
        v=adam._velocities[index].value.handle,
        beta1_power=tensorflow.pow(tensorflow.cast(adam.beta_1, variable.dtype), step),
        beta2_power=tensorflow.pow(tensorflow.cast(adam.beta_2, variable.dtype), step),
        lr=tensorflow.cast(learning_rate, variable.dtype),
        beta1=adam.beta_1,
        beta2=adam.beta_2,
        epsilon=adam.epsilon,
        grad=gradient,
    )
