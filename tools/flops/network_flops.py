"""The products of G, D_S and D_T, for `flops`."""

import itertools
import math

from dvdgan_tf.frame_size import sides
from dvdgan_tf.layers.attention import SelfAttention
from tools.flops.products import Network


class GeneratorCount(Network):
    """Counts a `Generator`; arguments as `Network`.

    In frame prediction the frame encoder is a part of it.
    """

    def __init__(self, generator, batch_size, drawn=False, padding=True):
        iterations = generator.seed.spectral_norm.power_iterations
        super().__init__(batch_size, iterations, drawn, padding)
        self.frames = generator.generated_frames
        # A first state of zeros is not convolved.
        self.states = self.frames - (0 if generator.frame_encoder else 1)
        widths = generator.widths
        classes, embedding = generator.num_classes, generator.embedding_dim
        self.condition = generator.z_dim + embedding
        self.dense("seed", batch_size, (classes, embedding), reads_labels=True)
        units = math.prod(generator.seed_size) * widths[0]
        seed = (self.condition, units)
        self.dense("seed", batch_size, seed)
        self.norm("seed", *seed)
        if generator.frame_encoder:
            self._frame_encoder(generator.frame_encoder)
        seed_size, *_ = generator.group_sizes()
        for group, (size, next_size), (width, next_width) in zip(
            generator.groups,
            itertools.pairwise(generator.group_sizes()),
            itertools.pairwise(widths),
            strict=True,
        ):
            unit, block, block_up, *attention = group
            is_constant = size == seed_size
            self._recurrent(unit, unit.name, size, width, is_constant)
            self._block(block.name, size, (width, width), size)
            self._block(block_up.name, size, (width, next_width), next_size)
            for layer in attention:
                images = batch_size * self.frames
                self.attention(layer.name, images, next_size, next_width)
        size = sides(generator.resolution)
        self._batch_norm("head", widths[-1])
        self._conv("head", size, (widths[-1], 3))

    def _conv(self, layer, size, channels, kernel=3, norm=True, frames=None):
        images = self.batch_size * (frames or self.frames)
        self.conv(layer, images, size, channels, kernel)
        if norm:
            self.norm(layer, kernel**2 * channels[0], channels[1])

    def _frame_encoder(self, encoder):
        frames = encoder.conditioning_frames
        for block, size, width in encoder_blocks(encoder):
            layer = f"frame_encoder/{block.name}"
            self.d_block(layer, block, (frames, *size), width)
        for fusion, size, width in encoder_fusions(encoder):
            layer = f"frame_encoder/{fusion.name}"
            channels = (frames * width, fusion.filters)
            self._conv(layer, size, channels, frames=1)

    def _recurrent(self, unit, layer, size, width, is_constant):
        convolutions = unit.convolutions(width)
        for c_in, c_out in convolutions.kernels:
            self.norm(layer, 9 * c_in, c_out)

        def add(channels, frames):
            self._conv(layer, size, channels, norm=False, frames=frames)

        if self.drawn:
            for channels in convolutions.drawn:
                add(channels, self.frames)
            return
        add(convolutions.inputs, 1 if is_constant else self.frames)
        for channels in convolutions.states if self.states else ():
            add(channels, self.states)
        for channels in convolutions.always:
            add(channels, self.frames)

    def _block(self, layer, size, channels, large):
        """Adds a G-block on maps of one size that makes maps of another."""
        c_in, c_out = channels
        self._batch_norm(layer, c_in)
        self._conv(layer, large, (c_in, c_out))
        self._batch_norm(layer, c_out)
        self._conv(layer, large, (c_out, c_out))
        if large != size or c_in != c_out:
            skip_size = large if self.drawn else size
            self._conv(layer, skip_size, (c_in, c_out), kernel=1)

    def _batch_norm(self, layer, channels):
        for _ in ("gain", "bias"):
            self.dense(layer, self.batch_size, (self.condition, channels))
            self.norm(layer, self.condition, channels)


def encoder_blocks(encoder):
    """(D-block, size and channels of its input) of a `FrameEncoder`."""
    size, width = sides(encoder.resolution), 3
    for block in encoder.blocks:
        yield block, size, width
        size, width = block.pooled(size), block.channels


def encoder_fusions(encoder):
    """(convolution, size and channels of the map of each frame)."""
    width_at = {
        # The last of two blocks that end at the seed's size.
        block.pooled(size): block.channels
        for block, size, _ in encoder_blocks(encoder)
    }
    for fusion, size in zip(encoder.fusions, encoder.state_sizes, strict=True):
        yield fusion, size, width_at[size]


class DiscriminatorCount(Network):
    """Counts a `Discriminator`; arguments as `Network`.

    Args:
        discriminator: D_S or D_T.
        frames: number of frames of the input: k for D_S, T for D_T.
    """

    def __init__(
        self, discriminator, frames, batch_size, drawn=False, padding=True
    ):
        iterations = discriminator.linear.spectral_norm.power_iterations
        super().__init__(batch_size, iterations, drawn, padding)
        width = 3
        for block, size in discriminator.sized_blocks():
            if isinstance(block, SelfAttention):
                self.attention(block.name, batch_size * frames, size, width)
                continue
            self.d_block(block.name, block, (frames, *size), width)
            frames //= block.time_pool
            width = block.channels
        self.dense("head", batch_size * frames, (width, 1))
        self.norm("head", width, 1)
        embedding = (discriminator.num_classes, width)
        self.dense("head", batch_size, embedding, reads_labels=True)
        self.norm("head", *embedding)
