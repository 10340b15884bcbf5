"""The old name of `python -m dvdgan_tf.install_i3d`, for this version only."""

import sys

from dvdgan_tf import install_i3d

if __name__ == "__main__":
    print(
        "tools/install_i3d.py is now python -m dvdgan_tf.install_i3d; "
        "write that instead.",
        file=sys.stderr,
    )
    install_i3d.main()
