"""The ConvGRU, the paper's recurrent unit.

Source: v2's generator figure; DeepMind's later code confirms the gates.
"""

from collections.abc import Sequence

import gin
import keras
import tensorflow as tf

from dvdgan_tf.layers.convolutions import convolve
from dvdgan_tf.layers.recurrent import RecurrentUnit, StepConvolutions


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class ConvGRU(RecurrentUnit):
    """Gated recurrence over frames with 3x3 convolutions and a ReLU.

        r  = sigmoid(W_r * [h; x] + b_r)
        u  = sigmoid(W_u * [h; x] + b_u)
        c  = relu   (W_c * [x; r.h] + b_c)
        h' = u.h + (1 - u).c

    `*` is a "same" convolution, `.` the element-wise product; u keeps the old
    state. Arguments, call arguments and result are those of `RecurrentUnit`.
    """

    def build(self, inputs_shape: tuple) -> None:
        channels = inputs_shape[-1]
        shape = (3, 3, 2 * channels, channels)
        self.reset = self.add_spectral_weight("reset_kernel", shape)  # W_r
        self.update = self.add_spectral_weight("update_kernel", shape)  # W_u
        self.candidate = self.add_spectral_weight(  # W_c
            "candidate_kernel", shape
        )
        self.bias = self.add_bias(3 * channels)  # [b_r; b_u; b_c]

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns what `apply` needs, in the compute dtype.

        Returns:
            The halves of W_r, W_u, W_c / sigma that meet x, [3, 3, C, 3 C];
            those of W_r, W_u that meet h, [3, 3, C, 2 C]; that of W_c that
            meets r.h, [3, 3, C, C]; the biases, [3 C].
        """
        # r: W_r * [h; x] = W_rh * h + W_rx * x
        reset_h, reset_x = tf.split(self.reset.normalized(training), 2, 2)
        # u: W_u * [h; x] = W_uh * h + W_ux * x
        update_h, update_x = tf.split(self.update.normalized(training), 2, 2)
        # c: W_c * [x; r.h] = W_cx * x + W_ch * r.h, x first
        candidate_x, candidate_h = tf.split(
            self.candidate.normalized(training), 2, 2
        )
        return self.cast(
            tf.concat([reset_x, update_x, candidate_x], -1),
            tf.concat([reset_h, update_h], -1),
            candidate_h,
            self.bias,
        )

    @staticmethod
    def step(
        from_input: tf.Tensor, state: tf.Tensor, weights: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        gates_kernel, candidate_kernel = weights
        channels = state.shape[-1]
        # The shares of x: r and u together, then c.
        gates, candidate = tf.split(from_input, [2 * channels, channels], -1)
        # r and u: both see h, so one convolution serves them.
        gates = tf.sigmoid(gates + convolve(state, gates_kernel))
        reset, update = tf.split(gates, 2, -1)
        # c: its other half meets r.h.
        candidate += convolve(reset * state, candidate_kernel)
        # h' = u.h + (1 - u).c
        return update * state + (1.0 - update) * tf.nn.relu(candidate)

    @staticmethod
    def convolutions(channels: int) -> StepConvolutions:
        """Returns the arithmetic of a step; see `StepConvolutions`."""
        c = channels
        return StepConvolutions(
            kernels=[(2 * c, c)] * 3,  # W_r, W_u, W_c
            drawn=[(2 * c, 2 * c), (2 * c, c)],  # r and u of [h; x], then c
            inputs=(c, 3 * c),  # r, u, c
            states=[(c, 2 * c), (c, c)],  # r and u of h; c of r.h
        )
