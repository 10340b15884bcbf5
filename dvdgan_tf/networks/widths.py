"""Channel widths of G, D_S and D_T by resolution, in units of ch.

64 and 128 are recalled from the paper, 256 is an open choice; 32 is ours, for
small runs.
"""

from collections.abc import Sequence

# Entry 0 is the 4x4 seed, entry i the output of group i.
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
    resolution: int,
    ch: int,
    multipliers: Sequence[int] | None = None,
) -> list[int]:
    """Returns the widths at a resolution, in channels.

    Args:
        table: a table of multipliers, such as `GENERATOR_MULTIPLIERS`.
        resolution: height and width of the videos.
        ch: the width unit.
        multipliers: replaces the table's entry, of the same length.

    Raises:
        ValueError: the resolution is not in the table, ch < 1, or the
            multipliers have another length.
    """
    if resolution not in table:
        raise ValueError(
            f"RESOLUTION must be one of {', '.join(map(str, table))}. "
            f"Received: resolution={resolution}"
        )
    check_at_least_one(ch=ch)
    multipliers = multipliers or table[resolution]
    if len(multipliers) != len(table[resolution]):
        raise ValueError(
            f"channel_multipliers at resolution {resolution} must have "
            f"{len(table[resolution])} entries. Received: "
            f"channel_multipliers={tuple(multipliers)}"
        )
    return [ch * multiplier for multiplier in multipliers]


def check_attention(
    resolutions: Sequence[int], possible: Sequence[int]
) -> None:
    """Raises ValueError unless all attention resolutions occur.

    Args:
        resolutions: feature resolutions asked for.
        possible: feature resolutions that the network has.
    """
    for resolution in resolutions:
        if resolution not in possible:
            raise ValueError(
                "attention_resolutions must be among this network's "
                f"{', '.join(map(str, possible))}. "
                f"Received: {resolution}"
            )


def check_at_least_one(**arguments: int) -> None:
    """Raises ValueError, naming it, unless all are integers from 1 on."""
    for name, value in arguments.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"{name.upper()} must be an integer of at least 1. "
                f"Received: {name}={value}"
            )
