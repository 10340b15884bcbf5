"""What D_S and D_T share: D-blocks, then a projection head (v2's figures)."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf
from keras.layers import Layer

from dvdgan_tf.frame_size import Resolution, compact, sides, text
from dvdgan_tf.layers import configs
from dvdgan_tf.layers.attention import SelfAttention
from dvdgan_tf.layers.rematerialization import run_segment
from dvdgan_tf.layers.spectral_layers import SpectralDense, SpectralEmbedding
from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.networks.blocks import DBlock
from dvdgan_tf.networks.network import Network
from dvdgan_tf.networks.sizes import rounds_up, seed_and_doublings
from dvdgan_tf.networks.widths import (
    DISCRIMINATOR_MULTIPLIERS,
    check_at_least_one,
    check_attention,
    widths,
)


class Discriminator(Network):
    """What both discriminators share: D-blocks, then a projection head.

    Per remaining frame t, with h the sum over space of the features after a
    ReLU, w, b, and E_y the class's embedding:

        score = sum_t  w . h_t + b + <E_y, h_t>

    The last block does not down-sample.

    Args:
        resolution: height and width of the videos: one number, or both.
        reductions: {argument's name: factor}, by which height and width are
            divided before the first block.
        num_classes: rows of E; 1 for unconditional.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: replaces the entry in `widths`.
        num_3d_blocks: blocks at the input with 3-D convolutions.
        time_pool: window in time of those blocks' average pool.
        attention_resolutions: heights of the feature maps after whose block
            `SelfAttention` is inserted; none in the paper.
        recompute: whether gradients evaluate the blocks again instead of
            keeping what is inside of them (see `rematerialization`).
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        resolution: Resolution,
        reductions: dict[str, int],
        num_classes: int,
        ch: int,
        channel_multipliers: Sequence[int] | None,
        num_3d_blocks: int,
        time_pool: int,
        attention_resolutions: Sequence[int],
        recompute: bool,
        spectral_norm: SpectralNorm | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _, doublings = seed_and_doublings(resolution)
        self.widths = widths(
            DISCRIMINATOR_MULTIPLIERS, doublings, ch, channel_multipliers
        )
        check_at_least_one(num_classes=num_classes, **reductions)
        self.resolution = resolution
        self.input_size = self.reduced(math.prod(reductions.values()))
        self._check_input_size(reductions)
        self.num_classes = num_classes
        self.ch = ch
        self.channel_multipliers = channel_multipliers
        self.num_3d_blocks = num_3d_blocks
        self.time_pool = time_pool
        self.attention_resolutions = attention_resolutions
        self.recompute = recompute
        self.spectral_norm = spectral_norm
        self._add_layers()
        check_attention(
            attention_resolutions,
            [
                block.pooled(size)[0]
                for block, size in self.sized_blocks()
                if isinstance(block, DBlock) and block.spatial_pool > 1
            ],
        )

    # --- v2's discriminator figures: D-blocks, then the projection head ------

    def _add_layers(self):
        shared = dict(spectral_norm=self.spectral_norm, dtype=self.dtype_policy)
        self.blocks = []
        size = self.input_size
        for i, width in enumerate(self.widths):
            # The last block does not down-sample.
            pool = 2 if i < len(self.widths) - 1 else 1
            is_3d = i < self.num_3d_blocks
            block = DBlock(
                width,
                rank=3 if is_3d else 2,
                spatial_pool=pool,
                time_pool=self.time_pool if is_3d else 1,
                first=i == 0,
                round_up=rounds_up(self.resolution),
                name=f"{text(size)}_block{i}",
                **shared,
            )
            self.blocks.append(block)
            size = block.pooled(size)
            if size[0] in self.attention_resolutions and pool > 1:
                name = f"{text(size)}_attention"
                self.blocks.append(SelfAttention(name=name, **shared))
        # The head is float32 under every policy, since losses are.
        shared["dtype"] = "float32"
        self.linear = SpectralDense(1, name="linear", **shared)
        self.class_embedding = SpectralEmbedding(
            self.num_classes, self.widths[-1], name="class_embedding", **shared
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that both discriminators have, for Keras."""
        return {
            "resolution": compact(self.resolution),
            "num_classes": self.num_classes,
            "ch": self.ch,
            "channel_multipliers": configs.numbers(self.channel_multipliers),
            "attention_resolutions": configs.numbers(
                self.attention_resolutions
            ),
            "recompute": self.recompute,
            "spectral_norm": configs.of_norm(self.spectral_norm),
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    def reduced(self, factor: int) -> tuple[int, int]:
        """Returns (height, width) of the videos divided by a factor."""
        height, width = sides(self.resolution)
        return height // factor, width // factor

    def _check_input_size(self, reductions):
        """Raises ValueError unless every pool has two pixels to average."""
        poolings = len(self.widths) - 1
        least = 2**poolings
        if rounds_up(self.resolution):
            least = 2 ** (poolings - 1) + 1
        shorter = min(self.input_size)
        if shorter < least:
            received = ", ".join(f"{k}={v}" for k, v in reductions.items())
            raise ValueError(
                f"{type(self).__name__} has {len(self.widths)} blocks at "
                f"resolution {self.resolution} and needs an input of {least} "
                f"pixels or more; {received} leaves {shorter}."
            )

    def sized_blocks(self) -> Iterator[tuple[Layer, tuple[int, int]]]:
        """Yields the blocks and attention layers, and their inputs' sizes."""
        size = self.input_size
        for block in self.blocks:
            yield block, size
            if isinstance(block, DBlock):
                size = block.pooled(size)

    def build(self, videos_shape: Any = None, y_shape: Any = None) -> None:
        """Creates all variables; the shapes are known from the arguments."""
        shape = (None, None, *self.input_size, 3)
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        self.linear.build((None, shape[-1]))
        self.class_embedding.build((None, self.num_classes))
        self.built = True

    def freeze_blocks(self, count: int) -> None:
        """Keeps the weights of the first D-blocks from training.

        Their vectors u go on following the weights. An attention layer is
        frozen with the block before it.

        Source: FreezeD (Mo et al. 2020, arXiv 2002.10964), for a D whose
        weights come from another run.

        Args:
            count: number of blocks, counted from the input; 0 changes nothing.
                Call this method after `build`.

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

    def call(
        self,
        videos: tf.Tensor | dict[str, tf.Tensor],
        y: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        if isinstance(videos, dict):
            videos, y = videos["videos"], videos["y"]
            self.check_drawn(videos)
        return self.apply(videos, y, self.parameters(training))

    def check_drawn(self, videos: tf.Tensor) -> None:
        """Raises ValueError unless videos are as this D's `draw_` has them."""

    def apply(
        self, videos: tf.Tensor, y: tf.Tensor, parameters: Any
    ) -> tf.Tensor:
        """The network as a function of its arguments only; see `call`."""
        raise NotImplementedError

    def parameters(self, training: bool) -> tuple:
        """Returns what `apply` needs; iterates u and v if `training`."""
        layers = (*self.blocks, self.linear, self.class_embedding)
        return tuple(layer.parameters(training) for layer in layers)

    def score(self, x: tf.Tensor, y: tf.Tensor, parameters: Any) -> tf.Tensor:
        """Returns the scores of the projection head, summed over time.

        Args:
            x: [B, T, *input_size, 3] in [-1, 1].
            y: class ids, integer [B], or soft labels [B, num_classes].
            parameters: what the method `parameters` returned.

        Returns:
            [B], float32.
        """
        *blocks, linear, class_embedding = parameters
        x = tf.cast(x, self.compute_dtype)
        for block, block_parameters in zip(self.blocks, blocks, strict=True):
            x = run_segment(block.apply, (x,), block_parameters, self.recompute)
        # h_t, the sum over space; float32, as the head is.
        features = tf.reduce_sum(tf.cast(tf.nn.relu(x), "float32"), [2, 3])
        if y.dtype.is_integer:
            y = tf.one_hot(y, self.num_classes)
        y = tf.cast(y, "float32")
        embedded = self.class_embedding.apply(y, class_embedding)[:, None]
        # w . h_t + b + <E_y, h_t>, then the sum over t
        scores = self.linear.apply(features, linear)[..., 0]
        scores += tf.reduce_sum(features * embedded, -1)
        return tf.reduce_sum(scores, 1)
