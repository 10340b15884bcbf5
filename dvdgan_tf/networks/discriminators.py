"""The spatial and the temporal discriminator, D_S and D_T.

Source: v2's figures. With their inputs reduced otherwise they are those of
TrIVD-GAN (Luc et al. 2020, arXiv 2003.04035): D_S sees down-sampled frames and
D_T a crop of the clip, (k + T) H/s W/s pixels in all, where DVD-GAN's see
k H W + T H/2 W/2.
"""

from collections.abc import Sequence
from typing import Any

import gin
import keras
import tensorflow as tf

from dvdgan_tf.frame_size import Resolution, sides, text
from dvdgan_tf.layers.resampling import average_pool
from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.networks.projection_discriminator import Discriminator
from dvdgan_tf.networks.widths import check_at_least_one


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class SpatialDiscriminator(Discriminator):
    """D_S: scores k frames, each by itself, and sums.

    Args:
        resolution: height and width of the videos: one number, or both.
        num_classes: rows of the class embedding; 1 for unconditional.
        k: frames drawn per video; 8 in the paper.
        downsampling: window of the spatial average pool at the input: 1 for
            full resolution, as in DVD-GAN; larger in TrIVD-GAN.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: replaces the resolution's entry in `widths`.
        attention_resolutions: feature resolutions after whose block
            `SelfAttention` is inserted; none in the paper.
        recompute: whether gradients evaluate the blocks again (see
            `Discriminator`).
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        videos: [B, k, height, width, 3] in [-1, 1], the frames that
            `draw_frames` drew from the videos: a call is a function of its
            inputs and draws none itself. Or all inputs in one dict,
            {"videos": frames, "y": y}, where there must be k.
        y: class ids, integer [B], or soft labels [B, num_classes].
        training: whether to run the power iterations.

    Returns:
        Scores [B], float32: sums over the k frames.
    """

    def __init__(
        self,
        resolution: Resolution = 128,
        num_classes: int = 600,
        k: int = 8,
        downsampling: int = 1,
        ch: int = 96,
        channel_multipliers: Sequence[int] | None = None,
        attention_resolutions: Sequence[int] = (),
        recompute: bool = False,
        spectral_norm: SpectralNorm | None = None,
        name: str = "spatial_discriminator",
        dtype: Any = None,
    ) -> None:
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

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras."""
        reductions = {"k": self.k, "downsampling": self.downsampling}
        return {**super().get_config(), **reductions}

    def input_specs(self) -> dict[str, keras.InputSpec]:
        shape = (None, self.k, *sides(self.resolution), 3)
        return {
            "videos": keras.InputSpec("float32", shape, name="videos"),
            "y": keras.InputSpec("int32", (None,), name="y"),
        }

    def check_drawn(self, videos: tf.Tensor) -> None:
        if videos.shape[1] not in (None, self.k):
            raise ValueError(
                f"SpatialDiscriminator scores k = {self.k} frames of a video. "
                f"Received: {videos.shape[1]} frames; draw them by its method "
                "draw_frames(videos, noise)."
            )

    def apply(
        self, frames: tf.Tensor, y: tf.Tensor, parameters: Any
    ) -> tf.Tensor:
        """The network as a function of its arguments only; see `call`."""
        return self.score(
            average_pool(frames, self.downsampling), y, parameters
        )

    def draw_frames(self, videos: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
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
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class TemporalDiscriminator(Discriminator):
    """D_T: scores all frames, spatially pooled by phi.

    Args:
        resolution: height and width of the videos: one number, or both.
        num_classes: rows of the class embedding; 1 for unconditional.
        phi: window of the spatial average pool at the input: 2 in the
            paper, which also tries 4 and 1 (identity).
        crop: factor of TrIVD-GAN's crop: before phi, all frames are cropped at
            one place to 1 / crop of height and width, rounded down. DVD-GAN
            has 1, no crop; TrIVD-GAN has more, with phi = 1.
        num_3d_blocks: blocks at the input with 3x3x3 convolutions.
        time_pool: window in time of those blocks' average pool (open in the
            paper): 2, or 1 for none.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: replaces the resolution's entry in `widths`.
        attention_resolutions: feature resolutions after whose block
            `SelfAttention` is inserted; none in the paper.
        recompute: whether gradients evaluate the blocks again (see
            `Discriminator`).
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        videos: [B, T, height // crop, width // crop, 3] in [-1, 1], drawn by
            `draw_crop`. Or all inputs in one dict,
            {"videos": videos, "y": y}.
        y: class ids, integer [B], or soft labels [B, num_classes].
        training: whether to run the power iterations.

    Returns:
        Scores [B], float32: sums over the remaining time.
    """

    def __init__(
        self,
        resolution: Resolution = 128,
        num_classes: int = 600,
        phi: int = 2,
        crop: int = 1,
        num_3d_blocks: int = 2,
        time_pool: int = 2,
        ch: int = 96,
        channel_multipliers: Sequence[int] | None = None,
        attention_resolutions: Sequence[int] = (),
        recompute: bool = False,
        spectral_norm: SpectralNorm | None = None,
        name: str = "temporal_discriminator",
        dtype: Any = None,
    ) -> None:
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

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras."""
        return {
            **super().get_config(),
            "phi": self.phi,
            "crop": self.crop,
            "num_3d_blocks": self.num_3d_blocks,
            "time_pool": self.time_pool,
        }

    def input_specs(self) -> dict[str, keras.InputSpec]:
        shape = (None, None, *self.reduced(self.crop), 3)
        return {
            "videos": keras.InputSpec("float32", shape, name="videos"),
            "y": keras.InputSpec("int32", (None,), name="y"),
        }

    def check_drawn(self, videos: tf.Tensor) -> None:
        size = self.reduced(self.crop)
        received = tuple(videos.shape[2:4])
        if None not in received and received != size:
            raise ValueError(
                f"TemporalDiscriminator scores {text(size)} pixels. "
                f"Received: {text(received)}; crop videos by its method "
                "draw_crop(videos, noise)."
            )

    def apply(
        self, videos: tf.Tensor, y: tf.Tensor, parameters: Any
    ) -> tf.Tensor:
        """The network as a function of its arguments only; see `call`."""
        return self.score(average_pool(videos, self.phi), y, parameters)

    def draw_crop(self, videos: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
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

    def check_num_frames(self, num_frames: int) -> None:
        """Raises ValueError if pooling would leave no frame."""
        if num_frames < self.min_frames:
            raise ValueError(
                f"NUM_FRAMES must be at least {self.min_frames} with "
                f"TemporalDiscriminator.time_pool = {self.time_pool}. "
                f"Received: num_frames={num_frames}; for shorter videos set "
                "TemporalDiscriminator.time_pool = 1"
            )
