"""ADA: clips are changed more often the better D tells real ones apart.

Source: Karras et al. 2020, arXiv 2006.06676, the heuristic
r_t = E[sign D(real)]. Not in DVD-GAN.
"""

from collections.abc import Mapping, Sequence

import gin
import tensorflow as tf

from dvdgan_tf.regularization.regularizer import Regularizer, Scored


@gin.register
class AdaptiveStrength(Regularizer):
    """The probabilities p of augmentation, one for D_S and one for D_T.

    After every `interval` updates of D each p moves by

        sign(r_t - target) * batch_size * interval / examples_to_full

    and stays in [0, 1]; r_t is the mean of sign D(real) over these updates,
    where D(real) is the score summed over frames.

    It is bound as `DiffAugment.adaptive`, and constructed inside
    `strategy.scope()`.

    Args:
        target: value that r_t is kept near, between -1 and 1; p rises while r_t
            is above it.
        interval: updates of D from one adjustment to the next, at least 1.
        examples_to_full: real clips that D sees while p goes from 0 to 1
            without turning back.
        initial: value of p at the start, from 0 to 1.

    Attributes:
        probability: float32 [2], p of D_S and of D_T.
        sign_sum: float32 [2], the sum of the signs since p was adjusted.
        count: int64 scalar, updates of D since p was adjusted.

    Raises:
        ValueError: an argument is outside its range.
    """

    metrics = ("sign/spatial_real", "sign/temporal_real")

    def __init__(
        self,
        target: float = 0.6,
        interval: int = 4,
        examples_to_full: int = 500_000,
        initial: float = 0.0,
    ):
        _check("target", target, -1.0 < target < 1.0, "between -1 and 1")
        _check("interval", interval, interval >= 1, "at least 1")
        _check(
            "examples_to_full",
            examples_to_full,
            examples_to_full > 0,
            "positive",
        )
        _check("initial", initial, 0.0 <= initial <= 1.0, "from 0 to 1")
        self.target = target
        self.interval = interval
        self.examples_to_full = examples_to_full
        self.probability = _state("probability", tf.fill([2], float(initial)))
        self.sign_sum = _state("sign_sum", tf.zeros([2]))
        self.count = _state("count", tf.zeros([], tf.int64))

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """All state, by unique name: {name: variable}."""
        return {
            "adaptive_strength/probability": self.probability,
            "adaptive_strength/sign_sum": self.sign_sum,
            "adaptive_strength/count": self.count,
        }

    def statistics(
        self, scored: Sequence[Scored], batch_size: int
    ) -> list[tf.Tensor]:
        """Computes r_t of D_S and of D_T; see `Regularizer`."""
        return [tf.reduce_sum(tf.sign(d.real)) / batch_size for d in scored]

    def observe(
        self, metrics: Mapping[str, tf.Tensor], batch_size: int
    ) -> None:
        """Counts an update of D, whose r_t are among its metrics."""
        signs = tf.stack([metrics[name] for name in self.metrics])
        self.update(signs, batch_size)

    def update(self, signs: tf.Tensor, batch_size: int) -> None:
        """Counts an update of D; adjusts p if it is due.

        It is called in cross-replica context, in graph code or eagerly.

        Args:
            signs: float32 [2], means over the global batch of
                sign D_S(real) and sign D_T(real).
            batch_size: real clips of the update, over all replicas.
        """
        total = self.sign_sum.read_value() + signs
        count = self.count.read_value() + 1
        p = self.probability.read_value()
        # Not "equal to": a resumed run may have a shorter interval.
        due = count >= self.interval
        updates = tf.cast(count, tf.float32)
        step = tf.cast(batch_size, tf.float32) * updates / self.examples_to_full
        moved = p + tf.sign(total / updates - self.target) * step
        moved = tf.clip_by_value(moved, 0.0, 1.0)
        self.probability.assign(tf.where(due, moved, p))
        self.sign_sum.assign(tf.where(due, tf.zeros_like(total), total))
        self.count.assign(tf.where(due, tf.zeros_like(count), count))


def _state(name, value):
    name = f"adaptive_strength/{name}"
    return tf.Variable(value, trainable=False, name=name)


def _check(name, value, fine, expected):
    if not fine:
        raise ValueError(
            f"AdaptiveStrength.{name} must be {expected}. "
            f"Received: {name}={value}"
        )
