"""Where a run goes back by itself: to which checkpoint, with which seed."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from dvdgan_tf import files
from dvdgan_tf.training.schedule import check_at_least_one

# What the file says of each time, with the type of each.
_FIELDS = {"trouble": int, "to": int, "seed": int, "why": str, "done": bool}


class Rollbacks:
    """How often a run has gone back, which its seed depends on.

    The file is the record: it is written before anything else is changed, so
    that a run that is killed while it goes back does so at its next start.

    Args:
        path: JSON file, a list with an object for each time, oldest first.
        allowed: how many times the run may go back, all its starts together.
        margin: a checkpoint this many steps before the trouble is far enough
            from it.

    Raises:
        ValueError: `allowed` is negative, `margin` less than 1, or the file is
            damaged.
    """

    def __init__(
        self, path: str, allowed: int = 0, margin: int = 1_000
    ) -> None:
        if allowed < 0:
            raise ValueError(
                "train.rollbacks must be at least 0. Received: "
                f"rollbacks={allowed}"
            )
        check_at_least_one("rollback_margin", margin)
        self.path = path
        self.allowed = allowed
        self.margin = margin
        self.past = _read(path)

    @property
    def unfinished(self) -> int | None:
        """The step to which a run that was killed was going back, or None."""
        done = not self.past or self.past[-1]["done"]
        return None if done else self.past[-1]["to"]

    @property
    def are_left(self) -> bool:
        """Whether the run may go back once more."""
        return len(self.past) < self.allowed

    def seed(self, first: int) -> int:
        """The seed of the training steps from now on, 0 to 2**32 - 1.

        Args:
            first: `Trainer.seed`, which is returned until the run has gone
                back.
        """
        if not self.past:
            return first
        text = f"{first}/{len(self.past)}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def target(
        self, steps: Iterable[int], trouble: int, healthy: int | None = None
    ) -> int | None:
        """Chooses the checkpoint to go back to.

        It is the newest that is `margin` steps before the trouble. If the run
        has not come past the last trouble by that much, it is one before the
        last choice. Where none is early enough it is the oldest.

        Args:
            steps: those of the whole checkpoints.
            trouble: the step of the trouble.
            healthy: until here training was healthy for certain, if less.

        Returns:
            Its step; None where all come after the trouble, or no rollback is
            left.
        """
        before = sorted(step for step in steps if step < trouble)
        if not (before and self.are_left):
            return None
        limit = trouble - self.margin
        if healthy is not None:
            limit = min(limit, healthy)
        if self.past and trouble <= self.past[-1]["trouble"] + self.margin:
            limit = min(limit, self.past[-1]["to"] - 1)
        early = [step for step in before if step <= limit]
        return early[-1] if early else before[0]

    def begin(
        self, trouble: int, to: int, why: str, first_seed: int, write: bool
    ) -> None:
        """Records that the run goes back.

        Args:
            trouble: the step of the trouble.
            to: the step of the checkpoint.
            why: a sentence, what the trouble is.
            first_seed: `Trainer.seed`.
            write: whether this worker writes the file.
        """
        self.past.append(
            {"trouble": trouble, "to": to, "why": why, "done": False}
        )
        self.past[-1]["seed"] = self.seed(first_seed)
        if write:
            files.write_json(self.path, self.past, indent=1)

    def finish(self) -> None:
        """Records that the run has gone back, if that was not done."""
        if self.unfinished is not None:
            self.past[-1]["done"] = True
            files.write_json(self.path, self.past, indent=1)


def _read(path: str) -> list[dict[str, Any]]:
    """The record; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            past = json.load(file)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    else:
        if isinstance(past, list) and all(map(_is_entry, past)):
            return past
        reason = "it is no list of objects with " + ", ".join(_FIELDS)
    raise ValueError(
        f"Where the run has gone back cannot be read from {path} ({reason}). "
        "Its seed depends on that: put the file back, or delete it to go on "
        "with Trainer.seed."
    )


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and all(
        type(value.get(name)) is kind for name, kind in _FIELDS.items()
    )
