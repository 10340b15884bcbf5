"""Steps of benchmark.py and of torch_baseline.py, by turns.

    python tools/compare_torch.py --torch_python=torch_env/bin/python --ch=16

Both processes are there all the time, and one of them runs: what else the
machine does, and its clock, meet both alike. PyTorch may be in an environment
of its own. Prints the median seconds of both and their ratio.
"""

import argparse
import json
import pathlib
import subprocess
import sys

TOOLS = pathlib.Path(__file__).parent


def main():
    """Starts both, lets them take turns, prints what they report."""
    args = parse_arguments()
    bfloat16 = args.precision == "bfloat16"
    sizes = [
        f"--{name}={getattr(args, name)}"
        for name in ("resolution", "num_frames", "ch", "batch_size", "steps")
    ]
    gin_file = TOOLS.parent / "gin" / "folder_64.gin"
    commands = {
        "dvdgan_tf": [
            sys.executable,
            str(TOOLS / "benchmark.py"),
            f"--gin_file={gin_file}",
            f"--precision={'mixed_' * bfloat16}{args.precision}",
            "--nosplit",
            "--ceiling_shapes=1",
        ],
        "torch": [
            args.torch_python,
            str(TOOLS / "torch_baseline.py"),
            f"--precision={args.precision}",
        ],
    }
    processes = {
        name: subprocess.Popen(
            [*command, *sizes, "--turns"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TOOLS.parent,
        )
        for name, command in commands.items()
    }
    for process in processes.values():
        wait(process)
    for _ in range(args.steps - 1):
        for process in processes.values():
            process.stdin.write("\n")
            process.stdin.flush()
            wait(process)
    results = {
        name: json.loads(process.communicate("\n")[0].splitlines()[-1])
        for name, process in processes.items()
    }
    seconds = {name: result["step_s"] for name, result in results.items()}
    seconds["ratio"] = seconds["torch"] / seconds["dvdgan_tf"]
    for name, value in seconds.items():
        print(f"{name:<12}{value:8.3f}")
    print(json.dumps({"seconds": seconds, **results}))


def wait(process):
    """Until the process is about to begin a step."""
    for line in process.stdout:
        if line.strip() == "ready":
            return
    sys.exit(f"error: {process.args[1]} ended with code {process.wait()}.")


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--torch_python",
        default=sys.executable,
        help="the Python that has PyTorch",
    )
    for name, default in (
        ("resolution", 64),
        ("num_frames", 12),
        ("ch", 16),
        ("batch_size", 4),
        ("steps", 7),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "bfloat16")
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
