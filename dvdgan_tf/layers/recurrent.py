"""The convolutional GRU of the generator.

Source: v2's generator figure; gates as DeepMind's later code confirms them.
"""

import gin
import tensorflow as tf

from dvdgan_tf.layers.spectral import SpectralLayer, convolve


@gin.register
class ConvGRU(SpectralLayer):
    """Gated recurrence over frames with 3x3 convolutions and a ReLU.

        r  = sigmoid(W_r * [h; x] + b_r)
        u  = sigmoid(W_u * [h; x] + b_u)
        c  = relu   (W_c * [x; r.h] + b_c)
        h' = u.h + (1 - u).c

    `*` is a "same" convolution, `.` the element-wise product; u keeps the old
    state. The state is as wide as the input. A convolution of a concatenation
    is the sum of two convolutions, so the half of x is computed for all
    frames at once, outside the recurrence.

    Args:
        spectral_norm: a `SpectralNorm`, applied to each gate's own kernel.

    Call arguments:
        inputs: x, [B, T, H, W, C]; with T = 1 the same x serves all steps.
        num_frames: number of steps.
        initial_state: h0, [B, H, W, C]; zeros by default.
        training: whether to run the power iteration.

    Returns:
        The states h' of all steps, [B, num_frames, H, W, C].
    """

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        shape = (3, 3, 2 * channels, channels)
        self.reset = self.add_spectral_weight("reset_kernel", shape)
        self.update = self.add_spectral_weight("update_kernel", shape)
        self.candidate = self.add_spectral_weight("candidate_kernel", shape)
        self.bias = self.add_bias(3 * channels)  # r, u, c

    def call(self, inputs, num_frames, initial_state=None, training=False):
        channels = inputs.shape[-1]
        input_kernel, gates_kernel, candidate_kernel = (
            tf.cast(kernel, inputs.dtype) for kernel in self._kernels(training)
        )
        bias = tf.cast(tf.convert_to_tensor(self.bias), inputs.dtype)
        from_inputs = tf.unstack(convolve(inputs, input_kernel) + bias, axis=1)
        if len(from_inputs) == 1:
            from_inputs = from_inputs * num_frames
        state = initial_state
        states = []
        for from_input in from_inputs:
            gates, candidate = tf.split(
                from_input, [2 * channels, channels], -1
            )
            if state is None:
                # With h = 0 the convolutions of the state vanish.
                update = tf.sigmoid(gates[..., channels:])
                state = (1.0 - update) * tf.nn.relu(candidate)
            else:
                gates = tf.sigmoid(gates + convolve(state, gates_kernel))
                reset, update = tf.split(gates, 2, -1)
                candidate = tf.nn.relu(
                    candidate + convolve(reset * state, candidate_kernel)
                )
                state = update * state + (1.0 - update) * candidate
            states.append(state)
        return tf.stack(states, axis=1)

    def _kernels(self, training):
        """The halves of W_r, W_u, W_c / sigma: of x; of h; of r.h."""
        reset_h, reset_x = tf.split(self.reset.normalized(training), 2, 2)
        update_h, update_x = tf.split(self.update.normalized(training), 2, 2)
        candidate_x, candidate_h = tf.split(
            self.candidate.normalized(training), 2, 2
        )
        return (
            tf.concat([reset_x, update_x, candidate_x], -1),
            tf.concat([reset_h, update_h], -1),
            candidate_h,
        )
