import pytest

from dvdgan_tf import frame_size
from dvdgan_tf.networks.sizes import rounds_up, seed_and_doublings


@pytest.mark.parametrize(
    ("resolution", "seed", "doublings"),
    [
        (32, (4, 4), 3),
        (64, (4, 4), 4),
        ((64, 64), (4, 4), 4),
        (128, (4, 4), 5),
        (256, (4, 4), 6),
        ((64, 112), (4, 7), 4),
        ((112, 64), (7, 4), 4),
        ((32, 56), (4, 7), 3),
        ((48, 64), (3, 4), 4),
        ((64, 80), (4, 5), 4),
        # Both (3, 3) and (6, 6) would do: as many doublings as can be.
        (96, (3, 3), 5),
        ((96, 128), (3, 4), 5),
        ((64, 128), (4, 8), 4),
        (512, (8, 8), 6),
    ],
)
def test_seeds(resolution, seed, doublings):
    assert seed_and_doublings(resolution) == (seed, doublings)
    height, width = frame_size.sides(resolution)
    assert (seed[0] * 2**doublings, seed[1] * 2**doublings) == (height, width)
    assert rounds_up(resolution) == (seed != (4, 4))


@pytest.mark.parametrize(
    ("resolution", "nearest"),
    [
        (100, "96 and 112"),
        ((64, 100), r"\(64, 96\) and \(64, 112\)"),
        # 5 x 2^4 and 8 x 2^4, but never 4.5.
        ((72, 128), r"\(64, 128\) and \(80, 128\)"),
        # Far too wide for one power of two.
        ((32, 256), r"Received: resolution=\(32, 256\)"),
        (1000, "448 and 512"),
    ],
)
def test_other_sizes_are_refused_with_the_nearest(resolution, nearest):
    with pytest.raises(ValueError, match=nearest) as error:
        seed_and_doublings(resolution)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "resolution", [0, -64, 64.0, "64", (64,), (64, 0), (64, 64, 3), None]
)
def test_what_is_no_size(resolution):
    with pytest.raises(ValueError, match="such as 64, or"):
        seed_and_doublings(resolution)


def test_how_a_size_is_written():
    assert frame_size.compact((64, 64)) == 64
    assert frame_size.compact((64, 112)) == [64, 112]
    assert frame_size.text((64, 112)) == "64x112"
    assert frame_size.of_video((64, 112)) == "112x64"
