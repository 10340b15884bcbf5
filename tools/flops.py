"""The arithmetic of one train step, counted from the architecture.

Two FLOP per multiply-add of convolutions, dense layers and other matrix
products (attention; the power iterations of the spectral norm). Element-wise
work is left out: activations, batch norm, resampling, optimizers, EMA. So is
the orthogonal regularisation, and everything computed twice: recomputed
activations, and whatever a program does more often than needed.

Two counts of the same model:

- done once, as little as the equations allow: 1x1 skips run on the small map;
  a 3x3 convolution followed by average pooling by 2 is one 4x4 convolution
  with stride 2 (in time likewise); the first recurrent unit's input, the same
  for all t, is convolved once; a first state of zeros is not convolved.
- as drawn: everything as the paper's figures have it, which is what other
  implementations do.

Backward, the gradient for a layer's inputs costs as much as its forward pass,
and so does that for its weights. An update of D runs G forward only, and needs
no gradient for the videos; that of G needs none for D's weights.
"""

import dataclasses
import itertools
import math

import unit_convolutions

from dvdgan_tf.layers.attention import SelfAttention


@dataclasses.dataclass(frozen=True)
class Product:
    """A matrix product or convolution, in FLOP of one pass.

    Attributes:
        layer: such as "32x32_block", or "head".
        forward: of the forward pass.
        inputs: of the gradient for the layer's inputs.
        weights: of the gradient for its weights.
        reads_video: its input gradient is needed only by an update of G.
        spectral_norm: part of a power iteration or of sigma.
        shape: of a convolution: images, sizes, C_in, C_out, kernel, strides.
    """

    layer: str
    forward: int
    inputs: int
    weights: int
    reads_video: bool = False
    spectral_norm: bool = False
    shape: tuple | None = None


