"""Residual blocks of G and of both discriminators (v2's block figures)."""

import keras
import tensorflow as tf

from dvdgan_tf.layers.batch_norm import ClassConditionalBatchNorm
from dvdgan_tf.layers.resampling import average_pool, upsample
from dvdgan_tf.layers.spectral import SpectralConv


class GBlock(keras.layers.Layer):
    """Residual block of the generator, per frame.

        main: CBN -> ReLU -> [x2 up] -> conv3x3 -> CBN -> ReLU -> conv3x3
        skip: [x2 up] -> conv1x1, or identity where nothing changes

    Args:
        channels: output channels.
        upsampling: None, "bilinear" or "nearest" (see `resampling`).
        norm_args: arguments for `ClassConditionalBatchNorm`.
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        inputs: [B, T, H, W, C].
        condition: c = [z; e(y)], [B, D].
        training: as in `ClassConditionalBatchNorm`.

    Returns:
        [B, T, H, W, channels], H and W doubled if `upsampling`.
    """

    def __init__(
        self,
        channels,
        upsampling=None,
        norm_args=None,
        spectral_norm=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.upsampling = upsampling
        shared = dict(spectral_norm=spectral_norm, dtype=self.dtype_policy)
        norm_args = {**(norm_args or {}), **shared}
        self.norm1 = ClassConditionalBatchNorm(name="norm1", **norm_args)
        self.conv1 = SpectralConv(channels, name="conv1", **shared)
        self.norm2 = ClassConditionalBatchNorm(name="norm2", **norm_args)
        self.conv2 = SpectralConv(channels, name="conv2", **shared)
        self.skip = None
        self._shared = shared

    def build(self, inputs_shape, condition_shape):
        if self.upsampling or inputs_shape[-1] != self.channels:
            self.skip = SpectralConv(
                self.channels, kernel_size=1, name="skip", **self._shared
            )
            self.skip.build(inputs_shape)
        hidden_shape = (*inputs_shape[:-1], self.channels)
        self.norm1.build(inputs_shape, condition_shape)
        self.conv1.build(inputs_shape)
        self.norm2.build(hidden_shape, condition_shape)
        self.conv2.build(hidden_shape)

    def call(self, inputs, condition, training=False):
        main = tf.nn.relu(self.norm1(inputs, condition, training=training))
        main = self.conv1(self._up(main), training=training)
        main = tf.nn.relu(self.norm2(main, condition, training=training))
        main = self.conv2(main, training=training)
        if self.skip is None:
            return main + inputs
        # A 1x1 convolution commutes with up-sampling (whose weights sum to
        # one), so it runs on the small map.
        return main + self._up(self.skip(inputs, training=training))

    def _up(self, x):
        return upsample(x, self.upsampling) if self.upsampling else x


class DBlock(keras.layers.Layer):
    """Residual block of a discriminator.

        main: ReLU -> conv -> ReLU -> conv -> [average pool]
        skip: conv1x1 -> [average pool], or identity where nothing changes

    In the first block of a network the leading ReLU is left out [BigGAN].

    Args:
        channels: output channels.
        rank: 2 (3x3 convolutions per frame) or 3 (3x3x3 over the clip).
        spatial_pool: window of the average pool in space; 1 for none.
        time_pool: window of the average pool in time; 1 for none.
        first: whether this is the network's first block.
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        inputs: [B, T, H, W, C].
        training: whether to run the power iteration.

    Returns:
        [B, T // time_pool, H // spatial_pool, W // spatial_pool, channels]
    """

    def __init__(
        self,
        channels,
        rank=2,
        spatial_pool=2,
        time_pool=1,
        first=False,
        spectral_norm=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.rank = rank
        self.spatial_pool = spatial_pool
        self.time_pool = time_pool
        self.first = first
        shared = dict(
            rank=rank, spectral_norm=spectral_norm, dtype=self.dtype_policy
        )
        self.conv1 = SpectralConv(channels, name="conv1", **shared)
        self.conv2 = SpectralConv(channels, name="conv2", **shared)
        self.skip = None
        self._shared = shared

    def build(self, inputs_shape):
        pools = self.spatial_pool > 1 or self.time_pool > 1
        if pools or inputs_shape[-1] != self.channels:
            self.skip = SpectralConv(
                self.channels, kernel_size=1, name="skip", **self._shared
            )
            self.skip.build(inputs_shape)
        self.conv1.build(inputs_shape)
        self.conv2.build((*inputs_shape[:-1], self.channels))

    def call(self, inputs, training=False):
        main = inputs if self.first else tf.nn.relu(inputs)
        main = tf.nn.relu(self.conv1(main, training=training))
        main = self._pool(self.conv2(main, training=training))
        if self.skip is None:
            return main + inputs
        # A 1x1 convolution commutes with pooling, so it runs on the small
        # map; in the first block this is BigGAN's own order.
        return main + self.skip(self._pool(inputs), training=training)

    def _pool(self, x):
        return average_pool(x, self.spatial_pool, self.time_pool)
