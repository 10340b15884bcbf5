"""The averaged generator of a run's checkpoint, ready to sample."""

from collections.abc import Callable
from typing import Any

from dvdgan_tf import named_variables
from dvdgan_tf.generation import standing_statistics
from dvdgan_tf.generation.standing_statistics import StandingStatistics


class CheckpointedGenerator:
    """A generator whose weights are those of one checkpoint after another.

    To be constructed inside `strategy.scope()`.

    Args:
        make: class or factory of G, called with (num_classes, name).
        num_classes: number of classes that the run was trained with.
        num_frames: length of its clips; that of training by default. With
            another one, batch norm's [T, C] statistics are not restored, and
            standing statistics have to be taken.

    Attributes:
        network: the generator.
        statistics: the `StandingStatistics` of that generator.
    """

    def __init__(
        self, make: Callable, num_classes: int, num_frames: int | None = None
    ) -> None:
        other_length = {} if num_frames is None else {"num_frames": num_frames}
        # The name under which the trainer stores the average.
        self.network = make(
            num_classes=num_classes, name="ema_generator", **other_length
        )
        self.network.build()
        self.statistics = StandingStatistics(self.network)
        self._variables = {v.path: v for v in self.network.variables}
        if num_frames is not None:
            for path in standing_statistics.present(self.network):
                del self._variables[path]
        self._checkpoint = named_variables.checkpoint_of(self._variables)
        self._path: str | None = None
        self._values: list[Any] = []

    def restore(self, path: str) -> None:
        """Takes the averaged weights of a checkpoint.

        The one restored last is kept in memory: training may delete it.

        Args:
            path: path of the checkpoint, without an ending.

        Raises:
            ValueError: it is of another model, or cannot be read.
        """
        variables = self._variables.values()
        if path == self._path:
            for variable, value in zip(variables, self._values, strict=True):
                variable.assign(value)
            return
        named_variables.restore(
            self._checkpoint, self._variables, path, all_of_it=False
        )
        self._path = path
        self._values = [v.numpy() for v in variables]
