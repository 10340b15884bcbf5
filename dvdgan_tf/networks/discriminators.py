"""The spatial and the temporal discriminator, D_S and D_T.

Source: v2's figures. With their inputs reduced otherwise they are those of
TrIVD-GAN (Luc et al. 2020, arXiv 2003.04035): D_S sees down-sampled frames and
D_T a crop of the clip, (k + T) H/s W/s pixels in all, where DVD-GAN's see
k H W + T H/2 W/2.
"""

import gin
import tensorflow as tf

from dvdgan_tf.layers.resampling import average_pool
from dvdgan_tf.networks.projection_discriminator import Discriminator
from dvdgan_tf.networks.widths import check_at_least_one


@gin.register
class SpatialDiscriminator(Discriminator):
    """D_S: scores k frames, each by itself, and sums.

    Args:
        resolution: height and width of the videos.
        num_classes: rows of the class embedding; 1 for unconditional.
        k: frames drawn per video; 8 in the paper.
        downsampling: window of the spatial average pool at the input: 1 for
            full resolution, as in DVD-GAN; larger in TrIVD-GAN.
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
        downsampling=1,
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
            reductions={"downsampling": downsampling},
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
        self.downsampling = downsampling

    def apply(self, frames, y, parameters):
        """The network as a function of its parameters; see `call`."""
        return self.score(
            average_pool(frames, self.downsampling), y, parameters
        )

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
    """D_T: scores all frames, spatially pooled by phi.

    Args:
        resolution: height and width of the videos.
        num_classes: rows of the class embedding; 1 for unconditional.
        phi: window of the spatial average pool at the input: 2 in the
            paper, which also tries 4 and 1 (identity).
        crop: all frames are cropped, at one place, to resolution // crop
            pixels, before phi: 1 for none, as in DVD-GAN; larger in
            TrIVD-GAN, with phi = 1.
        num_3d_blocks: blocks at the input with 3x3x3 convolutions.
        time_pool: window in time of those blocks' average pool (open in the
            paper): 2, or 1 for none.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: see `Discriminator`.
        attention_resolutions: see `Discriminator`.
        recompute: see `Discriminator`.
        spectral_norm: see `Discriminator`.

    Call arguments:
        videos: [B, T, size, size, 3] in [-1, 1], size = resolution // crop,
            drawn by `draw_crop`.
        y: class ids, integer [B], or soft labels [B, num_classes].
        training: whether to run the power iterations.

    Returns:
        Scores [B], float32: sums over the remaining time.
    """

    def __init__(
        self,
        resolution,
        num_classes,
        phi=2,
        crop=1,
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
        if time_pool not in (1, 2):
            raise ValueError(
                "TemporalDiscriminator.time_pool must be 1 or 2. "
                f"Received: time_pool={time_pool}"
            )
        super().__init__(
            resolution,
            reductions={"phi": phi, "crop": crop},
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
        self.crop = crop
        self.min_frames = time_pool**num_3d_blocks
        self.time_pool = time_pool

    def apply(self, videos, y, parameters):
        """The network as a function of its parameters; see `call`."""
        return self.score(average_pool(videos, self.phi), y, parameters)

    def draw_crop(self, videos, noise):
        """Crops each video at a random place, the same for all its frames.

        Args:
            videos: [B, T, H, W, C].
            noise: uniform noise [B, 2] in [0, 1): which of the possible first
                rows and columns is taken, each equally likely.

        Returns:
            [B, T, H // crop, W // crop, C]
        """
        if self.crop == 1:
            return videos
        # One gather per axis: static shapes, unlike a slice per example.
        for axis in (2, 3):
            length = videos.shape[axis]
            size = length // self.crop
            # Never `positions`: noise is at most 1 - 2**-24, whose product
            # with a whole number below 2**23 does not round up to that number.
            positions = float(length - size + 1)
            first = tf.cast(noise[:, axis - 2, None] * positions, tf.int32)
            indices = first + tf.range(size)
            videos = tf.gather(videos, indices, axis=axis, batch_dims=1)
        return videos

    def check_num_frames(self, num_frames):
        """Raises ValueError if pooling would leave no frame."""
        if num_frames < self.min_frames:
            raise ValueError(
                f"NUM_FRAMES must be at least {self.min_frames} with "
                f"TemporalDiscriminator.time_pool = {self.time_pool}. "
                f"Received: num_frames={num_frames}; for shorter videos set "
                "TemporalDiscriminator.time_pool = 1"
            )
