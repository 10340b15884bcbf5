"""What D_S and D_T share: D-blocks, then a projection head (v2's figures)."""

import math

import keras
import tensorflow as tf

from dvdgan_tf.layers.attention import SelfAttention
from dvdgan_tf.layers.rematerialization import run_segment
from dvdgan_tf.layers.spectral_layers import SpectralDense, SpectralEmbedding
from dvdgan_tf.networks.blocks import DBlock
from dvdgan_tf.networks.widths import (
    DISCRIMINATOR_MULTIPLIERS,
    check_at_least_one,
    check_attention,
    widths,
)


class Discriminator(keras.Model):
    """What both discriminators share: D-blocks, then a projection head.

    Per remaining frame t, with h the sum over space of the features after a
    ReLU, w, b, and E_y the class's embedding:

        score = sum_t  w . h_t + b + <E_y, h_t>

    The last block does not down-sample.

    Args:
        resolution: height and width of the videos.
        reductions: {argument's name: factor}, by which height and width are
            divided before the first block.
        num_classes: rows of E; 1 for unconditional.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: replaces the resolution's entry in `widths`.
        num_3d_blocks: blocks at the input with 3-D convolutions.
        time_pool: window in time of those blocks' average pool.
        attention_resolutions: feature resolutions after whose block
            `SelfAttention` is inserted; none in the paper.
        recompute: whether gradients evaluate the blocks again instead of
            keeping what is inside of them (see `rematerialization`).
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        resolution,
        reductions,
        num_classes,
        ch,
        channel_multipliers,
        num_3d_blocks,
        time_pool,
        attention_resolutions,
        recompute,
        spectral_norm,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.widths = widths(
            DISCRIMINATOR_MULTIPLIERS, resolution, ch, channel_multipliers
        )
        check_at_least_one(num_classes=num_classes, **reductions)
        self.input_resolution = resolution // math.prod(reductions.values())
        self._check_input_resolution(resolution, reductions)
        check_attention(
            attention_resolutions,
            [self.input_resolution // 2**i for i in range(1, len(self.widths))],
        )
        self.num_classes = num_classes
        self.recompute = recompute
        shared = dict(spectral_norm=spectral_norm, dtype=self.dtype_policy)
        self.blocks = []
        size = self.input_resolution
        for i, width in enumerate(self.widths):
            pool = 2 if i < len(self.widths) - 1 else 1
            is_3d = i < num_3d_blocks
            self.blocks.append(
                DBlock(
                    width,
                    rank=3 if is_3d else 2,
                    spatial_pool=pool,
                    time_pool=time_pool if is_3d else 1,
                    first=i == 0,
                    name=f"{size}x{size}_block{i}",
                    **shared,
                )
            )
            size //= pool
            if size in attention_resolutions and pool > 1:
                name = f"{size}x{size}_attention"
                self.blocks.append(SelfAttention(name=name, **shared))
        # The head is float32 under every policy, since losses are.
        shared["dtype"] = "float32"
        self.linear = SpectralDense(1, name="linear", **shared)
        self.class_embedding = SpectralEmbedding(
            num_classes, self.widths[-1], name="class_embedding", **shared
        )

    def _check_input_resolution(self, resolution, reductions):
        least = 2 ** (len(self.widths) - 1)
        if self.input_resolution < least:
            received = ", ".join(f"{k}={v}" for k, v in reductions.items())
            raise ValueError(
                f"{type(self).__name__} has {len(self.widths)} blocks at "
                f"resolution {resolution} and needs an input of {least} "
                f"pixels or more; {received} leaves {self.input_resolution}."
            )

    def build(self, inputs_shape=None):
        """Creates all variables; the shapes are known from the arguments."""
        size = self.input_resolution
        shape = (None, None, size, size, 3)
        for block in self.blocks:
            block.build(shape)
            if isinstance(block, DBlock):
                size //= block.spatial_pool
                shape = (None, None, size, size, block.channels)
        self.linear.build((None, shape[-1]))
        self.class_embedding.build()
        self.built = True

    def freeze_blocks(self, count):
        """Keeps the weights of the first D-blocks from training.

        Their vectors u go on following the weights. An attention layer is
        frozen with the block before it.

        Source: FreezeD (Mo et al. 2020, arXiv 2002.10964), for a D whose
        weights come from another run.

        Args:
            count: of the blocks, from the input; 0 changes nothing. To be
                called after `build`.

        Raises:
            ValueError: there are not as many blocks.
        """
        if not 0 <= count <= len(self.widths):
            raise ValueError(
                f"Trainer.frozen_d_blocks must be from 0 to "
                f"{len(self.widths)}, the blocks of {self.name}. "
                f"Received: frozen_d_blocks={count}"
            )
        blocks = 0
        for block in self.blocks:
            blocks += isinstance(block, DBlock)
            if blocks > count:
                break
            block.trainable = False

    def call(self, inputs, y, training=False):
        return self.apply(inputs, y, self.parameters(training))

    def parameters(self, training):
        """What `apply` needs; runs the power iterations if `training`."""
        layers = (*self.blocks, self.linear, self.class_embedding)
        return tuple(layer.parameters(training) for layer in layers)

    def score(self, x, y, parameters):
        """Sum over the remaining time of the projection head's scores.

        Args:
            x: [B, T, H, W, 3] at the input resolution, in [-1, 1].
            y: class ids, integer [B], or soft labels [B, num_classes].
            parameters: as returned by `parameters`.

        Returns:
            [B], float32.
        """
        *blocks, linear, class_embedding = parameters
        x = tf.cast(x, self.compute_dtype)
        for block, block_parameters in zip(self.blocks, blocks, strict=True):
            x = run_segment(block.apply, (x,), block_parameters, self.recompute)
        features = tf.reduce_sum(tf.cast(tf.nn.relu(x), "float32"), [2, 3])
        if y.dtype.is_integer:
            y = tf.one_hot(y, self.num_classes)
        y = tf.cast(y, "float32")
        embedded = self.class_embedding.apply(y, class_embedding)[:, None]
        scores = self.linear.apply(features, linear)[..., 0]
        scores += tf.reduce_sum(features * embedded, -1)
        return tf.reduce_sum(scores, 1)