class Network:
    """Collects the products of one network; base of the three below.

    Args:
        batch_size: videos per pass.
        power_iterations: of the spectral norm, in each pass.
        drawn: count as drawn instead of done once.
        padding: whether taps that meet zero padding count, as is usual; XLA
            leaves them out.
    """

    def __init__(self, batch_size, power_iterations, drawn, padding):
        self.batch_size = batch_size
        self.power_iterations = power_iterations
        self.drawn = drawn
        self.padding = padding
        self.products = []

    def conv(
        self,
        layer,
        images,
        sizes,
        channels,
        kernel=3,
        pools=None,
        reads_video=False,
    ):
        """Adds a convolution, fused with the average pool after it.

        Args:
            layer: its name.
            images: number of independent images or clips.
            sizes: of the input: (H, W) or (T, H, W).
            channels: (C_in, C_out).
            kernel: edge in every axis.
            pools: window of the pool in every axis; None for none.
            reads_video: see `Product`.
        """
        pools = pools or (1,) * len(sizes)
        kernels = tuple(kernel + pool - 1 for pool in pools)
        taps = math.prod(map(self._taps, sizes, kernels, pools))
        flop = 2 * images * taps * math.prod(channels)
        shape = (images, tuple(sizes), *channels, kernels, pools)
        self.products.append(
            Product(layer, flop, flop, flop, reads_video, shape=shape)
        )

    def _taps(self, size, kernel, stride):
        """Multiplications along one axis; the kernel starts at -1 if > 1."""
        starts = range(0, size // stride * stride, stride)
        if self.padding:
            return len(starts) * kernel
        offset = 1 if kernel > 1 else 0
        return sum(
            0 <= start - offset + j < size
            for start in starts
            for j in range(kernel)
        )

    def dense(self, layer, rows, channels, reads_labels=False):
        """Adds [rows, C_in] x [C_in, C_out]; labels need no gradient."""
        flop = 2 * rows * math.prod(channels)
        inputs = 0 if reads_labels else flop
        self.products.append(Product(layer, flop, inputs, flop))

    def norm(self, layer, rows, columns):
        """Adds the spectral norm of a weight viewed as [rows, columns].

        Per iteration W u and W^T v, whose norm is sigma; backward the outer
        product of u and v.
        """
        flop = 2 * rows * columns
        forward = 2 * self.power_iterations * flop
        self.products.append(
            Product(layer, forward, 0, flop, spectral_norm=True)
        )

    def attention(self, layer, images, size, channels):
        """Adds the products of `SelfAttention` on maps [size, size]."""
        narrow, wide = channels // 8, channels // 2
        for c_in, c_out in (
            (channels, narrow),
            (channels, narrow),
            (channels, wide),
            (wide, channels),
        ):
            self.conv(layer, images, (size, size), (c_in, c_out), kernel=1)
            self.norm(layer, c_in, c_out)
        for width in (narrow, wide):
            # Both operands are data: two gradients for inputs.
            flop = 2 * images * size**2 * (size // 2) ** 2 * width
            self.products.append(Product(layer, flop, 2 * flop, 0))

    def by_layer(self):
        """FLOP of a forward pass by layer, spectral norm apart."""
        counts = {}
        for product in self.products:
            norm = product.spectral_norm
            layer = "spectral_norm" if norm else product.layer
            counts[layer] = counts.get(layer, 0) + product.forward
        return counts

    def forward(self):
        """FLOP of a forward pass."""
        return sum(p.forward for p in self.products)

    def backward(self, inputs=True, weights=True, videos=True):
        """FLOP of a backward pass.

        Args:
            inputs: whether layers hand gradients on to their inputs.
            weights: whether gradients for weights are computed.
            videos: whether gradients for the videos are.
        """
        return sum(
            inputs * (videos or not p.reads_video) * p.inputs
            + weights * p.weights
            for p in self.products
        )


class GeneratorCount(Network):
    """Counts a `Generator`; arguments as `Network`."""

    def __init__(self, generator, batch_size, drawn=False, padding=True):
        iterations = generator.seed.spectral_norm.power_iterations
        super().__init__(batch_size, iterations, drawn, padding)
        if generator.conditioning_frames:
            raise ValueError(
                "The frame encoder is not counted; set CONDITIONING_FRAMES "
                f"to 0. Received: {generator.conditioning_frames}"
            )
        self.frames = generator.num_frames
        widths = generator.widths
        classes, embedding = generator.num_classes, generator.embedding_dim
        self.condition = generator.z_dim + embedding
        self.dense("seed", batch_size, (classes, embedding), reads_labels=True)
        seed = (self.condition, 16 * widths[0])
        self.dense("seed", batch_size, seed)
        self.norm("seed", *seed)
        size = 4
        for group, (width, next_width) in zip(
            generator.groups, itertools.pairwise(widths), strict=True
        ):
            self._recurrent(group[0], f"{size}x{size}_recurrent", size, width)
            self._block(f"{size}x{size}_block", size, width, width, False)
            up = f"{size}x{size}_block_up"
            self._block(up, size, width, next_width, True)
            size *= 2
            if len(group) > 3:
                name = f"{size}x{size}_attention"
                images = batch_size * self.frames
                self.attention(name, images, size, next_width)
        self._batch_norm("head", widths[-1])
        self._conv("head", size, (widths[-1], 3))

    def _conv(self, layer, size, channels, kernel=3, norm=True, frames=None):
        images = self.batch_size * (frames or self.frames)
        self.conv(layer, images, (size, size), channels, kernel)
        if norm:
            self.norm(layer, kernel**2 * channels[0], channels[1])

    def _recurrent(self, unit, layer, size, width):
        convolutions = unit_convolutions.of_unit(unit, width)
        for c_in, c_out in convolutions.kernels:
            self.norm(layer, 9 * c_in, c_out)

        def add(channels, frames):
            self._conv(layer, size, channels, norm=False, frames=frames)

        if self.drawn:
            for channels in convolutions.drawn:
                add(channels, self.frames)
            return
        add(convolutions.inputs, 1 if size == 4 else self.frames)
        for channels in convolutions.states if self.frames > 1 else ():
            add(channels, self.frames - 1)
        for channels in convolutions.always:
            add(channels, self.frames)

    def _block(self, layer, size, c_in, c_out, up):
        large = 2 * size if up else size
        self._batch_norm(layer, c_in)
        self._conv(layer, large, (c_in, c_out))
        self._batch_norm(layer, c_out)
        self._conv(layer, large, (c_out, c_out))
        if up or c_in != c_out:
            skip_size = large if self.drawn else size
            self._conv(layer, skip_size, (c_in, c_out), kernel=1)

    def _batch_norm(self, layer, channels):
        for _ in ("gain", "bias"):
            self.dense(layer, self.batch_size, (self.condition, channels))
            self.norm(layer, self.condition, channels)


class DiscriminatorCount(Network):
    """Counts a `Discriminator`; arguments as `Network`.

    Args:
        discriminator: D_S or D_T.
        frames: of its input: k for D_S, T for D_T.
    """

    def __init__(
        self, discriminator, frames, batch_size, drawn=False, padding=True
    ):
        iterations = discriminator.linear.spectral_norm.power_iterations
        super().__init__(batch_size, iterations, drawn, padding)
        size, width = discriminator.input_resolution, 3
        number = 0
        for block in discriminator.blocks:
            if isinstance(block, SelfAttention):
                name = f"{size}x{size}_attention"
                self.attention(name, batch_size * frames, size, width)
                continue
            name = f"{size}x{size}_block{number}"
            self._block(name, block, (frames, size, size), width)
            frames //= block.time_pool
            size //= block.spatial_pool
            width = block.channels
            number += 1
        self.dense("head", batch_size * frames, (width, 1))
        self.norm("head", width, 1)
        embedding = (discriminator.num_classes, width)
        self.dense("head", batch_size, embedding, reads_labels=True)
        self.norm("head", *embedding)

    def _block(self, layer, block, sizes, c_in):
        """Adds a `DBlock` on [*sizes, c_in], sizes being (T, H, W)."""
        c_out = block.channels
        pools = (block.time_pool, block.spatial_pool, block.spatial_pool)
        small = [n // p for n, p in zip(sizes, pools, strict=True)]
        video = block.first
        self._conv(layer, block.rank, sizes, (c_in, c_out), reads_video=video)
        fused = None if self.drawn else pools
        self._conv(layer, block.rank, sizes, (c_out, c_out), pools=fused)
        for channels in (c_in, c_out):
            self.norm(layer, 3**block.rank * channels, c_out)
        if max(pools) > 1 or c_in != c_out:
            skip = dict(kernel=1, reads_video=video)
            skip_sizes = sizes if self.drawn and not video else small
            self._conv(layer, block.rank, skip_sizes, (c_in, c_out), **skip)
            self.norm(layer, c_in, c_out)

    def _conv(self, layer, rank, sizes, channels, pools=None, **kwargs):
        clips = self.batch_size
        if rank == 2:
            clips, sizes = clips * sizes[0], sizes[1:]
            pools = pools and pools[1:]
        self.conv(layer, clips, sizes, channels, pools=pools, **kwargs)


class StepCount:
    """FLOP of a train step: `d_steps` updates of D and one of G.

    Args:
        generator: a `Generator`.
        d_spatial: a `SpatialDiscriminator`.
        d_temporal: a `TemporalDiscriminator`.
        batch_size: examples per update.
        d_steps: updates of D.
        drawn: as `Network`.
        padding: as `Network`.

    Attributes:
        d_update: FLOP of one update of D.
        g_update: FLOP of the update of G.
        step: FLOP of a step.
        networks: {"G": its count at batch_size, "D_S": and "D_T": theirs at
            2 batch_size, real and fake}.
    """

    def __init__(
        self,
        generator,
        d_spatial,
        d_temporal,
        batch_size,
        d_steps=2,
        drawn=False,
        padding=True,
    ):
        how = dict(drawn=drawn, padding=padding)
        g = GeneratorCount(generator, batch_size, **how)

        def discriminators(size):
            return (
                DiscriminatorCount(d_spatial, d_spatial.k, size, **how),
                DiscriminatorCount(
                    d_temporal, generator.num_frames, size, **how
                ),
            )

        both = discriminators(2 * batch_size)
        self.d_update = g.forward() + sum(
            d.forward() + d.backward(videos=False) for d in both
        )
        self.g_update = g.forward() + g.backward()
        self.g_update += sum(
            d.forward() + d.backward(weights=False)
            for d in discriminators(batch_size)
        )
        self.step = d_steps * self.d_update + self.g_update
        self.networks = dict(zip(("G", "D_S", "D_T"), (g, *both), strict=True))

    def by_layer(self):
        """FLOP of forward passes, such as {"G/4x4_block": ...}."""
        return {
            f"{name}/{layer}": flop
            for name, network in self.networks.items()
            for layer, flop in network.by_layer().items()
        }


def count(trainer, **how):
    """Returns the `StepCount` of a `Trainer`, over all its replicas."""
    return StepCount(
        trainer.generator,
        trainer.d_spatial,
        trainer.d_temporal,
        trainer.batch_size,
        trainer.d_steps,
        **how,
    )
