"""TrIVD-GAN's recurrent units, which warp the state: TSRUc, TSRUp, TSRUs.

Source: Luc et al. 2020, "Transformation-based Adversarial Video Prediction on
Large-Scale Data", arXiv 2003.04035.
"""

from collections.abc import Iterator, Sequence

import gin
import keras
import tensorflow as tf

from dvdgan_tf.layers.convolutions import convolve
from dvdgan_tf.layers.flow_warp import warp
from dvdgan_tf.layers.recurrent import RecurrentUnit, StepConvolutions


def flow_width(channels: int) -> int:
    """Returns the width of the hidden layer of f: half of the state's."""
    return max(channels // 2, 1)


class TSRU(RecurrentUnit):
    """Base of the three units: their variables, and the warped state.

        theta = f(h, x) = W_f * relu(W_g * [h; x] + b_g) + b_f
        h^    = w(h; theta)

    w is `warp`: theta is a flow in pixels, (dy, dx) for each position. Form
    and width of f, and w, are open in the paper. W_f and W_g are initialised
    orthogonally and spectrally normalised as all weights are, so the flow is
    not 0 at first, but about half a pixel where x and h are of the order 1.

    The three have the same variables. Arguments, call arguments and result are
    those of `RecurrentUnit`.
    """

    def build(self, inputs_shape: tuple) -> None:
        channels = inputs_shape[-1]
        width = flow_width(channels)
        shape = (3, 3, 2 * channels, channels)
        self.hidden = self.add_spectral_weight(
            "flow_hidden_kernel", (3, 3, 2 * channels, width)
        )
        self.flow = self.add_spectral_weight("flow_kernel", (3, 3, width, 2))
        self.update = self.add_spectral_weight("update_kernel", shape)
        self.candidate = self.add_spectral_weight("candidate_kernel", shape)
        # [b_g; b_u; b_c; b_f]
        self.bias = self.add_bias(width + 2 * channels + 2)

    def halves(self, training: bool) -> Iterator[list[tf.Tensor]]:
        """Yields the two halves of W_g, of W_u and of W_c, over sigma.

        The first half meets what stands first in the equation's brackets.
        """
        weights = (self.hidden, self.update, self.candidate)
        return (tf.split(w.normalized(training), 2, 2) for w in weights)

    def warp_weights(self, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns W_f / sigma and b_f, as `warped` takes them."""
        return self.flow.normalized(training), self.bias[-2:]

    @staticmethod
    def kernel_shapes(channels: int) -> list[tuple[int, int]]:
        """Returns (C_in, C_out) of W_g, W_f, W_u and W_c."""
        width = flow_width(channels)
        gate = (2 * channels, channels)
        return [(2 * channels, width), (width, 2), gate, gate]


def warped(
    state: tf.Tensor,
    hidden: tf.Tensor,
    flow_kernel: tf.Tensor,
    flow_bias: tf.Tensor,
) -> tf.Tensor:
    """Returns h^ from h and W_g * [h; x] + b_g."""
    hidden = tf.nn.relu(hidden)
    return warp(state, convolve(hidden, flow_kernel) + flow_bias)


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class TSRUc(TSRU):
    """Candidate from the warped state.

        u  = sigmoid(W_u * [h; x] + b_u)
        c  = relu   (W_c * [h^; x] + b_c)
        h' = u.h^ + (1 - u).c

    For h^ see `TSRU`.
    """

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns what `apply` needs, in the compute dtype.

        Returns:
            The halves of W_g, W_u, W_c / sigma that meet x; those of W_g and
            W_u that meet h; that of W_c that meets h^; W_f; b_f; the other
            biases.
        """
        hidden, update, candidate = self.halves(training)
        return self.cast(
            tf.concat([hidden[1], update[1], candidate[1]], -1),
            tf.concat([hidden[0], update[0]], -1),
            candidate[0],
            *self.warp_weights(training),
            self.bias[:-2],
        )

    @staticmethod
    def step(
        from_input: tf.Tensor, state: tf.Tensor, weights: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        state_kernel, candidate_kernel, *flow = weights
        channels = state.shape[-1]
        # The shares of x: g and u together, then c.
        gates, candidate = tf.split(from_input, [-1, channels], -1)
        # g and u: both see h.
        gates += convolve(state, state_kernel)
        hidden, update = tf.split(gates, [-1, channels], -1)
        # From here on `state` is h^.
        state, update = warped(state, hidden, *flow), tf.sigmoid(update)
        candidate = tf.nn.relu(candidate + convolve(state, candidate_kernel))
        return update * state + (1.0 - update) * candidate

    @staticmethod
    def convolutions(channels: int) -> StepConvolutions:
        """Returns the arithmetic of a step; see `StepConvolutions`."""
        c, width = channels, flow_width(channels)
        return StepConvolutions(
            kernels=TSRU.kernel_shapes(c),
            drawn=[(2 * c, width + c), (width, 2), (2 * c, c)],
            inputs=(c, width + 2 * c),  # g, u, c
            # g and u of h; f; c of h^.
            states=[(c, width + c), (width, 2), (c, c)],
        )


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class TSRUp(TSRU):
    """Flow, gate and candidate in parallel, all from the state itself.

        u  = sigmoid(W_u * [h; x] + b_u)
        c  = relu   (W_c * [h; x] + b_c)
        h' = u.h^ + (1 - u).c

    For h^ see `TSRU`.
    """

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns what `apply` needs, in the compute dtype.

        Returns:
            The halves of W_g, W_u, W_c / sigma that meet x; those that meet
            h; W_f; b_f; the other biases.
        """
        state_kernels, input_kernels = zip(*self.halves(training), strict=True)
        return self.cast(
            tf.concat(input_kernels, -1),
            tf.concat(state_kernels, -1),
            *self.warp_weights(training),
            self.bias[:-2],
        )

    @staticmethod
    def step(
        from_input: tf.Tensor, state: tf.Tensor, weights: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        state_kernel, *flow = weights
        channels = state.shape[-1]
        # g, u and c: all three see h and x.
        sums = from_input + convolve(state, state_kernel)
        hidden, update, candidate = tf.split(sums, [-1, channels, channels], -1)
        state, update = warped(state, hidden, *flow), tf.sigmoid(update)
        return update * state + (1.0 - update) * tf.nn.relu(candidate)

    @staticmethod
    def convolutions(channels: int) -> StepConvolutions:
        """Returns the arithmetic of a step; see `StepConvolutions`."""
        c, width = channels, flow_width(channels)
        return StepConvolutions(
            kernels=TSRU.kernel_shapes(c),
            drawn=[(2 * c, width + 2 * c), (width, 2)],
            inputs=(c, width + 2 * c),  # g, u, c
            # g, u and c of h; f.
            states=[(c, width + 2 * c), (width, 2)],
        )


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class TSRUs(TSRU):
    """Flow, then candidate, then gate, each from the one before.

        c  = relu   (W_c * [h^; x] + b_c)
        u  = sigmoid(W_u * [h^; c] + b_u)
        h' = u.h^ + (1 - u).c

    For h^ see `TSRU`.
    """

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns what `apply` needs, in the compute dtype.

        Returns:
            The halves of W_g, W_c / sigma that meet x; that of W_g that meets
            h; those of W_u, W_c that meet h^; that of W_u that meets c; b_u;
            W_f; b_f; the biases of g and c.
        """
        hidden, update, candidate = self.halves(training)
        channels = self.update.weight.shape[-1]
        b_g, b_u, b_c = tf.split(self.bias[:-2], [-1, channels, channels])
        return self.cast(
            tf.concat([hidden[1], candidate[1]], -1),
            hidden[0],
            tf.concat([update[0], candidate[0]], -1),
            update[1],
            b_u,
            *self.warp_weights(training),
            tf.concat([b_g, b_c], 0),
        )

    @staticmethod
    def step(
        from_input: tf.Tensor, state: tf.Tensor, weights: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        hidden_kernel, warped_kernel, update_kernel, bias, *flow = weights
        channels = state.shape[-1]
        # The shares of x: g, then c; u does not see x.
        hidden, candidate = tf.split(from_input, [-1, channels], -1)
        hidden += convolve(state, hidden_kernel)
        # From here on `state` is h^, which u and c see.
        state = warped(state, hidden, *flow)
        update, from_warped = tf.split(convolve(state, warped_kernel), 2, -1)
        candidate = tf.nn.relu(candidate + from_warped)
        update += convolve(candidate, update_kernel) + bias
        update = tf.sigmoid(update)
        return update * state + (1.0 - update) * candidate

    @staticmethod
    def first_step(
        from_input: tf.Tensor, weights: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        # h^ is 0 as well; what is left of u is its share of c.
        _, _, update_kernel, bias, *_ = weights
        candidate = tf.nn.relu(from_input[..., -update_kernel.shape[-1] :])
        update = convolve(candidate, update_kernel) + bias
        return (1.0 - tf.sigmoid(update)) * candidate

    @staticmethod
    def convolutions(channels: int) -> StepConvolutions:
        """Returns the arithmetic of a step; see `StepConvolutions`."""
        c, width = channels, flow_width(channels)
        return StepConvolutions(
            kernels=TSRU.kernel_shapes(c),
            drawn=TSRU.kernel_shapes(c),
            inputs=(c, width + c),  # g, c
            # g of h; f; u and c of h^.
            states=[(c, width), (width, 2), (c, 2 * c)],
            always=[(c, c)],  # u of c
        )
