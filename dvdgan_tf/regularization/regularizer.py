"""What a regulariser of D is, and what it is told about the clips."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

# How the names of a regulariser's variables may begin. A run may switch
# regularisers on and off, so such variables may be missing in its checkpoint,
# or be there without use. The last two names are in checkpoints already.
STATE_PREFIXES = ("regularizer/", "lecam/", "adaptive_strength/")


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """How one discriminator D scores b real and b generated clips.

    Attributes:
        score: D as a function of what it receives of clips, and of their
            classes; it returns a score for each clip, which depends on that
            clip alone.
        view: what D receives of the clips, [2 b, ...], real ones first.
        y: classes of the clips, int32 [2 b].
        real: D(x, y), the scores of the real clips, float32 [b].
        fake: D(G(z, y), y), the scores of the generated clips, float32 [b].
    """

    score: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    view: tf.Tensor
    y: tf.Tensor
    real: tf.Tensor
    fake: tf.Tensor


class Regularizer:
    """Takes part in the updates of D: adds to L_D, reports, keeps a state.

    A regulariser is a subclass in a file of this folder, registered with gin,
    and switched on by a line such as

        Trainer.regularizers = [@MyRegularizer]

    The trainer calls the class without arguments, inside `strategy.scope()`.
    A subclass overrides what it needs, since the methods here do nothing:

    1. In each update of D, on each replica, for each part of its batch:
       `penalties` returns terms of L_D, `statistics` returns what is only
       reported. Both are shares: the replicas' and parts' are added up, so a
       mean over the batch is a sum divided by `batch_size`.
    2. After the update, once, with these sums at hand: `observe` changes the
       `variables`.

    Attributes:
        metrics: names of what `penalties` returns, then of what `statistics`
            returns. A step reports their means over its updates of D.
        second_derivatives: whether `penalties` contain gradients of D, whose
            own gradients TensorFlow lacks for blocks that are recomputed.
    """

    metrics: tuple[str, ...] = ()
    second_derivatives: bool = False

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """All state, {unique name: variable}; see `STATE_PREFIXES`."""
        return {}

    def penalties(
        self, scored: Sequence[Scored], update: tf.Tensor, batch_size: int
    ) -> Sequence[tf.Tensor]:
        """Computes terms of L_D, in replica context.

        Args:
            scored: the clips as D_S scores them, then as D_T does.
            update: updates of D in the run before this one, int64 scalar.
            batch_size: real clips of the update, over all replicas and parts.

        Returns:
            Scalars, float32, differentiable in all that the scores depend on.
        """
        return ()

    def statistics(
        self, scored: Sequence[Scored], batch_size: int
    ) -> Sequence[tf.Tensor]:
        """Computes what is reported and observed, but not part of L_D.

        Args:
            scored: the clips as D_S scores them, then as D_T does.
            batch_size: real clips of the update, over all replicas and parts.

        Returns:
            Scalars, float32.
        """
        return ()

    def observe(
        self, metrics: Mapping[str, tf.Tensor], batch_size: int
    ) -> None:
        """Changes the state after an update of D, in cross-replica context.

        Args:
            metrics: all metrics of the update, over all replicas, by name.
            batch_size: real clips of the update, over all replicas.
        """
