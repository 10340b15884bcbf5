"""Residual blocks of G and of both discriminators (v2's block figures)."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from dvdgan_tf.layers.batch_norm import (
    ClassConditionalBatchNorm,
    scale_and_shift,
)
from dvdgan_tf.layers.rematerialization import run_segment_of_frames
from dvdgan_tf.layers.resampling import (
    average_pool,
    pooled_side,
    upsample,
)
from dvdgan_tf.layers.shards import Batch
from dvdgan_tf.layers.spectral_layers import SpectralConv
from dvdgan_tf.layers.spectral_norm import SpectralNorm

# --- v2's G-block figure ----------------------------------------------------


class GBlock(keras.layers.Layer):
    """Residual block of the generator, per frame.

        main: CBN -> ReLU -> [x2 up] -> conv3x3 -> CBN -> ReLU -> conv3x3
        skip: [x2 up] -> conv1x1, or identity where nothing changes

    Args:
        channels: output channels.
        upsampling: None, "bilinear" or "nearest" (see `resampling`).
        norm_args: further arguments of `ClassConditionalBatchNorm`.
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        inputs: [B, T, H, W, C].
        condition: c = [z; e(y)], [B, D].
        training: whether batch norm takes the statistics of the batch, and
            power iterations run.
        run: function that runs the halves between batch norms, such as
            `run_segment_of_frames` (see `rematerialization`).

    Returns:
        [B, T, H, W, channels], H and W doubled if `upsampling`.
    """

    def __init__(
        self,
        channels: int,
        upsampling: str | None = None,
        norm_args: dict[str, Any] | None = None,
        spectral_norm: SpectralNorm | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.upsampling = upsampling
        shared = dict(spectral_norm=spectral_norm, dtype=self.dtype_policy)
        norm_args = {**(norm_args or {}), **shared}
        self.norm1 = ClassConditionalBatchNorm(name="norm1", **norm_args)
        self.conv1 = SpectralConv(channels, name="conv1", **shared)
        self.norm2 = ClassConditionalBatchNorm(name="norm2", **norm_args)
        self.conv2 = SpectralConv(channels, name="conv2", **shared)
        self.skip: SpectralConv | None = None
        self._shared = shared

    def build(self, inputs_shape: tuple, condition_shape: tuple) -> None:
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

    def compute_output_shape(
        self, inputs_shape: tuple, condition_shape: tuple | None = None
    ) -> tuple:
        *batch, height, width, _ = inputs_shape
        factor = 2 if self.upsampling else 1
        return (*batch, factor * height, factor * width, self.channels)

    def call(
        self,
        inputs: Batch,
        condition: tf.Tensor,
        training: bool = False,
        run: Callable[..., Batch] = run_segment_of_frames,
    ) -> Batch:
        affine = self.norm1.affine(inputs, condition, training)
        hidden = run(
            self._first_half,
            (inputs, *affine),
            self.conv1.parameters(training),
        )
        affine = self.norm2.affine(hidden, condition, training)
        skip = self.skip.parameters(training) if self.skip else ()
        return run(
            self._second_half,
            (inputs, hidden, *affine),
            (self.conv2.parameters(training), skip),
        )

    def _first_half(self, inputs, scale, shift, parameters):
        main = tf.nn.relu(scale_and_shift(inputs, scale, shift))
        return self.conv1.apply(self._up(main), parameters)

    def _second_half(self, inputs, hidden, scale, shift, parameters):
        conv2, skip = parameters
        main = tf.nn.relu(scale_and_shift(hidden, scale, shift))
        main = self.conv2.apply(main, conv2)
        if self.skip is None:
            return main + inputs
        # A 1x1 convolution commutes with up-sampling (whose weights sum to
        # one), so it runs on the small map.
        return main + self._up(self.skip.apply(inputs, skip))

    def _up(self, x):
        return upsample(x, self.upsampling) if self.upsampling else x


# --- v2's D-block figure ----------------------------------------------------


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
        round_up: whether the pool in space counts a last odd row or column
            (see `average_pool`), or drops it.

    Call arguments:
        inputs: [B, T, H, W, C], static H and W.
        training: whether to run the power iteration.

    Returns:
        [B, T // time_pool, H / spatial_pool, W / spatial_pool, channels],
        rounded down, or H and W up with `round_up`.
    """

    def __init__(
        self,
        channels: int,
        rank: int = 2,
        spatial_pool: int = 2,
        time_pool: int = 1,
        first: bool = False,
        spectral_norm: SpectralNorm | None = None,
        round_up: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if rank == 2 and time_pool > 1:
            raise ValueError(
                "DBlock pools in time where its convolutions are 3-D only. "
                f"Received: rank={rank}, time_pool={time_pool}"
            )
        self.channels = channels
        self.rank = rank
        self.spatial_pool = spatial_pool
        self.time_pool = time_pool
        self.first = first
        self.round_up = round_up
        shared = dict(
            rank=rank, spectral_norm=spectral_norm, dtype=self.dtype_policy
        )
        self.conv1 = SpectralConv(channels, name="conv1", **shared)
        pool = (time_pool, spatial_pool, spatial_pool)[3 - rank :]
        self.conv2 = SpectralConv(
            channels, name="conv2", pool=pool, round_up=round_up, **shared
        )
        self.skip: SpectralConv | None = None
        self._shared = shared

    def build(self, inputs_shape: tuple) -> None:
        pools = self.spatial_pool > 1 or self.time_pool > 1
        if pools or inputs_shape[-1] != self.channels:
            self.skip = SpectralConv(
                self.channels, kernel_size=1, name="skip", **self._shared
            )
            self.skip.build(inputs_shape)
        self.conv1.build(inputs_shape)
        self.conv2.build((*inputs_shape[:-1], self.channels))

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        batch, frames, height, width, _ = inputs_shape
        frames = frames and frames // self.time_pool
        return batch, frames, *self.pooled((height, width)), self.channels

    def pooled(self, size: tuple[int, int]) -> tuple[int, int]:
        """Returns the height and width that the block makes of such."""
        height, width = (
            pooled_side(side, self.spatial_pool, self.round_up) for side in size
        )
        return height, width

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.apply(inputs, self.parameters(training))

    def parameters(self, training: bool) -> tuple:
        """Returns what `apply` needs, in the compute dtype."""
        return (
            self.conv1.parameters(training),
            self.conv2.parameters(training),
            self.skip.parameters(training) if self.skip else (),
        )

    def apply(self, inputs: tf.Tensor, parameters: tuple) -> tf.Tensor:
        """The block as a function of its arguments only; see `call`."""
        conv1, conv2, skip = parameters
        main = inputs if self.first else tf.nn.relu(inputs)
        main = tf.nn.relu(self.conv1.apply(main, conv1))
        main = self.conv2.apply(main, conv2)
        if self.skip is None:
            return main + inputs
        # A 1x1 convolution commutes with pooling, so it runs on the small
        # map; in the first block this is BigGAN's own order.
        pooled = average_pool(
            inputs, self.spatial_pool, self.time_pool, self.round_up
        )
        return main + self.skip.apply(pooled, skip)
