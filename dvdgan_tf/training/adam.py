"""Adam as one operation per variable."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with a fused update.

    Keras writes the update as some thirty operations per variable, each with
    a temporary of the variable's size; TensorFlow has a kernel for it, and
    XLA a lowering.

    Args:
        learning_rate: the learning rate, or a schedule of Keras.
        beta_1: decay of the first moment.
        beta_2: decay of the second moment.
        epsilon: small number that is added to the root of the second moment.
        name: begins the names of the moments' variables.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        name: str,
    ):
        # Each replica counts iterations for itself: they agree. By default
        # the first replica's count is sent to all, which XLA cannot do on
        # several GPUs.
        with tf.variable_creator_scope(_without_aggregation):
            super().__init__(
                learning_rate,
                beta_1=beta_1,
                beta_2=beta_2,
                epsilon=epsilon,
                name=name,
            )

    def update_step(
        self,
        gradient: tf.Tensor,
        variable: keras.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Updates one variable and its moments."""
        i = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[i].value.handle,
            v=self._velocities[i].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _without_aggregation(next_creator, **kwargs):
    return next_creator(
        **{**kwargs, "aggregation": tf.VariableAggregation.NONE}
    )
