"""What is killed and judged: a command with what it works on."""

from collections.abc import Callable

from tools.torture.lives import Death


class Scene:
    """A command, and what must hold after each of its lives.

    Subclasses have `call`, `look` and `compare`; the rest is what most need.
    """

    def start(self, folder: str) -> None:
        """Makes what the first life finds in the folder of a round."""

    def call(self, folder: str) -> Callable[[], None]:
        """The command that works in the folder of a round."""
        raise NotImplementedError

    def look(self, folder: str, before: dict, death: Death) -> dict:
        """Judges what a life has left, which the next one finds.

        Args:
            folder: of the round.
            before: what this has returned after the life before, or {}.
            death: how the life has ended.

        Returns:
            What there is, for results and for the next look.

        Raises:
            FaultError: something is lost, or half of something is there.
        """
        raise NotImplementedError

    def compare(self, folder: str, undisturbed: str) -> None:
        """Compares what a finished command has left.

        Raises:
            FaultError: it differs from what an undisturbed one has left.
        """
        raise NotImplementedError

    def ended_well(self, death: Death, before: dict) -> bool:
        """Whether the end of a life that was not disturbed is a good one."""
        return death.code == 0

    def finished(self, held: dict) -> bool:
        """Whether nothing is left to do after a kill."""
        return False

    def left(self, held: dict) -> tuple[float, float]:
        """Which share of the seconds and of the operations may be left.

        Moments are drawn up to there. A little more than what is left lets
        some lives come to their end.
        """
        return 1.25, 1.25
