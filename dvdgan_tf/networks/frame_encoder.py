"""The frame encoder of DVD-GAN-FP: initial states from given frames.

Source: v2's section on frame prediction.
"""

import functools
from collections.abc import Sequence
from typing import Any

import gin
import keras
import tensorflow as tf

from dvdgan_tf.frame_size import Resolution, compact, sides, text
from dvdgan_tf.layers import configs
from dvdgan_tf.layers.rematerialization import run_segment
from dvdgan_tf.layers.shards import Batch, for_shards
from dvdgan_tf.layers.spectral_layers import SpectralConv
from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.networks.blocks import DBlock
from dvdgan_tf.networks.sizes import scaled, seed_and_doublings
from dvdgan_tf.networks.widths import (
    DISCRIMINATOR_MULTIPLIERS,
    check_at_least_one,
    widths,
)


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class FrameEncoder(keras.layers.Layer):
    """Maps C conditioning frames to h0 of every recurrent unit (v2, FP).

    Each frame passes a stack of D-blocks, as in D_S. After a block, the C
    maps are concatenated along the channels:

        h0 = ReLU(conv3x3([map_1; ...; map_C]))

    It goes to the unit of the same height and width: what is deep and small
    to the first, what is shallow and large to the last. Two blocks end at the
    seed's size, such as 4x4; the last one's maps are used (open in the paper).

    Args:
        resolution: height and width of the frames: one number, or both.
        conditioning_frames: C.
        state_widths: channels of the units' states, from the seed's up.
        ch: width unit of the D-blocks.
        channel_multipliers: replaces the entry in
            `DISCRIMINATOR_MULTIPLIERS`.
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        frames: [B, C, height, width, 3] in [-1, 1], or its shards (see
            `shards`).
        training: whether to run the power iterations.
        recompute: whether gradients evaluate the blocks again (see
            `rematerialization.run_segment`).
        parts: number of parts of the batch that are evaluated one after the
            other (see `rematerialization.run_segment`).

    Returns:
        h0 of each unit, a list of [B, H, W, state width], from the seed's
        size up; each in as many shards as `frames`.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        resolution: Resolution,
        conditioning_frames: int,
        state_widths: Sequence[int],
        ch: int = 96,
        channel_multipliers: Sequence[int] | None = None,
        spectral_norm: SpectralNorm | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_at_least_one(conditioning_frames=conditioning_frames)
        self.resolution = resolution
        self.conditioning_frames = conditioning_frames
        self.state_widths = list(state_widths)
        self.ch = ch
        self.channel_multipliers = channel_multipliers
        self.spectral_norm = spectral_norm
        shared = dict(spectral_norm=spectral_norm, dtype=self.dtype_policy)
        seed, doublings = seed_and_doublings(resolution)
        self.widths = widths(
            DISCRIMINATOR_MULTIPLIERS, doublings, ch, channel_multipliers
        )
        # One for each group of G: the last group makes the frames.
        self.state_sizes = [scaled(seed, i) for i in range(doublings)]
        last = len(self.widths) - 1
        self.blocks = [
            DBlock(
                width,
                spatial_pool=2 if i < last else 1,
                first=i == 0,
                name=f"{text(scaled(seed, doublings - i))}_block{i}",
                **shared,
            )
            for i, width in enumerate(self.widths)
        ]
        self.fusions = [
            SpectralConv(width, name=f"{text(size)}_state", **shared)
            for width, size in zip(state_widths, self.state_sizes, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "resolution": compact(self.resolution),
            "conditioning_frames": self.conditioning_frames,
            "state_widths": list(self.state_widths),
            "ch": self.ch,
            "channel_multipliers": configs.numbers(self.channel_multipliers),
            "spectral_norm": configs.of_norm(self.spectral_norm),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FrameEncoder":
        norm = configs.norm(config["spectral_norm"])
        return super().from_config({**config, "spectral_norm": norm})

    def build(self, frames_shape: tuple | None = None) -> None:
        """Creates all variables; the shapes are known from the arguments."""
        frames = self.conditioning_frames
        shape = (None, frames, *sides(self.resolution), 3)
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        widths_of_maps = [block.channels for block in self.blocks]
        for fusion, size, width in zip(
            self.fusions, self.state_sizes, _used(widths_of_maps), strict=True
        ):
            fusion.build((None, *size, frames * width))
        self.built = True

    def compute_output_shape(self, frames_shape: tuple) -> list[tuple]:
        return [
            (frames_shape[0], *size, width)
            for size, width in zip(
                self.state_sizes, self.state_widths, strict=True
            )
        ]

    def call(
        self,
        frames: Batch,
        training: bool = False,
        recompute: bool = False,
        parts: int = 1,
    ) -> list[Batch]:
        memory: dict[str, Any] = dict(recompute=recompute, parts=parts)
        x = for_shards(lambda x: tf.cast(x, self.compute_dtype), frames)
        maps = []
        for block in self.blocks:
            x = run_segment(
                block.apply, (x,), block.parameters(training), **memory
            )
            maps.append(x)
        return [
            for_shards(
                functools.partial(
                    self._fuse,
                    fusion=fusion,
                    parameters=fusion.parameters(training),
                ),
                x,
            )
            for x, fusion in zip(_used(maps), self.fusions, strict=True)
        ]

    def _fuse(self, x, fusion, parameters):
        """[B, C, H, W, c] -> a state, [B, H, W, state width]."""
        _, frames, height, width, channels = x.shape
        # [map_1; ...; map_C]: the channels of one frame after the other.
        x = tf.transpose(x, [0, 2, 3, 1, 4])
        x = tf.reshape(x, [-1, height, width, frames * channels])
        return tf.nn.relu(fusion.apply(x, parameters))


def _used(of_blocks):
    """Returns the blocks' outputs that states are made of, small to large."""
    *larger, _, last = of_blocks
    return [last, *reversed(larger)]
