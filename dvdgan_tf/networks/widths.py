"""Channel widths of G, D_S and D_T by the number of doublings, in units of ch.

The tables are keyed by the side of the square frames that a 4x4 seed becomes
(see `sizes`). 64 and 128 are recalled from the paper, 256 is an open choice;
32 is ours, for small runs.
"""

from collections.abc import Sequence

# Entry 0 is the seed, entry i the output of group i.
GENERATOR_MULTIPLIERS = {
    32: (8, 8, 8, 4),
    64: (8, 8, 8, 4, 2),
    128: (8, 8, 8, 4, 2, 1),
    256: (8, 8, 8, 8, 4, 2, 1),
}

# Entry i is the output of block i, the same for D_S and D_T.
DISCRIMINATOR_MULTIPLIERS = {
    32: (4, 8, 16, 16),
    64: (2, 4, 8, 16, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}


def widths(
    table: dict[int, tuple[int, ...]],
    doublings: int,
    ch: int,
    multipliers: Sequence[int] | None = None,
) -> list[int]:
    """Returns the widths of a network, in channels.

    Args:
        table: a table of multipliers, such as `GENERATOR_MULTIPLIERS`.
        doublings: number of times that G's seed is doubled (see `sizes`), which
            the table must have.
        ch: the width unit.
        multipliers: replaces the table's entry, of the same length.

    Raises:
        ValueError: ch < 1, or the multipliers have another length.
    """
    check_at_least_one(ch=ch)
    entry = table[4 << doublings]
    multipliers = multipliers or entry
    if len(multipliers) != len(entry):
        raise ValueError(
            f"channel_multipliers of a network with {doublings} doublings "
            f"must have {len(entry)} entries. Received: "
            f"channel_multipliers={tuple(multipliers)}"
        )
    return [ch * multiplier for multiplier in multipliers]


def check_attention(heights: Sequence[int], possible: Sequence[int]) -> None:
    """Raises ValueError unless all attention resolutions occur.

    Args:
        heights: heights of the feature maps asked for.
        possible: heights of the feature maps that the network has.
    """
    for height in heights:
        if height not in possible:
            raise ValueError(
                "attention_resolutions must be among the heights of this "
                f"network's maps, {', '.join(map(str, possible))}. "
                f"Received: {height}"
            )


def check_at_least_one(**arguments: int) -> None:
    """Raises ValueError, naming it, unless all are integers from 1 on."""
    for name, value in arguments.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"{name.upper()} must be an integer of at least 1. "
                f"Received: {name}={value}"
            )
