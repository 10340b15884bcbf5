r"""Kills commands at random moments, and looks for what is lost.

    python -m tools.torture --what=training,saving --kills=100 --minutes=30

Each command runs for real, on the smallest model there is, in a forked process
that is killed by SIGKILL, or now and then by SIGTERM, at a moment drawn from
--seed: after so many processor seconds, or before the n-th operation that
changes a file. The same command is started again until it is done; what each
kill has left is looked at, and the end is compared with that of a command that
nobody disturbed. Exit codes: 0 when all is as promised, 1 with the first fault,
and how to see it again.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Lives are many and small; a machine's processors are for several of them.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")

from dvdgan_tf.quiet import import_tensorflow

KINDS = (
    "training",
    "saving",
    "traced",
    "preparation",
    "export",
    "archive",
    "evaluation",
)


def main(arguments: list[str] | None = None) -> None:
    """Kills what the flags say."""
    options = parse(arguments)
    import_tensorflow()
    from tools.torture import file_operations, lives, stage

    stage.import_all()
    lives.prepare()
    place = tempfile.mkdtemp(prefix="torture.", dir=options.folder)
    ask = file_operations.available()
    if not ask:
        print("The kernel does not halt file operations: kills are by time.")
    try:
        torture(options, place, ask)
    except lives.FaultError as fault:
        print(f"FAULT: {fault}\nWhat was left is in {place}.")
        sys.exit(1)
    shutil.rmtree(place)


def torture(options: argparse.Namespace, place: str, ask: bool) -> None:
    """Kills each kind of command by turns, and prints a summary.

    Raises:
        FaultError: the first one, with how to see it again.
    """
    from tools.torture.lives import FaultError
    from tools.torture.rounds import Rounds, add_line

    deadline = time.monotonic() + 60 * options.minutes
    lived, at = [], ""

    def tell(row):
        lived.append(row)
        add_line(options.results, row)

    turns = [
        Rounds(kind, place, options.seed, ask, tell)
        for kind in kinds(options.what, place)
    ]
    try:
        for rounds in turns:
            at = f"--what={rounds.kind.name}"
            rounds.measure()
        number = options.first_round
        while time.monotonic() < deadline and any(
            rounds.kills < options.kills for rounds in turns
        ):
            for rounds in turns:
                left = options.kills - rounds.kills
                if left > 0 and time.monotonic() < deadline:
                    at = f"--what={rounds.kind.name} --first_round={number}"
                    rounds.round(number, left, deadline)
            number += 1
    except FaultError as fault:
        print(summary(lived))
        raise FaultError(
            f"{fault}\nTo see it again: python -m tools.torture "
            f"--seed={options.seed} {at}"
        ) from fault
    print(summary(lived))


def kinds(names: list[str], place: str) -> list:
    """The `Kind`s of some names, which are to be measured in their order.

    Args:
        names: some of `KINDS`, in that order.
        place: a folder, in which what they need is made.
    """
    from tools.torture import lives
    from tools.torture.evaluation import Evaluation
    from tools.torture.exporting import Exporting
    from tools.torture.preparation import Preparation
    from tools.torture.rounds import Kind
    from tools.torture.training import Training

    # What the others export and measure: a run that is made anyway, or one.
    trained = [name for name in names if name in ("training", "saving")]
    made_by = (
        os.path.join(place, trained[0], "undisturbed") if trained else place
    )
    if not trained and {"export", "archive", "evaluation"} & set(names):
        call = Training(place).call(place)
        log = os.path.join(place, "run.log")
        lives.live(call, lives.Moment(), place, log)
    both = ("seconds", "operations")
    made = {
        "training": lambda: (Training(place), ("seconds",)),
        "saving": lambda: (Training(place), ("operations",)),
        "traced": lambda: (Training(place, traced=True), both),
        "preparation": lambda: (Preparation(place), both),
        "export": lambda: (Exporting(made_by), both),
        "archive": lambda: (Exporting(made_by, "module.tar.gz"), both),
        "evaluation": lambda: (Evaluation(made_by), both),
    }
    return [Kind(name, *made[name]()) for name in names]


def summary(lived: list[dict]) -> str:
    """A table of the kills by what was killed."""
    lines = [f"{'':12} {'kills':>6} {'SIGTERM':>8} {'rounds':>7} {'s/life':>7}"]
    for what in dict.fromkeys(row["what"] for row in lived):
        rows = [row for row in lived if row["what"] == what]
        killed = [row for row in rows if row["killed"]]
        done = sum(row["verdict"] == "done" for row in rows)
        seconds = sum(row["seconds"] for row in rows) / len(rows)
        terminated = sum(row["signal"] == "SIGTERM" for row in killed)
        lines.append(
            f"{what:12} {len(killed):6} {terminated:8} {done:7} {seconds:7.2f}"
        )
    return "\n".join(lines)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--what",
        default="training,saving",
        help=f"What is killed, with commas: {', '.join(KINDS)}; or all.",
    )
    parser.add_argument(
        "--kills", type=int, default=20, help="Kills of each, at most."
    )
    parser.add_argument(
        "--minutes", type=float, default=30, help="Then no kill is begun."
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--first_round", type=int, default=1, help="Number to begin with."
    )
    parser.add_argument(
        "--results", help="A file to which a JSON line per life is added."
    )
    parser.add_argument(
        "--folder", help="An existing folder to work in; a temporary one."
    )
    options = parser.parse_args(arguments)
    given = KINDS if options.what == "all" else options.what.split(",")
    unknown = set(given) - set(KINDS)
    if unknown:
        parser.error(f"--what knows no {', '.join(sorted(unknown))}.")
    options.what = [name for name in KINDS if name in given]
    return options


if __name__ == "__main__":
    main()
