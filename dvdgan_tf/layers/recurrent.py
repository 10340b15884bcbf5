"""What all recurrent units of the generator share: the run over time."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from dvdgan_tf.layers.convolutions import convolve
from dvdgan_tf.layers.spectral_layers import SpectralLayer
from dvdgan_tf.layers.spectral_norm import SpectralNorm

# Swaps batch and time of [B, T, H, W, C], either way.
_TIME_FIRST = [1, 0, 2, 3, 4]


@dataclasses.dataclass(frozen=True)
class StepConvolutions:
    """The 3x3 convolutions in one step of a unit, each as (C_in, C_out).

    The count of the arithmetic (`tools/flops`) is made of them.

    Attributes:
        kernels: the weights that are normalised.
        drawn: the convolutions as the equations have them; those of one input
            count as one.
        inputs: the convolution of x by all kernels that meet it.
        states: the convolutions of h and of what is made of h, which a step
            from h = 0 leaves out.
        always: the other convolutions, which every step has.
    """

    kernels: list[tuple[int, int]]
    drawn: list[tuple[int, int]]
    inputs: tuple[int, int]
    states: list[tuple[int, int]]
    always: list[tuple[int, int]] = dataclasses.field(default_factory=list)


class RecurrentUnit(SpectralLayer):
    """Base of the units: states h' from inputs x, frame after frame.

    A unit is one file with a subclass: its `build`, `parameters` and `step`,
    its `first_step` if that differs, and `convolutions`. The state is as wide
    as the input. A convolution of a concatenation is the sum of two
    convolutions, so the half of x is computed for all frames at once, outside
    the recurrence, and that of h = 0 not at all.

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

    def __init__(
        self,
        spectral_norm: SpectralNorm | None = None,
        unroll: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(spectral_norm, **kwargs)
        self.unroll = unroll

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unroll": self.unroll}

    def call(
        self,
        inputs: tf.Tensor,
        num_frames: int,
        initial_state: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        states = () if initial_state is None else (initial_state,)
        parameters = self.parameters(training)
        return self.apply(inputs, *states, parameters, num_frames=num_frames)

    def compute_output_shape(self, inputs_shape, num_frames=None):
        batch, frames, *map_shape = inputs_shape
        return (batch, num_frames or frames, *map_shape)

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns what `apply` needs, in the compute dtype.

        The first is the kernel that meets x, the last the bias that is added
        to its result; those in between are the `weights` of the steps.
        """
        raise NotImplementedError

    def apply(
        self, inputs: tf.Tensor, *args, num_frames: int | None = None
    ) -> tf.Tensor:
        """The layer as a function of its arguments only; see `call`.

        Args:
            inputs: x, as in `call`.
            *args: h0, where it is not 0, and the result of `parameters`.
            num_frames: number of steps; as many as there are inputs by
                default.
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
    def step(
        from_input: tf.Tensor, state: tf.Tensor, weights: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Returns h' from the convolved x of one frame and from h.

        Args:
            from_input: [B, H, W, ...], one share per gate.
            state: h, [B, H, W, C].
            weights: the `parameters` without the first and the last.
        """
        raise NotImplementedError

    @staticmethod
    def first_step(
        from_input: tf.Tensor, weights: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Returns h' from h = 0, whose convolutions vanish.

        As it stands, for units whose last two shares of `from_input` are those
        of u and of c.
        """
        channels = weights[0].shape[2]
        _, update, candidate = tf.split(
            from_input, [-1, channels, channels], -1
        )
        # h' = u.0 + (1 - u).c
        return (1.0 - tf.sigmoid(update)) * tf.nn.relu(candidate)

    @staticmethod
    def convolutions(channels: int) -> StepConvolutions:
        """Returns the arithmetic of a step, for a state of `channels`."""
        raise NotImplementedError(
            "A recurrent unit needs a method `convolutions` for its FLOP to "
            "be counted; see `StepConvolutions`."
        )


def _unrolled(step, from_inputs, state, num_frames):
    """Returns all states, [B, T, H, W, C]; h0 may be None for 0."""
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
    """Does what `_unrolled` does, with one step in the graph."""
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
