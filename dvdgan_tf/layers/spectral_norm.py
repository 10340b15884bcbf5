"""Spectral normalisation of a weight, W / sigma(W).

Source: v1 states that all weight layers of G and D are normalised; the form is
that of Miyato et al. 2018, equation 8 and algorithm 1, as BigGAN applies it:

    v     = W u / |W u|
    u'    = W^T v / |W^T v|            (one power iteration)
    sigma = v^T W u' = |W^T v|
    W_bar = W / sigma

W is viewed as [everything else, C_out], and no gradient passes through u and
v, so that the loss is invariant to the scale of W and <dL/dW, W> = 0. This is
not `keras.layers.SpectralNormalization`, which overwrites W by its projection.
"""

from typing import Any

import gin
import keras
import tensorflow as tf


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class SpectralNorm:
    """The equations above, shared by all layers of a network.

    Args:
        power_iterations: number of updates of u in each forward pass of
            training, at least 1.
        epsilon: lower bound of the norms that vectors are divided by.

    Raises:
        ValueError: `power_iterations` is less than 1.
    """

    def __init__(
        self, power_iterations: int = 1, epsilon: float = 1e-4
    ) -> None:
        if power_iterations < 1:
            raise ValueError(
                "SpectralNorm.power_iterations must be at least 1. Received: "
                f"power_iterations={power_iterations}"
            )
        self.power_iterations = power_iterations
        self.epsilon = epsilon

    def __call__(
        self, weight: tf.Tensor, u: tf.Tensor, iterate: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalises one weight.

        Args:
            weight: float32 [..., C_out].
            u: float32 [C_out], the persistent right singular vector, of
                length 1.
            iterate: whether to run the power iterations (in training) or to
                use `u` as it is.

        Returns:
            `(weight / sigma, u', sigma)`; u' is `u` unless `iterate`.
        """
        matrix = tf.stop_gradient(tf.reshape(weight, [-1, weight.shape[-1]]))
        u = tf.reshape(u, [1, -1])
        sigma = None
        for _ in range(self.power_iterations if iterate else 0):
            # v = W u / |W u|, then u' = W^T v / |W^T v| and sigma = |W^T v|.
            v, _ = self._unit(tf.matmul(u, matrix, transpose_b=True))
            u, sigma = self._unit(tf.matmul(v, matrix))
        if sigma is None:
            # Without an iteration sigma = |W u|, which is v^T W u as well.
            v, sigma = self._unit(tf.matmul(u, matrix, transpose_b=True))
        normalized = _divide(weight, sigma, u, v)
        return normalized, tf.reshape(u, [-1]), sigma

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, for Keras."""
        return {
            "power_iterations": self.power_iterations,
            "epsilon": self.epsilon,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpectralNorm":
        """Returns the norm that `get_config` describes."""
        return cls(**config)

    def _unit(self, vector):
        """Returns the vector divided by its norm, and the norm."""
        norm = tf.sqrt(tf.reduce_sum(tf.square(vector)))
        norm = tf.maximum(norm, self.epsilon)
        return vector / norm, norm


@tf.custom_gradient
def _divide(weight, sigma, u, v):
    """W / sigma, with the gradient through sigma = v^T W u, in closed form.

        dL/dW = (G - <G, W_bar> v u^T) / sigma,    G = dL/dW_bar

    Args:
        weight: [..., C_out].
        sigma: scalar.
        u: [1, C_out], unit vector, constant.
        v: [1, everything else], unit vector, constant.
    """
    normalized = weight / sigma

    def gradient(upstream):
        inner = tf.reduce_sum(upstream * normalized)
        outer = tf.matmul(inner * v, u, transpose_a=True)
        outer = tf.reshape(outer, weight.shape)
        return (upstream - outer) / sigma, None, None, None

    return normalized, gradient


class SpectralWeight:
    """A weight W and its vector u, as created by `SpectralLayer`.

    Both are float32, whatever the policy of the layer is.
    """

    def __init__(
        self,
        weight: keras.Variable,
        u: keras.Variable,
        spectral_norm: SpectralNorm,
    ) -> None:
        self.weight = weight
        self.u = u
        self.spectral_norm = spectral_norm
        self._folded = False

    def fold(self, power_iterations: int) -> None:
        """Replaces W by W / sigma(W), once and for all.

        From then on `normalized` returns W itself. Functions that were traced
        before do not notice, so fold first and trace afterwards.

        Args:
            power_iterations: number of iterations that run before, at least 0.
                An averaged weight has the u of the live weight; a few
                iterations bring sigma to that of the average.
        """
        for _ in range(power_iterations):
            self.normalized(training=True)
        self.weight.assign(self.normalized(training=False))
        self._folded = True

    def normalized(self, training: bool) -> tf.Tensor:
        """Returns W / sigma(W), float32; updates u if `training`."""
        if self._folded:
            return tf.convert_to_tensor(self.weight)
        normalized, u, _ = self.spectral_norm(
            tf.convert_to_tensor(self.weight),
            tf.convert_to_tensor(self.u),
            iterate=training,
        )
        if training:
            self.u.assign(u)
        return normalized

    def sigma(self) -> tf.Tensor:
        """Returns the present estimate of the largest singular value."""
        return self.spectral_norm(
            tf.convert_to_tensor(self.weight),
            tf.convert_to_tensor(self.u),
            iterate=False,
        )[2]


def spectral_weights(network: keras.Model) -> list[SpectralWeight]:
    """Lists all weights of a Keras model that are normalised.

    Args:
        network: a built Keras model.

    Returns:
        List of `SpectralWeight`.
    """
    return [
        weight
        for layer in network._flatten_layers()
        for weight in getattr(layer, "spectral_weights", ())
    ]
