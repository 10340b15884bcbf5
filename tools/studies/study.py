"""Studies of configurations: one command trains and measures one of them.

python -m tools.studies.study --results=docs/studies/digits.jsonl \
    --folder=runs/study --name=base --seed=0 --budget=550 \
    --gin_file=gin/demo.gin --gin_param=Trainer.learning_rate_d=1e-3
python -m tools.studies.study --results=docs/studies/digits.jsonl --table

Training runs in a process of its own, on --threads threads at the lowest
priority, for train.num_steps steps, or until --budget processor seconds are
spent. Then it is measured: by its `train.final_report`, if it has one, and by
`dvdgan_tf.evaluate` with each --evaluate gin file, such as gin/fvd.gin. A row
that is in the results is not run again, and one that was interrupted goes on
from its newest checkpoint, with the processor seconds that it has spent.
"""

import argparse
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys

from dvdgan_tf.run_folder import RunFolder
from tools.studies import study_process
from tools.studies.study_table import table

ROOT = pathlib.Path(__file__).parents[2]
# More steps than a budget allows.
_MANY_STEPS = 10**9


def main(arguments=None):
    """Trains and measures a row, or prints the table of all."""
    options = parse(arguments)
    # A request to stop is as good as Ctrl-C: training saves.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.table:
        print("\n".join(table(read(options.results), options.values)))
        return
    row = {
        "name": options.name,
        "gin_files": options.gin_file,
        "bindings": options.gin_param,
        "seed": options.seed,
        "num_steps": options.num_steps,
        "budget": options.budget,
        "threads": options.threads,
        "evaluate": options.evaluate,
        "evaluate_bindings": options.evaluate_param,
    }
    if any(row.items() <= found.items() for found in read(options.results)):
        print(f"{options.name}, seed {options.seed}: done already.")
        return
    result = run(row, options.folder)
    with open(options.results, "a") as file:
        file.write(json.dumps(result) + "\n")
    print(json.dumps(result))


def parse(arguments):
    """Reads the options from a list of arguments or the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--results", required=True, help="JSON lines, one a row.")
    add("--table", action="store_true", help="Print them, run nothing.")
    add(
        "--values",
        nargs="+",
        default=["class_accuracy", "class_accuracy/held_out"],
        help="Values to show in the table.",
    )
    add("--folder", help="Runs go into folders in it.")
    add("--name", help="Name of the configuration.")
    add("--gin_file", action="append", default=[], help="May be repeated.")
    add("--gin_param", action="append", default=[], help="May be repeated.")
    add("--seed", type=int, default=0, help="Trainer.seed.")
    add("--num_steps", type=int, help="Steps of training.")
    add("--budget", type=float, help="Processor seconds of training.")
    add("--threads", type=int, default=1, help="Of training and measuring.")
    add(
        "--evaluate",
        action="append",
        default=[],
        help="A gin file of a protocol to measure the run by.",
    )
    add(
        "--evaluate_param",
        action="append",
        default=[],
        help="A binding for these measurements.",
    )
    options = parser.parse_args(arguments)
    if not options.table:
        if not (options.folder and options.name and options.gin_file):
            parser.error("a row needs --folder, --name and --gin_file.")
        if (options.num_steps is None) == (options.budget is None):
            parser.error("a row needs --num_steps or --budget, not both.")
    return options


def read(path):
    """The rows of a results file; none where there is no file."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def run(row, folder):
    """Trains and measures a row.

    Args:
        row: the fields that say what is run, see `main`.
        folder: the run's own folder goes into it, and its name has a hash of
            the row, so that no other row goes on from it.

    Returns:
        The row with "code" (the commit), "steps", "cpu_seconds" of training
        alone, "steps_per_cpu_second" and "values", {name: value}.

    Raises:
        RuntimeError: a command failed; its log is named.
    """
    digest = hashlib.sha256(json.dumps(row).encode()).hexdigest()[:8]
    name = f"{row['name']}_s{row['seed']}_{digest}"
    workdir = os.path.abspath(os.path.join(folder, name))
    os.makedirs(workdir, exist_ok=True)
    spent = _train(row, workdir)
    steps = newest_step(workdir)
    if row["budget"] is not None:
        # It has been stopped: now that step is its last one, and is reported.
        command = _training(row, workdir, steps)
        _run(command, workdir, row["threads"])
    for gin_file in row["evaluate"]:
        command = ["-m", "dvdgan_tf.evaluate", f"--gin_file={gin_file}"]
        command += [f"--gin_param={b}" for b in row["evaluate_bindings"]]
        _run([*command, f"--workdir={workdir}"], workdir, row["threads"])
    return row | {
        "code": _commit(),
        "steps": steps,
        "cpu_seconds": round(spent, 1),
        "steps_per_cpu_second": round(steps / spent, 3),
        "values": measured(workdir, steps),
    }


def _train(row, workdir):
    """Trains to the end; returns all processor seconds of it."""
    path = os.path.join(workdir, "cpu_seconds.json")
    spent = 0.0
    if os.path.exists(path):
        with open(path) as file:
            spent = json.load(file)
    budget = row["budget"]
    left = None if budget is None else budget - spent
    if left is not None and left <= 0:
        return spent
    command = _training(row, workdir, row["num_steps"] or _MANY_STEPS)
    before = study_process.children_seconds()
    try:
        _run(command, workdir, row["threads"], left)
    finally:
        spent += study_process.children_seconds() - before
        with open(path, "w") as file:
            json.dump(spent, file)
    return spent


def _training(row, workdir, num_steps):
    bindings = [
        *row["bindings"],
        f"Trainer.seed = {row['seed']}",
        f"train.num_steps = {num_steps}",
    ]
    return [
        "-m",
        "dvdgan_tf.train",
        *(f"--gin_file={file}" for file in row["gin_files"]),
        *(f"--gin_param={binding}" for binding in bindings),
        f"--workdir={workdir}",
    ]


def _run(command, workdir, threads, budget=None):
    """Runs Python in the project's root."""
    log = os.path.join(workdir, "log.txt")
    command = [sys.executable, *command]
    code = study_process.run(command, log, threads, budget, ROOT)
    if code:
        raise RuntimeError(
            f"{' '.join(command)} ended with code {code}; see {log}."
        )


def newest_step(workdir):
    """The step of the newest checkpoint of a run."""
    return RunFolder(workdir).checkpoint()[0]


def measured(workdir, step):
    """What was measured at a step, without what training logs on its way.

    Args:
        workdir: the run's folder.
        step: step of the measured checkpoint.

    Returns:
        {name: value}.
    """
    values = {}
    for line in read(RunFolder(workdir).metrics):
        # Training's own lines have losses.
        if line["step"] == step and "loss/g" not in line:
            values |= line
    values.pop("step", None)
    return values


def _commit():
    """The commit of the code that ran, and whether it was changed."""
    command = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
