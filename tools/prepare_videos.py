"""The old name of `python -m dvdgan_tf.prepare`, for this version only."""

import sys

from dvdgan_tf import prepare

if __name__ == "__main__":
    print(
        "tools/prepare_videos.py is now python -m dvdgan_tf.prepare; "
        "write that instead.",
        file=sys.stderr,
    )
    prepare.main()
