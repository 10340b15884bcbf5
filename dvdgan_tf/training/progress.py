"""The progress line: percent, step, steps/s, ETA and losses."""

import datetime
import sys
import time

from dvdgan_tf.progress_bar import INTERVAL


class Progress:
    """Measures the rate between calls, and says when a line is due.

    Args:
        step: the step at which the run starts.
        num_steps: the step at which it ends.
    """

    def __init__(self, step: int, num_steps: int):
        self.num_steps = num_steps
        self.step = step
        self.time = time.monotonic()
        self.first: tuple[int, float] | None = None
        self.shown: float | None = None

    def advance(self, step: int) -> float:
        """Takes note of the step reached.

        Args:
            step: the step reached, more than at the last call.

        Returns:
            Steps per second since the last call, time for samples and
            checkpoints included; the first call's include compilation.
        """
        now = time.monotonic()
        rate = (step - self.step) / max(now - self.time, 1e-9)
        self.step, self.time = step, now
        # The estimate leaves out the first interval, which compiles.
        self.first = self.first or (step, now)
        return rate

    def is_due(self) -> bool:
        """Whether to show a line: in a log file not each few milliseconds."""
        return (
            sys.stdout.isatty()
            or self.shown is None
            or self.step == self.num_steps
            or self.time - self.shown >= INTERVAL
        )

    def line(self, rate: float, losses: dict[str, float]) -> str:
        """Formats the line, which counts as shown then.

        Args:
            rate: steps per second.
            losses: {short name: value}.
        """
        self.shown = self.time
        parts = [
            f"{self.step / self.num_steps:6.1%}",
            f"step {self.step}/{self.num_steps}",
            f"{rate:.3g} steps/s",
            self._left(),
            *(f"{name} {value:.3f}" for name, value in losses.items()),
        ]
        return "  ".join(parts)

    def _left(self):
        first_step, first_time = self.first
        left = self.num_steps - self.step
        if not left:
            # No time is known of these, and they may take minutes.
            return "samples and checkpoint follow"
        if self.step == first_step:
            return "ETA -:--:--"  # Only the interval that compiles is known.
        per_step = (self.time - first_time) / (self.step - first_step)
        seconds = round(left * per_step)
        return f"ETA {datetime.timedelta(seconds=seconds)}"
