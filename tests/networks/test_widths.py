import pytest

from dvdgan_tf.networks.sizes import seed_and_doublings
from dvdgan_tf.networks.widths import (
    DISCRIMINATOR_MULTIPLIERS,
    GENERATOR_MULTIPLIERS,
    widths,
)


@pytest.mark.parametrize(
    ("resolution", "ch", "g", "d"),
    [
        (64, 128, [1024, 1024, 1024, 512, 256], [256, 512, 1024, 2048, 2048]),
        (
            128,
            96,
            [768, 768, 768, 384, 192, 96],
            [96, 192, 384, 768, 1536, 1536],
        ),
        (
            256,
            96,
            [768, 768, 768, 768, 384, 192, 96],
            [96, 192, 384, 768, 768, 1536, 1536],
        ),
    ],
)
def test_the_papers_widths(resolution, ch, g, d):
    _, doublings = seed_and_doublings(resolution)
    assert widths(GENERATOR_MULTIPLIERS, doublings, ch) == g
    assert widths(DISCRIMINATOR_MULTIPLIERS, doublings, ch) == d


def test_multipliers_replace_the_table():
    table = GENERATOR_MULTIPLIERS
    assert widths(table, 4, 3, (5, 4, 3, 2, 1)) == [15, 12, 9, 6, 3]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((4, 0), "ch=0"),
        ((4, 8, (1, 2)), r"channel_multipliers=\(1, 2\)"),
    ],
)
def test_errors_name_the_value(args, message):
    with pytest.raises(ValueError, match=message) as info:
        widths(GENERATOR_MULTIPLIERS, *args)
    assert "\n" not in str(info.value)
