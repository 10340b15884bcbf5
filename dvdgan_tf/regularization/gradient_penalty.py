"""R1 and R2: D's gradient for real and for generated clips is kept small.

Source: Mescheder et al. 2018, arXiv 1801.04406. At every 16th update with 16
times the weight: lazy regularisation, Karras et al. 2020, arXiv 1912.04958.
Not in DVD-GAN.
"""

import functools
from collections.abc import Callable, Sequence

import gin
import tensorflow as tf

from dvdgan_tf.regularization.regularizer import Regularizer, Scored


@gin.register
class GradientPenalty(Regularizer):
    """Adds a term to each discriminator's loss, at every n-th update of D.

        n (gamma_1 / 2 E[|grad D(x)|^2] + gamma_2 / 2 E[|grad D(G(z))|^2])

    The gradient is taken for the clip. D(x) is the score summed over frames,
    and |.|^2 sums over all pixels, channels and frames of what the
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

    metrics = (
        "loss/gradient_penalty_spatial",
        "loss/gradient_penalty_temporal",
    )
    second_derivatives = True

    def __init__(
        self,
        real_weight: float = 1.0,
        fake_weight: float = 0.0,
        every: int = 16,
    ):
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

    def penalties(
        self, scored: Sequence[Scored], update: tf.Tensor, batch_size: int
    ) -> list[tf.Tensor]:
        """Computes the terms of D_S and D_T; see `Regularizer`."""

        def term(d):
            scores = [
                functools.partial(d.score, y=half) for half in tf.split(d.y, 2)
            ]
            return self.penalty(scores, tf.split(d.view, 2), batch_size)

        def terms():
            return [term(d) for d in scored]

        if self.every == 1:
            return terms()
        # A branch, so that other updates do not compute what they drop.
        due = self.due(update)
        return tf.cond(due, terms, lambda: [tf.zeros([])] * len(scored))

    def due(self, update: tf.Tensor) -> tf.Tensor:
        """Says whether an update of D has the penalty.

        Args:
            update: updates of D before this one, int64 scalar.

        Returns:
            Scalar, bool.
        """
        if self.every == 1:
            return tf.constant(True)
        return update % self.every == 0

    def penalty(
        self,
        scores: Sequence[Callable[[tf.Tensor], tf.Tensor]],
        clips: Sequence[tf.Tensor],
        batch_size: int,
    ) -> tf.Tensor:
        """Computes one discriminator's term, this replica's share.

        It can be differentiated for whatever the scores depend on.

        Args:
            scores: D for real and for generated clips, whose classes differ:
                functions of clips [b, ...] that return scores [b], each of
                which depends on its own clip alone.
            clips: real and generated clips [b, ...], as the discriminator
                receives them; those whose weight is 0 are not looked at.
            batch_size: real clips over all replicas.

        Returns:
            Scalar, float32.
        """
        total = 0.0
        weights = (self.real_weight, self.fake_weight)
        for weight, score, x in zip(weights, scores, clips, strict=True):
            if weight:
                # gamma / 2 E[|grad D|^2], times n below: due once in n updates
                norms = _squared_gradient_norms(score, x)
                total += weight / 2 * tf.reduce_sum(norms)
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
