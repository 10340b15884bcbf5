"""The old name of `python -m dvdgan_tf.plot`, for this version only."""

import sys

if __name__ == "__main__":
    # --output was a file, and is a folder now: nothing to forward.
    print(
        "error: tools/plot_runs.py is now python -m dvdgan_tf.plot; write "
        "--workdir=label=folder for --run=label=folder, and --output=folder "
        "for the file: the picture is losses.png in it.",
        file=sys.stderr,
    )
    sys.exit(2)
