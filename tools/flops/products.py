"""Matrix products of a network, from its architecture, in FLOP: see `flops`."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Product:
    """A matrix product or convolution, in FLOP of one pass.

    Attributes:
        layer: name of the layer, such as "32x32_block" or "head".
        forward: FLOP of the forward pass.
        inputs: FLOP of the gradient for the layer's inputs.
        weights: FLOP of the gradient for its weights.
        reads_video: whether the input is a video, whose gradient only an update
            of G needs, and only from D.
        spectral_norm: whether it is part of a power iteration or of sigma.
        shape: for a convolution: images, sizes, C_in, C_out, kernel, strides.
    """

    layer: str
    forward: int
    inputs: int
    weights: int
    reads_video: bool = False
    spectral_norm: bool = False
    shape: tuple | None = None


class Network:
    """Collects the products of one network.

    Args:
        batch_size: videos per pass.
        power_iterations: number of power iterations of the spectral norm in
            each pass.
        drawn: whether to count as drawn, instead of done once.
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
            layer: name of the layer.
            images: number of independent images or clips.
            sizes: sizes of the input: (H, W) or (T, H, W).
            channels: (C_in, C_out).
            kernel: edge in every axis.
            pools: window of the pool in every axis; None for none.
            reads_video: whether the input is a video (see `Product`).
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
        """Adds the products of `SelfAttention` on maps [*size, channels]."""
        narrow, wide = channels // 8, channels // 2
        for c_in, c_out in (
            (channels, narrow),
            (channels, narrow),
            (channels, wide),
            (wide, channels),
        ):
            self.conv(layer, images, size, (c_in, c_out), kernel=1)
            self.norm(layer, c_in, c_out)
        keys = math.prod(-(-side // 2) for side in size)
        for width in (narrow, wide):
            # Both operands are data: two gradients for inputs.
            flop = 2 * images * math.prod(size) * keys * width
            self.products.append(Product(layer, flop, 2 * flop, 0))

    def d_block(self, layer, block, sizes, c_in):
        """Adds a `DBlock` on clips [*sizes, c_in], sizes being (T, H, W)."""
        c_out = block.channels
        pools = (block.time_pool, block.spatial_pool, block.spatial_pool)
        small = [sizes[0] // block.time_pool, *block.pooled(sizes[1:])]
        # With windows that are not full the pool comes after the convolution.
        full = all(side % block.spatial_pool == 0 for side in sizes[1:])
        is_fused = not self.drawn and (full or not block.round_up)
        video = block.first

        def conv(sizes, channels, pools=None, **kwargs):
            clips = self.batch_size
            if block.rank == 2:
                clips, sizes = clips * sizes[0], sizes[1:]
                pools = pools and pools[1:]
            self.conv(layer, clips, sizes, channels, pools=pools, **kwargs)

        conv(sizes, (c_in, c_out), reads_video=video)
        conv(sizes, (c_out, c_out), pools if is_fused else None)
        for channels in (c_in, c_out):
            self.norm(layer, 3**block.rank * channels, c_out)
        if max(pools) > 1 or c_in != c_out:
            skip_sizes = sizes if self.drawn and not video else small
            conv(skip_sizes, (c_in, c_out), kernel=1, reads_video=video)
            self.norm(layer, c_in, c_out)

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
