"""At which steps of a run something is due."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Schedule:
    """When a run is looked at, and what is due then.

    Attributes:
        num_steps: the last step, an update of G; everything is due then.
        steps_per_loop: steps between two looks at the run.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints.
        held_out_every: steps between reports on overfitting.

    Raises:
        ValueError: one of them is less than 1.
    """

    num_steps: int
    steps_per_loop: int
    sample_every: int
    checkpoint_every: int
    held_out_every: int

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            check_at_least_one(name, value)

    def next_look(self, step: int) -> int:
        """Returns the first step after this one at which something is due."""
        periods = (
            self.steps_per_loop,
            self.sample_every,
            self.checkpoint_every,
            self.held_out_every,
        )
        return min(self.num_steps, *((step // n + 1) * n for n in periods))

    def is_due(self, step: int, every: int) -> bool:
        """Whether what comes every so many steps comes at this one."""
        return step % every == 0 or step == self.num_steps


def check_at_least_one(name: str, value: int) -> None:
    """Raises ValueError unless an argument of `train` is at least 1."""
    if value < 1:
        raise ValueError(
            f"train.{name} must be at least 1. Received: {name}={value}"
        )
