"""Runs a command for hours, and records what it takes of the machine.

python -m tools.soak --hours=2 --output=runs/soak -- \
    python -m dvdgan_tf.train --gin_file=gin/demo.gin --workdir=runs/soak/run
python -m tools.soak --output=runs/soak --plot=docs/images/soak.png

While the command and its children run, a line of JSON is added to soak.jsonl in
--output every --every seconds: resident memory in bytes, open files, threads,
processes, processor seconds, and the newest step in metrics.jsonl of the
--workdir that the command names. After --hours it gets a SIGTERM, on which
training saves and stops. Then the growth of each from the first tenth of the
time to the last is printed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import psutil

NAMES = ("memory", "files", "threads", "processes")


def main(arguments=None):
    """Runs the command, or plots what was recorded."""
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    records = options.output / "soak.jsonl"
    code = 0
    if options.command:
        code = record(options.command, records, options.hours, options.every)
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    print("\n".join(summary(rows)))
    if options.plot:
        plot(rows, options.plot)
        print(f"Plot: {options.plot}")
    return code


def parse(arguments=None):
    """Reads the options from a list of arguments or the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--hours", type=float, default=2, help="Time until the SIGTERM.")
    add("--every", type=float, default=10, help="Seconds between two records.")
    add("--output", type=pathlib.Path, required=True, help="Folder of records.")
    add("--plot", help="Path of a picture to draw of all records.")
    add("command", nargs="*", help="After --, the command with its arguments.")
    return parser.parse_args(arguments)


def record(command, path, hours, every):
    """Runs a command and records it.

    Args:
        command: list of str.
        path: file to which lines of JSON are added.
        hours: time after which the command gets a SIGTERM.
        every: seconds between two records.

    Returns:
        The command's exit code.
    """
    metrics = _metrics_path(command)
    begin = time.monotonic()
    process = subprocess.Popen(command)
    with open(path, "a", encoding="utf-8") as file:
        while process.poll() is None:
            seconds = time.monotonic() - begin
            row = measure(process.pid)
            if row is not None:
                row |= {"seconds": round(seconds, 1), "step": _step(metrics)}
                file.write(json.dumps(row) + "\n")
                file.flush()
            if seconds > 3600 * hours:
                process.terminate()
                return process.wait()
            time.sleep(every)
    return process.returncode


def measure(pid):
    """What a process and its descendants take now; None if it has ended."""
    sums = dict.fromkeys((*NAMES, "cpu_seconds"), 0)
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with process.oneshot():
                sums["memory"] += process.memory_info().rss
                sums["files"] += process.num_fds()
                sums["threads"] += process.num_threads()
                sums["cpu_seconds"] += sum(process.cpu_times()[:2])
            sums["processes"] += 1
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None  # It, or a child of it, has just ended.
    return sums


def summary(rows):
    """Lines that say how each quantity grew."""
    tenth = max(1, len(rows) // 10)
    # Until then, programs are traced and compiled.
    rows = rows[min(tenth, len(rows) - 1) :]
    lines = [
        f"{rows[-1]['seconds'] / 3600:.2f} hours, step {rows[-1]['step']}, "
        f"{rows[-1]['cpu_seconds']:.0f} processor seconds"
    ]
    for name in NAMES:
        first = np.median([row[name] for row in rows[:tenth]])
        last = np.median([row[name] for row in rows[-tenth:]])
        lines.append(f"{name}: {first:,.0f} -> {last:,.0f}")
    steps = step_seconds(rows)
    if len(steps):
        first, last = np.median(steps[:tenth]), np.median(steps[-tenth:])
        lines.append(f"processor seconds per step: {first:.3f} -> {last:.3f}")
    return lines


def step_seconds(rows):
    """Processor seconds per step between records with different steps.

    Wall time would show what else the machine does.
    """
    changes = [row for row in rows if row["step"]]
    changes = [
        row
        for before, row in zip([{"step": 0}, *changes], changes, strict=False)
        if row["step"] != before["step"]
    ]
    cpu = np.diff([row["cpu_seconds"] for row in changes])
    return cpu / np.diff([row["step"] for row in changes])


def plot(rows, path):
    """Draws memory, files, threads and seconds per step against time."""
    import matplotlib.pyplot as plt

    hours = [row["seconds"] / 3600 for row in rows]
    figure, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained")
    panels = {
        "resident memory, GB": [row["memory"] / 1e9 for row in rows],
        "open files": [row["files"] for row in rows],
        "threads": [row["threads"] for row in rows],
    }
    for axis, (title, values) in zip(axes.flat, panels.items(), strict=False):
        axis.plot(hours, values)
        axis.set(title=title, xlabel="hours", ylim=(0, None))
    steps = step_seconds(rows)
    axis = axes.flat[-1]
    axis.plot(np.linspace(hours[0], hours[-1], len(steps)), steps, linewidth=1)
    axis.set(title="processor seconds per step", xlabel="hours")
    axis.set_ylim(0, 2 * np.median(steps) if len(steps) else None)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _metrics_path(command):
    """metrics.jsonl of the folder that a command's --workdir names, or None."""
    for argument, following in zip(command, [*command[1:], ""], strict=True):
        name, _, value = argument.partition("=")
        if name == "--workdir":
            return pathlib.Path(value or following) / "metrics.jsonl"
    return None


def _step(metrics):
    """The newest step of metrics.jsonl, or None."""
    if metrics is None or not metrics.exists():
        return None
    with open(metrics, "rb") as file:
        file.seek(max(0, metrics.stat().st_size - 10_000))
        lines = file.read().split(b"\n")
    for line in reversed(lines[:-1]):
        if line.startswith(b'{"step": '):
            return json.loads(line)["step"]
    return None


if __name__ == "__main__":
    sys.exit(main())
