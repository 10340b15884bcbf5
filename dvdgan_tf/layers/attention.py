"""Self-attention (the non-local block of SAGAN and BigGAN).

Not drawn in v2 of the paper: off by default, switched on by feature
resolution in G, D_S and D_T.
"""

from typing import Any

import keras
import tensorflow as tf

from dvdgan_tf.layers.spectral_layers import SpectralConv
from dvdgan_tf.layers.spectral_norm import SpectralNorm


class SelfAttention(keras.layers.Layer):
    """Every position of a frame attends to the whole frame.

        theta = W_theta * x          C / 8 channels, all positions (queries)
        phi   = maxpool(W_phi * x)   C / 8 channels, a quarter of them (keys)
        g     = maxpool(W_g * x)     C / 2 channels, likewise (values)
        y     = x + gamma . W_o * (softmax(theta phi^T) g)

    1x1 convolutions without bias, spectrally normalised; gamma is 0 at the
    start.

    Args:
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        inputs: [B, T, H, W, C], static H and W, C a multiple of 8. The pools'
            windows are 2x2, and smaller in a last odd row or column.
        training: whether to run the power iteration.

    Returns:
        A tensor of the shape and type of `inputs`.

    Raises:
        ValueError: C is not a multiple of 8.
    """

    def __init__(
        self, spectral_norm: SpectralNorm | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.spectral_norm = spectral_norm

    def build(self, inputs_shape: tuple) -> None:
        channels = inputs_shape[-1]
        if channels % 8:
            raise ValueError(
                "SelfAttention needs a multiple of 8 channels. Received: "
                f"channels={channels}; change CH or attend elsewhere."
            )
        self.theta = self._conv("theta", channels // 8)
        self.phi = self._conv("phi", channels // 8)
        self.g = self._conv("g", channels // 2)
        self.o = self._conv("o", channels)
        for conv in (self.theta, self.phi, self.g):
            conv.build(inputs_shape)
        self.o.build((*inputs_shape[:-1], channels // 2))
        self.gamma = self.add_weight(
            name="gamma", shape=(), initializer="zeros", autocast=False
        )

    def _conv(self, name, filters):
        return SpectralConv(
            filters,
            kernel_size=1,
            use_bias=False,
            spectral_norm=self.spectral_norm,
            name=name,
            dtype=self.dtype_policy,
        )

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return inputs_shape

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.apply(inputs, self.parameters(training))

    def parameters(self, training: bool) -> tuple:
        """Returns what `apply` needs, in the compute dtype."""
        gamma = tf.cast(tf.convert_to_tensor(self.gamma), self.compute_dtype)
        convs = (self.theta, self.phi, self.g, self.o)
        return gamma, *(conv.parameters(training) for conv in convs)

    def apply(self, inputs: tf.Tensor, parameters: tuple) -> tf.Tensor:
        """The layer as a function of its arguments only; see `call`."""
        gamma, theta, phi, g, o = parameters
        # y = x + gamma . W_o * (softmax(theta phi^T) g)
        queries = _positions(self.theta.apply(inputs, theta))
        keys = _positions(_max_pool(self.phi.apply(inputs, phi)))
        values = _positions(_max_pool(self.g.apply(inputs, g)))
        weights = tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True))
        attended = tf.matmul(weights, values)
        shape = tf.concat([tf.shape(inputs)[:-1], [values.shape[-1]]], 0)
        attended = tf.ensure_shape(
            tf.reshape(attended, shape),
            [*inputs.shape[:-1], values.shape[-1]],
        )
        return inputs + gamma * self.o.apply(attended, o)


def _max_pool(x):
    """[B, T, H, W, C] -> [B, T, H / 2, W / 2, C], rounded up."""
    # Not `tf.nn.max_pool3d`: XLA finds the maximum again for the second
    # derivative, by the first 16 bits of each value, and takes another one
    # where they are equal; of bfloat16 it has no second derivative.
    *_, height, width, channels = x.shape
    if height % 2:
        # A row's maximum with itself is the row.
        x, height = tf.concat([x, x[:, :, -1:]], 2), height + 1
    if width % 2:
        x, width = tf.concat([x, x[:, :, :, -1:]], 3), width + 1
    batch = tf.shape(x)[:2]
    for size in (width * channels, channels):
        x = tf.maximum(*tf.unstack(tf.reshape(x, [-1, 2, size]), axis=1))
    shape = [height // 2, width // 2, channels]
    return tf.reshape(x, tf.concat([batch, shape], 0))


def _positions(x):
    """[B, T, H, W, C] -> [B, T, H * W, C]."""
    shape = tf.concat([tf.shape(x)[:2], [-1, x.shape[-1]]], 0)
    return tf.reshape(x, shape)
