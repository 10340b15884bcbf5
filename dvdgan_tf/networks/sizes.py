"""Which sizes of frames G can make: a small seed, doubled group by group.

Each side of a frame is a seed of 3 to 8 pixels times a power of two, the same
power for both. Where several fit, it is the largest for which there are
widths, so the seed is the smallest: 4x4 for the paper's 64, 128 and 256, 4x7
for (64, 112), 3x4 for (48, 64).
"""

from dvdgan_tf.frame_size import Resolution, sides
from dvdgan_tf.networks.widths import GENERATOR_MULTIPLIERS

_SEEDS = range(3, 9)
_PAPERS_SEED = (4, 4)


def seed_and_doublings(resolution: Resolution) -> tuple[tuple[int, int], int]:
    """Returns (height, width) of G's seed, and how often it is doubled.

    Args:
        resolution: one number of pixels, or (height, width).

    Raises:
        ValueError: no seed leads to frames of this size; the message names
            the nearest sizes that work.
    """
    height, width = sides(resolution)
    for doublings in sorted(_all_doublings(), reverse=True):
        (top, down), (left, right) = (
            divmod(side, 2**doublings) for side in (height, width)
        )
        if not down and not right and top in _SEEDS and left in _SEEDS:
            return (top, left), doublings
    powers = sorted(2**n for n in _all_doublings())
    first, second = _nearest(height, width)
    raise ValueError(
        "RESOLUTION must be one number of pixels or (height, width): from "
        f"{_SEEDS[0]} to {_SEEDS[-1]} times a power of two from {powers[0]} "
        f"to {powers[-1]}, the same for both sides; the nearest are {first} "
        f"and {second}. Received: resolution={resolution}"
    )


def scaled(size: tuple[int, int], doublings: int) -> tuple[int, int]:
    """Returns (height, width) after so many doublings of both."""
    height, width = size
    return height << doublings, width << doublings


def rounds_up(resolution: Resolution) -> bool:
    """Whether poolings in D count a last odd row or column, or drop it.

    Only seeds that are not the paper's lead to odd maps with its poolings;
    networks with the paper's seed drop what windows of other sizes leave.
    """
    return seed_and_doublings(resolution)[0] != _PAPERS_SEED


def _all_doublings():
    """The numbers of doublings for which there are widths."""
    return [
        (size // _PAPERS_SEED[0]).bit_length() - 1
        for size in GENERATOR_MULTIPLIERS
    ]


def _nearest(height, width):
    """The two sizes nearest to one that does not work, squares to squares."""
    pairs = {
        (top << n, left << n)
        for n in _all_doublings()
        for top in _SEEDS
        for left in _SEEDS
        if height != width or top == left
    }
    nearest = sorted(
        pairs, key=lambda p: (abs(p[0] - height) + abs(p[1] - width), p)
    )[:2]
    return (p[0] if height == width else p for p in sorted(nearest))
