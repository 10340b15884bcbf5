"""The spatial and the temporal discriminator, D_S and D_T (v2's figures)."""

import gin
import keras
import tensorflow as tf

from dvdgan_tf.layers.attention import SelfAttention
from dvdgan_tf.layers.resampling import average_pool
from dvdgan_tf.layers.segments import run_segment
from dvdgan_tf.layers.spectral import SpectralDense, SpectralEmbedding
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
        input_resolution: height and width at the first block.
        num_classes: rows of E; 1 for unconditional.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: replaces the resolution's entry in `widths`.
        num_3d_blocks: blocks at the input with 3-D convolutions.
        time_pool: window in time of those blocks' average pool.
        attention_resolutions: feature resolutions after whose block
            `SelfAttention` is inserted; none in the paper.
        recompute: whether gradients evaluate the blocks again instead of
            keeping what is inside of them (see `segments`).
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        resolution,
        input_resolution,
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
        check_at_least_one(num_classes=num_classes)
        check_attention(
            attention_resolutions,
            [input_resolution // 2**i for i in range(1, len(self.widths))],
        )
        if input_resolution < 2 ** (len(self.widths) - 1):
            raise ValueError(
                "TemporalDiscriminator.phi leaves no pixel to the last block "
                f"at resolution {resolution}. Received an input resolution of "
                f"{input_resolution}"
            )
        self.input_resolution = input_resolution
        self.num_classes = num_classes
        self.recompute = recompute
        shared = dict(spectral_norm=spectral_norm, dtype=self.dtype_policy)
        self.blocks = []
        size = input_resolution
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


@gin.register
class SpatialDiscriminator(Discriminator):
    """D_S: scores k frames at full resolution, each by itself, and sums.

    Args:
        resolution: height and width of the videos.
        num_classes: rows of the class embedding; 1 for unconditional.
        k: frames drawn per video; 8 in the paper.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: see `Discriminator`.
        attention_resolutions: see `Discriminator`.
        recompute: see `Discriminator`.
        spectral_norm: see `Discriminator`.

    Call arguments:
        frames: [B, k, resolution, resolution, 3] in [-1, 1], drawn by
            `draw_frames`.
        y: class ids, integer [B], or soft labels [B, num_classes].
        training: whether to run the power iterations.

    Returns:
        Scores [B], float32: sums over the k frames.
    """

    def __init__(
        self,
        resolution,
        num_classes,
        k=8,
        ch=96,
        channel_multipliers=None,
        attention_resolutions=(),
        recompute=False,
        spectral_norm=None,
        name="spatial_discriminator",
        dtype=None,
    ):
        super().__init__(
            resolution,
            input_resolution=resolution,
            num_classes=num_classes,
            ch=ch,
            channel_multipliers=channel_multipliers,
            num_3d_blocks=0,
            time_pool=1,
            attention_resolutions=attention_resolutions,
            recompute=recompute,
            spectral_norm=spectral_norm,
            name=name,
            dtype=dtype,
        )
        check_at_least_one(k=k)
        self.k = k

    def apply(self, frames, y, parameters):
        """The network as a function of its parameters; see `call`."""
        return self.score(frames, y, parameters)

    def draw_frames(self, videos, noise):
        """Draws k frames of each video, uniformly without replacement.

        Args:
            videos: [B, T, H, W, C], T at least k.
            noise: uniform noise [B, T]; the frames with the k largest values
                are drawn, so every subset is equally likely.

        Returns:
            [B, k, H, W, C], in the order drawn.
        """
        indices = tf.math.top_k(noise, self.k).indices
        return tf.gather(videos, indices, batch_dims=1)


@gin.register
class TemporalDiscriminator(Discriminator):
    """D_T: scores the whole video, spatially pooled by phi.

    Args:
        resolution: height and width of the videos.
        num_classes: rows of the class embedding; 1 for unconditional.
        phi: window of the spatial average pool at the input: 2 in the
            paper, which also tries 4 and 1 (identity).
        num_3d_blocks: blocks at the input with 3x3x3 convolutions.
        time_pool: window in time of those blocks' average pool (open in the
            paper): 2, or 1 for none.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: see `Discriminator`.
        attention_resolutions: see `Discriminator`.
        recompute: see `Discriminator`.
        spectral_norm: see `Discriminator`.

    Call arguments:
        videos: [B, T, resolution, resolution, 3] in [-1, 1].
        y: class ids, integer [B], or soft labels [B, num_classes].
        training: whether to run the power iterations.

    Returns:
        Scores [B], float32: sums over the remaining time.

    Raises:
        ValueError: fewer frames than the pools in time need.
    """

    def __init__(
        self,
        resolution,
        num_classes,
        phi=2,
        num_3d_blocks=2,
        time_pool=2,
        ch=96,
        channel_multipliers=None,
        attention_resolutions=(),
        recompute=False,
        spectral_norm=None,
        name="temporal_discriminator",
        dtype=None,
    ):
        check_at_least_one(phi=phi)
        if time_pool not in (1, 2):
            raise ValueError(
                "TemporalDiscriminator.time_pool must be 1 or 2. "
                f"Received: time_pool={time_pool}"
            )
        super().__init__(
            resolution,
            input_resolution=resolution // phi,
            num_classes=num_classes,
            ch=ch,
            channel_multipliers=channel_multipliers,
            num_3d_blocks=num_3d_blocks,
            time_pool=time_pool,
            attention_resolutions=attention_resolutions,
            recompute=recompute,
            spectral_norm=spectral_norm,
            name=name,
            dtype=dtype,
        )
        self.phi = phi
        self.min_frames = time_pool**num_3d_blocks
        self.time_pool = time_pool

    def apply(self, videos, y, parameters):
        """The network as a function of its parameters; see `call`."""
        return self.score(average_pool(videos, self.phi), y, parameters)

    def check_num_frames(self, num_frames):
        """Raises ValueError if pooling would leave no frame."""
        if num_frames < self.min_frames:
            raise ValueError(
                f"NUM_FRAMES must be at least {self.min_frames} with "
                f"TemporalDiscriminator.time_pool = {self.time_pool}. "
                f"Received: num_frames={num_frames}; for shorter videos set "
                "TemporalDiscriminator.time_pool = 1"
            )
