"""LeCam: D's scores are kept near moving averages of themselves.

Source: Tseng et al. 2021, arXiv 2104.03310. Not in DVD-GAN.
"""

from collections.abc import Mapping, Sequence

import gin
import tensorflow as tf

from dvdgan_tf.regularization.regularizer import Regularizer, Scored


@gin.register
class LeCam(Regularizer):
    """Adds a term to each discriminator's loss.

        weight (E[(D(x) - a_F)^2] + E[(D(G(z)) - a_R)^2])

    D(x) is the score summed over frames. The anchors a_R and a_F are moving
    averages of its mean for real and for generated clips: after an update of
    D whose means are m,

        a <- decay a + (1 - decay) m

    and after the first one a = m. The anchors in a loss are those from before
    the update, without the means of its own batch. So all replicas and all
    parts of an accumulated batch use the same ones.

    The paper squares the differences. The authors' code squares their
    positive parts, relu(D(x) - a_F) and relu(a_R - D(G(z))); `one_sided` does
    that.

    It is constructed inside `strategy.scope()`.

    Args:
        weight: factor of the term, at least 0.
        decay: share of the anchors that an update of D keeps, from 0 up to but
            not including 1.
        start_update: updates of D without the term, at least 1; the anchors
            move from the first update on.
        one_sided: whether only the positive parts are squared.

    Attributes:
        anchors: float32 [2, 2]; a row for D_S and one for D_T, a column for
            real and one for generated clips.
        updates: int64 scalar, updates of D that the anchors have seen.

    Raises:
        ValueError: an argument is outside its range.
    """

    metrics = ("loss/lecam_spatial", "loss/lecam_temporal")

    def __init__(
        self,
        weight: float = 0.3,
        decay: float = 0.99,
        start_update: int = 1000,
        one_sided: bool = False,
    ):
        if not (0 <= weight < float("inf") and 0 <= decay < 1):
            raise ValueError(
                "LeCam needs a weight of at least 0 and 0 <= decay < 1. "
                f"Received: weight={weight}, decay={decay}"
            )
        if start_update < 1:
            raise ValueError(
                "LeCam.start_update must be at least 1, since the first "
                "update of D has no anchors. "
                f"Received: start_update={start_update}"
            )
        self.weight = weight
        self.decay = decay
        self.start_update = start_update
        self.one_sided = one_sided
        self.anchors = tf.Variable(
            tf.zeros([2, 2]), trainable=False, name="lecam/anchors"
        )
        self.updates = tf.Variable(
            tf.zeros([], tf.int64), trainable=False, name="lecam/updates"
        )

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """All state, by unique name: {name: variable}."""
        return {"lecam/anchors": self.anchors, "lecam/updates": self.updates}

    def penalties(
        self, scored: Sequence[Scored], update: tf.Tensor, batch_size: int
    ) -> list[tf.Tensor]:
        """Computes the terms of D_S and D_T; see `Regularizer`."""
        return [
            self.penalty(index, d.real, d.fake, batch_size)
            for index, d in enumerate(scored)
        ]

    def observe(
        self, metrics: Mapping[str, tf.Tensor], batch_size: int
    ) -> None:
        """Moves the anchors towards an update's mean scores."""
        means = [
            [metrics[f"score/{name}_real"], metrics[f"score/{name}_fake"]]
            for name in ("spatial", "temporal")
        ]
        self.update(tf.stack(means))

    def penalty(
        self,
        index: int,
        real_scores: tf.Tensor,
        fake_scores: tf.Tensor,
        batch_size: int,
    ) -> tf.Tensor:
        """Computes one discriminator's term, this replica's share.

        It is called in replica context.

        Args:
            index: 0 for D_S, 1 for D_T.
            real_scores: scores of this replica's real clips, float32 [b].
            fake_scores: scores of its generated clips, float32 [b].
            batch_size: real clips over all replicas.

        Returns:
            Scalar, float32; 0 before `start_update`.
        """
        anchors = tf.stop_gradient(self.anchors.read_value())
        real_anchor, fake_anchor = tf.unstack(anchors[index])
        above = real_scores - fake_anchor
        below = real_anchor - fake_scores
        if self.one_sided:
            above, below = tf.nn.relu(above), tf.nn.relu(below)
        squares = tf.reduce_sum(tf.square(above)) + tf.reduce_sum(
            tf.square(below)
        )
        started = self.updates.read_value() >= self.start_update
        return tf.where(started, self.weight, 0.0) * squares / batch_size

    def update(self, means: tf.Tensor) -> None:
        """Moves the anchors after an update of D.

        It is called in cross-replica context, in graph code or eagerly.

        Args:
            means: float32 [2, 2], the update's mean scores over all replicas,
                in the order of `anchors`.
        """
        first = tf.equal(self.updates.read_value(), 0)
        decay = tf.where(first, 0.0, self.decay)
        old = self.anchors.read_value()
        self.anchors.assign(decay * old + (1.0 - decay) * means)
        self.updates.assign_add(1)
