"""The frames that a model continues, from the video of whoever asks."""

import numpy as np
import pytest
import videos

from dvdgan_tf.sampling.conditions import first_frames
from dvdgan_tf.video import reading


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("uploads") / "square.mkv"
    videos.write(path, videos.moving_square())
    return str(path)


def test_crop_is_the_square_in_the_middle(video):
    # 48 x 64 pixels, the shorter side to 24 and the other to 32.
    whole = np.stack(list(reading.read_frames(video, (24, 32))))
    frames = first_frames(video, 5, 24, "crop", 2)
    np.testing.assert_array_equal(frames, whole[0:10:2, :, 4:28])


@pytest.mark.parametrize(
    ("size", "whole", "part"),
    [
        # Of 48 x 64 pixels: wider than stored, then taller.
        ((24, 40), (30, 40), (slice(3, 27), slice(None))),
        ((24, 16), (24, 32), (slice(None), slice(8, 24))),
        ((24, 32), (24, 32), (slice(None), slice(None))),
    ],
)
def test_crop_of_another_shape_is_the_middle_too(video, size, whole, part):
    whole = np.stack(list(reading.read_frames(video, whole)))
    frames = first_frames(video, 5, size, "crop", 2)
    np.testing.assert_array_equal(frames, whole[0:10:2, *part])


def test_squash_is_all_of_the_frame(video):
    whole = np.stack(list(reading.read_frames(video, (16, 16))))
    frames = first_frames(video, 5, 16, "squash", 2)
    np.testing.assert_array_equal(frames, whole[0:10:2])


def test_what_is_no_video_or_too_short(video, tmp_path):
    path = tmp_path / "--help.mp4"
    path.write_text("words")
    with pytest.raises(ValueError, match="it is text, no video") as raised:
        first_frames(str(path), 5, 16, "crop")
    assert "'--help.mp4'" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(ValueError, match=r"^square.mkv has 12 frames; this"):
        first_frames(video, 13, 16, "crop")
    with pytest.raises(ValueError, match=r"7 at a stride of 2: 13\."):
        first_frames(video, 7, 16, "crop", 2)
