"""Steps of benchmark.py and of torch_baseline.py, by turns.

    python -m tools.benchmarks.compare_torch \
        --torch_python=torch_env/bin/python --ch=16

PyTorch may be in an environment of its own. Prints the median seconds of both
and their ratio. How they take turns: turns.py.
"""

import argparse
import json
import sys

from tools.benchmarks import turns


def main():
    """Starts both, lets them take turns, prints what they report."""
    args = parse_arguments()
    bfloat16 = args.precision == "bfloat16"
    sizes = [
        f"--{name}={getattr(args, name)}"
        for name in ("resolution", "num_frames", "ch", "batch_size")
    ]
    gin_file = turns.ROOT / "gin" / "folder_64.gin"
    commands = {
        "dvdgan_tf": [
            sys.executable,
            "-m",
            "tools.benchmarks.benchmark",
            f"--gin_file={gin_file}",
            f"--precision={'mixed_' * bfloat16}{args.precision}",
            "--nosplit",
            "--ceiling_shapes=1",
        ],
        "torch": [
            args.torch_python,
            "-m",
            "tools.benchmarks.torch_baseline",
            f"--precision={args.precision}",
        ],
    }
    results = turns.run(
        {name: [*command, *sizes] for name, command in commands.items()},
        args.steps,
    )
    seconds = {name: result["step_s"] for name, result in results.items()}
    seconds["ratio"] = seconds["torch"] / seconds["dvdgan_tf"]
    for name, value in seconds.items():
        print(f"{name:<12}{value:8.3f}")
    print(json.dumps({"seconds": seconds, **results}))


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
