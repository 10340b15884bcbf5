"""D_S and D_T side by side: what each receives of a clip, and its scores."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from dvdgan_tf.layers.shards import for_shards, join, shard
from dvdgan_tf.regularization.regularizer import Scored


class DualDiscriminator:
    """The two discriminators of the Dual Video Discriminator GAN.

    Source: v2, section 3.2. D_S judges k drawn frames, D_T the whole clip. In
    frame prediction D_T sees the given frames too, and D_S does not.

    Args:
        d_spatial: D_S.
        d_temporal: D_T.
        generator: G, which knows how many frames are given and generated.
        augment: a `DiffAugment` of all clips, or None.
        adaptive: the `AdaptiveStrength` of `augment`, or None.
        shards: number of shards of a batch that are computed side by side.
    """

    def __init__(
        self,
        d_spatial: keras.Model,
        d_temporal: keras.Model,
        generator: keras.Model,
        augment: Any = None,
        adaptive: Any = None,
        shards: int = 1,
    ):
        self.networks = (d_spatial, d_temporal)
        self.generated_frames = generator.generated_frames
        self.conditioning_frames = generator.conditioning_frames
        self.augment = augment
        self.adaptive = adaptive
        self.shards = shards

    @property
    def extra_draws(self) -> int:
        """How many numbers the augmentation of a clip draws."""
        return self.augment.num_draws if self.augment else 0

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The weights of D_S, then those of D_T."""
        d_spatial, d_temporal = self.networks
        return [*d_spatial.trainable_variables, *d_temporal.trainable_variables]

    def parameters(self, training: bool = True) -> tuple:
        """Normalises the weights of D_S and of D_T.

        Args:
            training: whether the spectral norm makes a power iteration.

        Returns:
            What the other methods take as `parameters`.
        """
        return tuple(
            network.parameters(training=training) for network in self.networks
        )

    def scores(
        self,
        videos: tf.Tensor,
        y: tf.Tensor,
        noise: tf.Tensor,
        parameters: tuple,
    ) -> list[tf.Tensor]:
        """Scores whole clips.

        Args:
            videos: clips [B, T, H, W, 3] in [-1, 1].
            y: class ids [B].
            noise: uniform [B, ...], as `Randomness.draw` makes it.
            parameters: normalised weights, from `parameters`.

        Returns:
            The scores of D_S and of D_T, float32 [B] each.
        """
        both = zip(
            self.networks, self.views(videos, noise), parameters, strict=True
        )
        return [
            self._score(network, view, y, weights)
            for network, view, weights in both
        ]

    def score_real_and_fake(
        self,
        videos: Sequence[tf.Tensor],
        y: Sequence[tf.Tensor],
        noise: Sequence[tf.Tensor],
        parameters: tuple,
    ) -> list[Scored]:
        """Scores as many real as generated clips.

        Args:
            videos: real and generated clips, [b, T, H, W, 3] each.
            y: class ids of the real and of the generated videos, [b] each.
            noise: noise of the real and of the generated videos, [b, ...] each.
            parameters: normalised weights, from `parameters`.

        Returns:
            The clips as D_S and as D_T scores them.
        """
        # They are one batch, and make one pass through each discriminator.
        views = self.views(tf.concat(videos, 0), tf.concat(noise, 0))
        y = tf.concat(y, 0)

        def scored(network, view, weights):
            def score(view, y):
                return self._score(network, view, y, weights)

            real, fake = tf.split(score(view, y), 2)
            return Scored(score, view, y, real, fake)

        both = zip(self.networks, views, parameters, strict=True)
        return [scored(*of_one) for of_one in both]

    def views(self, videos: tf.Tensor, noise: tf.Tensor) -> list[tf.Tensor]:
        """What the discriminators receive of clips, augmented where it is on.

        Args:
            videos: clips [B, T, H, W, 3] in [-1, 1].
            noise: uniform [B, ...], as `Randomness.draw` makes it.

        Returns:
            For D_S k drawn frames, [B, k, H, W, 3]; for D_T all frames, or a
            crop of them, [B, T, h, w, 3].
        """
        # One layout for real and generated clips; see `Randomness.draw`.
        picks, crop, draws = tf.split(noise, [self.generated_frames, 2, -1], 1)
        for_spatial, for_temporal = self._augmented(videos, draws)
        continuations = for_spatial[:, self.conditioning_frames :]
        d_spatial, d_temporal = self.networks
        return [
            d_spatial.draw_frames(continuations, picks),
            d_temporal.draw_crop(for_temporal, crop),
        ]

    def _augmented(self, videos, draws):
        """The clips for D_S and for D_T: the same draws, each its strength."""
        if not self.augment:
            return videos, videos
        if not self.adaptive:
            augmented = self.augment(videos, draws)
            return augmented, augmented
        probabilities = tf.convert_to_tensor(self.adaptive.probability)
        return [
            self.augment(videos, draws, probability)
            for probability in tf.unstack(probabilities)
        ]

    def _score(self, network, view, y, parameters):
        def score(view, y):
            return network.apply(view, y, parameters)

        # Of one shard each, the tensors pass through as they are.
        view, y = shard(view, self.shards), shard(y, self.shards)
        return join(for_shards(score, view, y))
