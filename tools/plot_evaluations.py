"""The old name of `python -m dvdgan_tf.plot`, for this version only."""

import sys

from dvdgan_tf import plot

if __name__ == "__main__":
    print(
        "tools/plot_evaluations.py is now python -m dvdgan_tf.plot; "
        "write that instead.",
        file=sys.stderr,
    )
    plot.main()
