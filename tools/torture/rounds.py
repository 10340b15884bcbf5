"""Rounds of kills: a command is killed until it is done, and then judged."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from tools.torture import lives
from tools.torture.lives import Death, FaultError, Moment
from tools.torture.scene import Scene

# One kill in so many is SIGTERM, where moments are times.
_SIGTERM_EVERY = 8
# What a command may end with after SIGTERM: done or saved, stopped early.
_STOPPED = (0, 130, 143)
_MOST_LIVES = 40


class Kind(NamedTuple):
    """What is killed, and when.

    Attributes:
        name: for results.
        scene: the command and its judge.
        by: of what moments are drawn: "seconds", "operations", or both.
    """

    name: str
    scene: Scene
    by: tuple[str, ...]


class Whole(NamedTuple):
    """What an undisturbed life takes: processor seconds, file operations."""

    seconds: float
    operations: int


class Rounds:
    """Kills one kind of command, round after round.

    Args:
        kind: the `Kind`.
        place: folder of the rounds.
        seed: with the number of a round it determines the moments.
        ask: whether the kernel can halt lives before file operations.
        tell: called with a dict for each life.
    """

    def __init__(
        self,
        kind: Kind,
        place: str,
        seed: int,
        ask: bool,
        tell: Callable[[dict], None],
    ):
        self.kind = kind
        self.place = os.path.join(place, kind.name)
        self.seed = seed
        self.ask = ask
        self.tell = tell
        self.kills = 0
        self.undisturbed = os.path.join(self.place, "undisturbed")
        self.whole: Whole | None = None

    def measure(self) -> None:
        """Runs the command once without a kill.

        Raises:
            FaultError: it fails.
        """
        self._start(self.undisturbed)
        death = self._live(self.undisturbed, Moment())
        self._check_end(death, {})
        self.whole = Whole(death.seconds, death.operations)
        held = lives.in_fork(self.kind.scene.look, self.undisturbed, {}, death)
        self._tell(0, 0, death, held, "undisturbed")

    def round(self, number: int, most: int, deadline: float) -> None:
        """Kills the command until it is done, then compares.

        Args:
            number: of the round.
            most: kills, at most; then it is left alone.
            deadline: by `time.monotonic`; then it is left alone.

        Raises:
            FaultError: something is lost, or other than without kills.
        """
        folder = os.path.join(self.place, f"round{number}")
        self._start(folder)
        held: dict = {}
        # The same moments for the same seed.
        drawn = random.Random(f"{self.seed} {self.kind.name} {number}")
        for life in range(1, _MOST_LIVES + 1):
            free = most > 0 and time.monotonic() < deadline
            moment = self._moment(drawn, held) if free else Moment()
            death = self._live(folder, moment)
            most -= bool(death.when)
            self.kills += bool(death.when)
            try:
                self._check_end(death, held)
                held = lives.in_fork(self.kind.scene.look, folder, held, death)
                done = not death.when or self.kind.scene.finished(held)
                if done:
                    lives.in_fork(
                        self.kind.scene.compare, folder, self.undisturbed
                    )
            except FaultError as fault:
                self._tell(number, life, death, held, str(fault))
                raise
            self._tell(number, life, death, held, "done" if done else "ok")
            if done:
                shutil.rmtree(folder)
                return
        raise FaultError(f"It was not done after {_MOST_LIVES} lives.")

    def _start(self, folder: str) -> None:
        os.makedirs(folder)
        self.kind.scene.start(folder)

    def _live(self, folder: str, moment: Moment) -> Death:
        ask = self.ask and "operations" in self.kind.by
        log = f"{folder}.log"
        return lives.live(
            self.kind.scene.call(folder), moment, folder, log, ask
        )

    def _moment(self, drawn: random.Random, held: dict) -> Moment:
        """Draws when the next life ends, among what may be left of it."""
        share, which = drawn.random(), drawn.choice(self.kind.by)
        terminated = drawn.randrange(_SIGTERM_EVERY) == 0
        seconds, operations = self.kind.scene.left(held)
        if which == "operations" and self.ask:
            most = operations * self.whole.operations
            return Moment(operation=1 + int(share * most))
        return Moment(
            seconds=share * seconds * self.whole.seconds,
            signal=signal.SIGTERM if terminated else signal.SIGKILL,
        )

    def _check_end(self, death: Death, held: dict) -> None:
        """Raises `FaultError` unless a command was killed, or ended well."""
        if death.when and (death.code is None or death.code in _STOPPED):
            return
        if death.when or not self.kind.scene.ended_well(death, held):
            end = death.printed[-1500:]
            raise FaultError(f"It ended with {death.code} and printed: {end}")

    def _tell(
        self, number: int, life: int, death: Death, held: dict, verdict: str
    ) -> None:
        self.tell(
            {
                "what": self.kind.name,
                "round": number,
                "life": life,
                "killed": death.when,
                "signal": death.signal if death.when else None,
                "exit_code": death.code,
                "seconds": round(death.seconds, 2),
                "operations": death.operations,
                "held": held,
                "verdict": verdict,
            }
        )


def add_line(path: str | None, row: dict) -> None:
    """Adds a JSON line to a file, if there is one."""
    if path:
        with open(path, "a") as file:
            file.write(json.dumps(row) + "\n")
