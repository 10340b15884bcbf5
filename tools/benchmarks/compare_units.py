"""What each recurrent unit costs: time, memory, parameters and arithmetic.

    python -m tools.benchmarks.compare_units \
        --resolution=64 --num_frames=12 --ch=16

Train steps of benchmark.py on gin/folder_64.gin with each unit, by turns (see
turns.py); a table, then a JSON line of all results.
"""

import argparse
import json
import sys

from tools.benchmarks import turns

UNITS = ("ConvGRU", "TSRUc", "TSRUp", "TSRUs")
SIZES = {
    "resolution": 64,
    "num_frames": 12,
    "ch": 16,
    "batch_size": 4,
}


def main():
    """Measures all units, prints the table."""
    args = parse_arguments()
    common = [
        sys.executable,
        "-m",
        "tools.benchmarks.benchmark",
        f"--gin_file={turns.ROOT / 'gin' / 'folder_64.gin'}",
        "--nosplit",
        "--ceiling_shapes=1",
        *(f"--{name}={getattr(args, name)}" for name in SIZES),
        *(f"--gin_param={binding}" for binding in args.gin_param),
    ]
    results = turns.run(
        {
            unit: [*common, f"--gin_param=Generator.recurrent_unit=@{unit}"]
            for unit in UNITS
        },
        args.steps,
    )
    print_table(results)
    print(json.dumps(results))


def print_table(results):
    """Each unit beside the ConvGRU."""
    base = results["ConvGRU"]["step_s"]
    print(
        f"{'unit':<10}{'s/step':>8}{'ratio':>8}{'G':>12}{'GFLOP/step':>12}"
        f"{'peak GiB':>10}"
    )
    for unit, result in results.items():
        print(
            f"{unit:<10}{result['step_s']:8.2f}{result['step_s'] / base:8.2f}"
            f"{result['what']['parameters']['generator']:12,}"
            f"{result['gflop']:12.1f}{result['peak_memory_gib']:10.2f}"
        )


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {**SIZES, "steps": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--gin_param", action="append", default=[], help="for all units"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
