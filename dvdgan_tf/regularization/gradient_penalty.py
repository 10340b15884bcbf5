"""R1 and R2: D's gradient for real and for generated clips is kept small.

Source: Mescheder et al. 2018, arXiv 1801.04406. At every 16th update with 16
times the weight: lazy regularisation, Karras et al. 2020, arXiv 1912.04958.
Not in DVD-GAN.
"""

import gin
import tensorflow as tf


@gin.register
class GradientPenalty:
    """Adds a term to each discriminator's loss, at every n-th update of D.

        n (gamma_1 / 2 E[|grad D(x)|^2] + gamma_2 / 2 E[|grad D(G(z))|^2])

    The gradient is that for the clip. D(x) is the score summed over frames,
    and |.|^2 the sum over all pixels, channels and frames of what the
    discriminator receives.

    The discriminators must not recompute their blocks: TensorFlow cannot
    differentiate such a gradient again.

    Args:
        real_weight: gamma_1 of R1, at least 0; 0 for none.
        fake_weight: gamma_2 of R2, at least 0; 0 for none.
        every: n, updates of D from one penalty to the next, at least 1.

    Raises:
        ValueError: an argument is outside its range.
    """

    def __init__(self, real_weight=1.0, fake_weight=0.0, every=16):
        weights = (real_weight, fake_weight)
        fine = all(0 <= w < float("inf") for w in weights) and any(weights)
        if not fine or not isinstance(every, int) or every < 1:
            raise ValueError(
                "GradientPenalty needs weights of at least 0, not both 0, and "
                "a whole number of updates, at least 1. "
                f"Received: real_weight={real_weight}, "
                f"fake_weight={fake_weight}, every={every}"
            )
        self.real_weight = real_weight
        self.fake_weight = fake_weight
        self.every = every

    def due(self, update):
        """Whether an update of D has the penalty.

        Args:
            update: int64 scalar, updates of D before this one.

        Returns:
            Scalar, bool.
        """
        if self.every == 1:
            return tf.constant(True)
        return update % self.every == 0

    def penalty(self, score, real, fake, batch_size):
        """One discriminator's term, this replica's share.

        It can be differentiated for whatever `score` depends on.

        Args:
            score: function of clips [b, ...] that returns their scores [b],
                each of its own clip alone.
            real: real clips [b, ...], as the discriminator receives them.
            fake: generated clips [b, ...], likewise; not looked at where
                their weight is 0, as `real` is not where its is.
            batch_size: clips over all replicas.

        Returns:
            Scalar, float32.
        """
        total = 0.0
        if self.real_weight:
            norms = _squared_gradient_norms(score, real)
            total += self.real_weight / 2 * tf.reduce_sum(norms)
        if self.fake_weight:
            norms = _squared_gradient_norms(score, fake)
            total += self.fake_weight / 2 * tf.reduce_sum(norms)
        return self.every * total / batch_size


def _squared_gradient_norms(score, clips):
    """|grad D|^2 of each clip, [b], float32."""
    # The gradient has the type of what it is taken for.
    clips = tf.cast(clips, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(clips)
        scores = score(clips)
    gradients = tape.gradient(scores, clips)
    axes = list(range(1, clips.shape.rank))
    return tf.reduce_sum(tf.square(gradients), axes)
