"""Sees from what a step reports whether training explodes or collapses."""

from collections.abc import Sequence
from typing import Any

import gin
import numpy as np

# Fewer steps than this say nothing about what is usual in a run.
_ENOUGH = 10


class DivergenceError(RuntimeError):
    """Training has diverged: to go on from here is in vain.

    Args:
        message: what has happened, a sentence.
        step: the step at which it was seen first.
    """

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class NonFiniteError(DivergenceError):
    """A loss or a gradient is no longer a finite number."""


class CollapseError(DivergenceError):
    """G or D has stopped learning, though all numbers are well."""


@gin.register
class Watch:
    """Judges losses, gradient norms and samples by the run's own past.

    It reads the numbers that training returns anyway, so it costs a step
    nothing.

    Args:
        explosion: factor by which a loss may exceed the recent median of its
            magnitudes, which counts as 1 if it is less. A loss beyond it ends
            the run before anything is saved; a gradient norm or a sigma beyond
            it makes a warning.
        window: number of steps that the median is taken over.
        zero_loss: a loss of D below this is as good as zero: D tells all
            fakes from real clips, and learns no more.
        collapse_steps: number of such steps in a row after which there is a
            warning.
        same_samples: spread in grey levels, 0 to 255: samples that differ by
            less on average are all the same, and there is a warning.

    Raises:
        ValueError: `explosion` is not more than 1, or one of `window` and
            `collapse_steps` is less than 1.
    """

    def __init__(
        self,
        explosion: float = 1_000.0,
        window: int = 1_000,
        zero_loss: float = 0.01,
        collapse_steps: int = 1_000,
        same_samples: float = 1.0,
    ) -> None:
        if explosion <= 1 or min(window, collapse_steps) < 1:
            raise ValueError(
                "Watch.explosion must be more than 1, Watch.window and "
                "Watch.collapse_steps at least 1. Received: "
                f"explosion={explosion}, window={window}, "
                f"collapse_steps={collapse_steps}"
            )
        self.explosion = explosion
        self.window = window
        self.zero_loss = zero_loss
        self.collapse_steps = collapse_steps
        self.same_samples = same_samples
        self.forget()

    def forget(self) -> None:
        """Forgets the past, when a run goes back."""
        # The step before the present row of losses of D at zero, if any.
        self.healthy_step = None
        # The first collapse that made a warning, if any.
        self.collapse: CollapseError | None = None
        self._past = {}
        self._zero_since = {}
        self._warned = set()

    def recall(self, rows: Sequence[dict[str, Any]]) -> None:
        """Takes the past from what a run has logged, when it resumes.

        Args:
            rows: lines of its metrics, oldest first.
        """
        rows = rows[-self.window :]
        for name in {name for row in rows for name in row}:
            values = [row[name] for row in rows if name in row]
            numbers = [v for v in values if isinstance(v, int | float)]
            self._remember(name, np.array(numbers, float))
            if name.startswith("loss/d_"):
                self._recall_zeros(name, rows)

    def observe(
        self, first_step: int, names: Sequence[str], history: np.ndarray
    ) -> list[str]:
        """Looks at the steps since the last look.

        Args:
            first_step: the step before the first of them.
            names: names of the columns.
            history: [steps, len(names)], finite.

        Returns:
            Warnings, sentences.

        Raises:
            DivergenceError: a loss has exploded.
        """
        warnings, first = [], None
        for name, values in zip(names, history.T, strict=True):
            kind, _, short = name.partition("/")
            if kind not in ("loss", "gradient_norm", "sigma"):
                continue
            found = self._explosion(first_step, name, values)
            if found and kind == "loss" and (first is None or found < first):
                first = found
            elif kind != "loss":
                warnings += self._once(name, found and found[1])
            self._remember(name, values)
            if kind == "loss" and short.startswith("d_"):
                warnings += self._collapse(first_step, name, values)
        if first:
            step, sentence = first
            raise DivergenceError(f"{sentence}: training has exploded", step)
        return warnings

    def judge_samples(self, step: int, which: str, spread: float) -> list[str]:
        """Looks at how much samples differ.

        Args:
            step: number of the step.
            which: "live" or "averaged".
            spread: mean standard deviation of the samples, in grey levels.

        Returns:
            Warnings, sentences.
        """
        same = step > 0 and spread < self.same_samples
        return self._once(
            which,
            same
            and f"all samples of the {which} generator are the same at step "
            f"{step}: they differ by {spread:.2g} of 255 grey levels. Training "
            "has collapsed, unless the clips are all the same, too.",
            collapsed_at=step,
        )

    def _explosion(self, first_step, name, values):
        """The step of the first value far beyond the past, and a sentence."""
        past = self._past.get(name, np.empty(0))
        if len(past) < _ENOUGH:
            past = np.concatenate([past, np.abs(values)])
        if len(past) < _ENOUGH:
            return None
        usual = float(np.median(past))
        beyond = np.abs(values) > self.explosion * max(usual, 1.0)
        if not beyond.any():
            return None
        row = int(np.argmax(beyond))
        step = first_step + row + 1
        return step, (
            f"{name} is {values[row]:.6g} at step {step}, and its magnitude "
            f"was {usual:.3g} before"
        )

    def _collapse(self, first_step, name, values):
        """Warns once of a loss that has been zero for long."""
        zero = np.abs(values) < self.zero_loss
        if not zero.any() or not zero[-1]:
            self._zero_since.pop(name, None)
        elif not zero.all() or name not in self._zero_since:
            row = int(np.argmax(np.cumsum(~zero[::-1]) > 0))
            zeros = len(zero) if zero.all() else row
            self._zero_since[name] = first_step + len(zero) - zeros
        since = self._zero_since.get(name)
        self.healthy_step = min(self._zero_since.values(), default=None)
        now = first_step + len(values)
        collapsed = since is not None and now - since >= self.collapse_steps
        return self._once(
            f"zero {name}",
            collapsed
            and f"{name} has been below {self.zero_loss:g} since step "
            f"{since + 1}, for {now - since:,} steps: this discriminator tells "
            "all fakes from real clips, and learns no more. Training has "
            f"collapsed; a checkpoint up to step {since} is better.",
            collapsed_at=since,
        )

    def _recall_zeros(self, name, rows):
        """Finds since when a loss has been zero, by rows as of `recall`."""
        before = None
        for row in rows:
            value = row.get(name)
            if not isinstance(value, int | float):
                continue
            if abs(value) >= self.zero_loss:
                self._zero_since.pop(name, None)
            elif before is not None:
                self._zero_since.setdefault(name, before)
            before = int(row["step"])

    def _once(self, key, sentence, collapsed_at=None):
        """A warning, unless it was given at the last look, too."""
        if not sentence:
            self._warned.discard(key)
            return []
        if key in self._warned:
            return []
        self._warned.add(key)
        seen = self.collapse
        if collapsed_at is not None and not (
            seen and seen.step <= collapsed_at
        ):
            self.collapse = CollapseError(sentence, collapsed_at)
        return [f"warning: {sentence}"]

    def _remember(self, name, values):
        past = self._past.get(name, np.empty(0))
        values = np.abs(values[np.isfinite(values)])
        self._past[name] = np.concatenate([past, values])[-self.window :]
