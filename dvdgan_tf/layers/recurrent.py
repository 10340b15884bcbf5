"""Recurrent units of the generator: what all share, and the ConvGRU.

Source: v2's generator figure; gates as DeepMind's later code confirms them.
"""

import gin
import tensorflow as tf

from dvdgan_tf.layers.convolutions import convolve
from dvdgan_tf.layers.spectral import SpectralLayer

# Swaps batch and time of [B, T, H, W, C], either way.
_TIME_FIRST = [1, 0, 2, 3, 4]


class RecurrentUnit(SpectralLayer):
    """Base of the units: states h' from inputs x, frame after frame.

    A unit is its `build`, `parameters`, `step` and, if it differs,
    `first_step`. The state is as wide as the input. A convolution of a
    concatenation is the sum of two convolutions, so the half of x is computed
    for all frames at once, outside the recurrence, and that of h = 0 not at
    all.

    Args:
        spectral_norm: a `SpectralNorm`, applied to each gate's own kernel.
        unroll: whether the graph holds every time step, or one in a loop.

    Call arguments:
        inputs: x, [B, T, H, W, C]; with T = 1 the same x serves all steps.
        num_frames: number of steps.
        initial_state: h0, [B, H, W, C]; zeros by default.
        training: whether to run the power iteration.

    Returns:
        The states h' of all steps, [B, num_frames, H, W, C].
    """

    def __init__(self, spectral_norm=None, unroll=True, **kwargs):
        super().__init__(spectral_norm, **kwargs)
        self.unroll = unroll

    def call(self, inputs, num_frames, initial_state=None, training=False):
        states = () if initial_state is None else (initial_state,)
        parameters = self.parameters(training)
        return self.apply(inputs, *states, parameters, num_frames=num_frames)

    def apply(self, inputs, *args, num_frames=None):
        """The layer as a function of [h0 and] its parameters; see `call`.

        The first and the last parameter, a kernel and a bias, are for x, the
        others for the step. Without `num_frames` as many steps as there are
        inputs.
        """
        *states, (input_kernel, *weights, bias) = args
        from_inputs = convolve(inputs, input_kernel) + bias

        def step(frame, state):
            if state is None:
                return self.first_step(frame, weights)
            return self.step(frame, state, weights)

        run = _unrolled if self.unroll else _looped
        return run(
            step,
            from_inputs,
            states[0] if states else None,
            num_frames or inputs.shape[1],
        )

    @staticmethod
    def step(from_input, state, weights):
        """h' from the convolved x of one frame and h, both [B, H, W, ...]."""
        raise NotImplementedError

    @staticmethod
    def first_step(from_input, weights):
        """h' from h = 0, whose convolutions vanish."""
        channels = weights[0].shape[2]
        _, update, candidate = tf.split(
            from_input, [-1, channels, channels], -1
        )
        return (1.0 - tf.sigmoid(update)) * tf.nn.relu(candidate)


@gin.register
class ConvGRU(RecurrentUnit):
    """Gated recurrence over frames with 3x3 convolutions and a ReLU.

        r  = sigmoid(W_r * [h; x] + b_r)
        u  = sigmoid(W_u * [h; x] + b_u)
        c  = relu   (W_c * [x; r.h] + b_c)
        h' = u.h + (1 - u).c

    `*` is a "same" convolution, `.` the element-wise product; u keeps the old
    state. Arguments, call arguments and result as `RecurrentUnit`.
    """

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        shape = (3, 3, 2 * channels, channels)
        self.reset = self.add_spectral_weight("reset_kernel", shape)
        self.update = self.add_spectral_weight("update_kernel", shape)
        self.candidate = self.add_spectral_weight("candidate_kernel", shape)
        self.bias = self.add_bias(3 * channels)  # r, u, c

    def parameters(self, training):
        """What `apply` needs, in the compute dtype.

        Returns:
            The halves of W_r, W_u, W_c / sigma that meet x, [3, 3, C, 3 C];
            those of W_r, W_u that meet h, [3, 3, C, 2 C]; that of W_c that
            meets r.h, [3, 3, C, C]; the bias, [3 C].
        """
        reset_h, reset_x = tf.split(self.reset.normalized(training), 2, 2)
        update_h, update_x = tf.split(self.update.normalized(training), 2, 2)
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
    def step(from_input, state, weights):
        gates_kernel, candidate_kernel = weights
        channels = state.shape[-1]
        gates, candidate = tf.split(from_input, [2 * channels, channels], -1)
        gates = tf.sigmoid(gates + convolve(state, gates_kernel))
        reset, update = tf.split(gates, 2, -1)
        candidate += convolve(reset * state, candidate_kernel)
        return update * state + (1.0 - update) * tf.nn.relu(candidate)


def _unrolled(step, from_inputs, state, num_frames):
    """All states, [B, T, H, W, C], from h0, which may be None for 0."""
    # Not sliced: the gradient of a slice is as large as the whole.
    frames = tf.unstack(from_inputs, axis=1)
    if len(frames) == 1:
        frames = frames * num_frames
    states = []
    for frame in frames:
        state = step(frame, state)
        states.append(state)
    return tf.stack(states, axis=1)


def _looped(step, from_inputs, state, num_frames):
    """As `_unrolled`, with one step in the graph."""
    frame = from_inputs[:, 0]
    state = step(frame, state)
    if num_frames == 1:
        # XLA refuses the gradient of a loop that never runs.
        return state[:, None]
    is_constant = from_inputs.shape[1] == 1
    if not is_constant:
        # Not sliced: the gradient of a slice is as large as the whole.
        frames = tf.TensorArray(
            frame.dtype, num_frames, element_shape=frame.shape
        ).unstack(tf.transpose(from_inputs, _TIME_FIRST))
    states = tf.TensorArray(state.dtype, num_frames, element_shape=state.shape)

    def body(t, state, states):
        from_input = frame if is_constant else frames.read(t)
        state = step(from_input, state)
        return t + 1, state, states.write(t, state)

    _, _, states = tf.while_loop(
        lambda t, *_: t < num_frames,
        body,
        (1, state, states.write(0, state)),
        maximum_iterations=num_frames - 1,
    )
    return tf.transpose(states.stack(), _TIME_FIRST)
