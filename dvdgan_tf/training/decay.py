"""How the learning rates may fall; in the paper they are constant."""

from collections.abc import Callable
from typing import Any

import gin
import keras
import numpy as np
import tensorflow as tf


class Decay:
    """What a fall of the learning rates has whatever its curve.

    Args:
        num_steps: number of steps in which the rates fall.
        start_step: the first of them; before it, the rates are the full ones.
        final: share of the full rates that they have afterwards, 0 to 1.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        num_steps: int = gin.REQUIRED,
        start_step: int = 0,
        final: float = 0.0,
    ) -> None:
        if num_steps < 1 or start_step < 0 or not 0.0 <= final <= 1.0:
            raise ValueError(
                "A decay of the learning rates needs num_steps of at least 1, "
                "start_step of at least 0, and final from 0 to 1. Received: "
                f"num_steps={num_steps}, start_step={start_step}, final={final}"
            )
        self.num_steps = num_steps
        self.start_step = start_step
        self.final = final

    def progress(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the share s of the falling steps that lie behind.

            s = min(1, max(0, (t - start_step) / num_steps))

        Args:
            step: number of the step, t, integer scalar.
        """
        # Differences of int64 first: float32 cannot tell large steps apart.
        passed = tf.cast(step, tf.int64) - self.start_step
        share = tf.cast(passed, tf.float32) / float(self.num_steps)
        return tf.clip_by_value(share, 0.0, 1.0)


@gin.register
class LinearDecay(Decay):
    """Lets the learning rates fall along a line.

    Called with a step, it returns the share of the full rates,
    f = 1 - (1 - final) s, with s as in `Decay.progress`.
    """

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return 1.0 - (1.0 - self.final) * self.progress(step)


@gin.register
class CosineDecay(Decay):
    """Lets the learning rates fall along half a cosine.

    Called with a step, it returns the share of the full rates,
    f = final + (1 - final) (1 + cos(pi s)) / 2, with s as in
    `Decay.progress`.
    """

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        angle = np.float32(np.pi) * self.progress(step)
        return self.final + (1.0 - self.final) * (1.0 + tf.cos(angle)) / 2.0


class DecayedRate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of an optimizer as Keras asks for it.

    Args:
        rate: the full learning rate.
        decay: function of the step that gives the share of it, such as a
            `LinearDecay`.
        updates_per_step: updates that the optimizer makes in a step.
    """

    def __init__(
        self,
        rate: float,
        decay: Callable[[tf.Tensor], tf.Tensor],
        updates_per_step: int,
    ) -> None:
        super().__init__()
        self.rate = rate
        self.decay = decay
        self.updates_per_step = updates_per_step

    def __call__(self, update: Any) -> tf.Tensor:
        """The rate of an update; updates are counted from 0."""
        # Keras counts updates of D, the configuration counts steps.
        step = tf.cast(update, tf.int64) // self.updates_per_step
        return self.rate * self.decay(step)

    def get_config(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "decay": self.decay,
            "updates_per_step": self.updates_per_step,
        }
