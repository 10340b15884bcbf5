"""The progress line: percent, step, steps/s, ETA and losses."""

import datetime
import time


class Progress:
    """Measures the rate between calls, and prints a line each.

    Args:
        step: where the run starts.
        num_steps: where it ends.
    """

    def __init__(self, step, num_steps):
        self.num_steps = num_steps
        self.step = step
        self.time = time.monotonic()
        self.first = None

    def advance(self, step):
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

    def line(self, rate, losses):
        """Formats the line.

        Args:
            rate: steps per second.
            losses: {short name: value}.
        """
        parts = [
            f"{self.step / self.num_steps:6.1%}",
            f"step {self.step}/{self.num_steps}",
            f"{rate:.3g} steps/s",
            f"ETA {self._eta()}",
            *(f"{name} {value:.3f}" for name, value in losses.items()),
        ]
        return "  ".join(parts)

    def _eta(self):
        first_step, first_time = self.first
        left = self.num_steps - self.step
        if left and self.step == first_step:
            return "-:--:--"  # Only the interval that compiles is known.
        per_step = (self.time - first_time) / max(self.step - first_step, 1)
        seconds = round(left * per_step)
        return str(datetime.timedelta(seconds=seconds))
