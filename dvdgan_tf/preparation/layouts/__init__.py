"""The layouts of collections that are taken as they are, one a file.

The docstring of `dvdgan_tf.preparation` has a table of them.
"""

from dvdgan_tf.preparation.layouts import (
    class_folders,
    csv_table,
    frame_folders,
    hmdb51,
    kinetics,
    label_pattern,
    moving_mnist,
    single_file,
    something_something,
    text_list,
    ucf101,
)
from dvdgan_tf.preparation.listing import UNDERSTOOD, Listing
from dvdgan_tf.preparation.sources import Source

# The first that knows a source lists it. Official lists go before what only
# looks at folders, since what they say counts.
_IN_ORDER = (
    *(csv_table, text_list, moving_mnist, single_file),
    *(label_pattern, kinetics, something_something, ucf101, hmdb51),
    *(frame_folders, class_folders),
)


def clips(source: Source) -> Listing:
    """Lists the clips of a source by the first layout that it has.

    Raises:
        ValueError: it has none, or no clip.
    """
    for layout in _IN_ORDER:
        listing = layout.clips(source)
        if listing is not None:
            listing.check_not_empty([source.path])
            return listing
    raise ValueError(f"{source.path!r} is none of: {UNDERSTOOD}.")
