"""Pixels that are not square, frames of two moments, frames that last."""

import fractions

import av
import numpy as np
import pytest
import videos
from av.filter import Graph
from PIL import Image

from dvdgan_tf.video import first_frames, reading
from dvdgan_tf.video.isolated import IsolatedDecoder


def write_oblong(path, video, ratio, codec="mpeg4"):
    """Writes frames whose pixels are `ratio` times as wide as high."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(*ratio)
        videos.add(container, stream, video, "yuv420p")


@pytest.mark.parametrize(
    "stored, ratio, shown",
    [
        ((96, 128), (2, 1), (96, 256)),
        ((72, 90), (16, 15), (72, 96)),  # PAL's, of an eighth of its size
        ((60, 90), (8, 9), (68, 90)),  # NTSC's: 67.5 lines
        ((96, 128), (1, 1), (96, 128)),
        ((96, 128), (500, 1), (96, 128)),  # a mistake
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_pixels_become_square(tmp_path, stored, ratio, shown, name):
    path = tmp_path / name
    write_oblong(path, videos.moving_square(3, *stored), ratio)
    frames = np.stack(list(reading.read_frames(path)))
    assert frames.shape == (3, *shown, 3)
    # The square is as wide in pixels as it is shown, 16 of those stored.
    wide = (frames[0, 8 : shown[0] // 3, :, 0].mean(0) > 130).sum()
    factor = shown[1] / stored[1]
    assert abs(wide - 16 * factor) <= 2


def test_a_wanted_size_is_that_of_square_pixels(tmp_path):
    path = tmp_path / "a.mp4"
    write_oblong(path, videos.moving_square(3, 96, 128), (2, 1))
    asked = []
    next(reading.read_frames(path, lambda *hw: asked.append(hw) or hw))
    assert asked == [(96, 256)]
    clip = first_frames.first_frames(path, 2, cover=(48, 48))
    assert clip.shape == (2, 48, 128, 3)
    with IsolatedDecoder(48) as decoder:
        (piece,) = decoder.pieces(path)
    assert (piece.height, piece.width) == (48, 128)


def test_oblong_pixels_are_turned_with_the_frame(tmp_path):
    path = tmp_path / "a.mp4"
    write_oblong(path, videos.moving_square(3, 96, 128), (2, 1))
    videos.turn(path, (0, 1, -1, 0))
    assert next(reading.read_frames(path)).shape == (256, 96, 3)


def moment(number, height=64, width=96):
    """A bright bar that moves by 4 pixels from moment to moment."""
    frame = np.full([height, width, 3], 40, np.uint8)
    frame[16:48, 4 * number : 4 * number + 16] = 220
    return frame


def write_interlaced(path, frames=8, height=64, first="tff"):
    """Frame k has the lines of moments 2 k and 2 k + 1."""
    graph = Graph()
    source = graph.add_buffer(
        width=96,
        height=height,
        format="yuv420p",
        time_base=fractions.Fraction(1, 25),
    )
    # PyAV's frames cannot be marked, FFmpeg's filter does it.
    marked = graph.add("setfield", first)
    graph.link_nodes(source, marked, graph.add("buffersink")).configure()
    options = {"flags": "+ildct+ilme", "b": "8000k", "bf": "2"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, height, "yuv420p"
        for number in range(frames):
            pixels = moment(2 * number, height)
            pixels[1::2] = moment(2 * number + 1, height)[1::2]
            frame = av.VideoFrame.from_ndarray(pixels)
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, fractions.Fraction(1, 25)
            graph.vpush(frame)
            container.mux(stream.encode(graph.vpull()))
        container.mux(stream.encode(None))


def test_interlaced_frames_become_whole(tmp_path):
    path = tmp_path / "a.mpg"
    write_interlaced(path)
    with av.open(str(path)) as container:
        raw = list(container.decode(video=0))
    assert all(frame.interlaced_frame for frame in raw)  # the trap is set
    combed = np.stack([frame.to_ndarray(format="rgb24") for frame in raw])
    frames = np.stack(list(reading.read_frames(path)))
    # All frames are there, each of its first moment, without combs.
    expected = np.stack([moment(2 * number) for number in range(8)])
    assert frames.shape == expected.shape
    for found, wanted, before in zip(frames, expected, combed, strict=True):
        error = np.abs(found.astype(int) - wanted)[16:48].mean()
        comb = np.abs(before.astype(int) - wanted)[16:48].mean()
        assert error < 0.4 * comb
    combs = np.abs(np.diff(frames[..., 0].astype(int), axis=1))[:, 20:44]
    assert combs.mean() < 2


@pytest.mark.parametrize("fps", [None, 25, 50])
def test_no_interlaced_frame_is_lost(tmp_path, fps):
    path = tmp_path / "a.mpg"
    write_interlaced(path)
    timed = list(reading.read_timed_frames(path, fps=fps))
    assert len(timed) == (16 if fps == 50 else 8)
    times = [frame.time for frame in timed]
    step = 1 / (fps or 25)
    np.testing.assert_allclose(np.diff(times), step, atol=1e-3)


def test_interlaced_video_whose_size_changes_half_way(tmp_path):
    path = tmp_path / "a.mpg"
    data = b""
    for height in (64, 96):
        write_interlaced(tmp_path / "part.mpg", height=height)
        data += (tmp_path / "part.mpg").read_bytes()
    path.write_bytes(data)
    frames = list(reading.read_frames(path))
    assert len(frames) >= 15  # the decoder may lose one where it changes
    assert {frame.shape for frame in frames} == {(64, 96, 3)}


def test_progressive_video_is_left_alone(tmp_path):
    path = tmp_path / "a.mkv"
    video = np.zeros([4, 32, 32, 3], np.uint8)
    video[:, ::2] = 200  # would be taken for combs
    videos.write(path, video)
    np.testing.assert_array_equal(list(reading.read_frames(path)), video)


def shown_at(path, fps):
    frames = [f.pixels for f in reading.read_timed_frames(path, fps=fps)]
    return videos.numbers(frames)


@pytest.mark.parametrize(
    "name, codec",
    [
        ("a.mp4", "mpeg4"),
        ("a.mov", "png"),
        ("a.mkv", "ffv1"),
        ("a.avi", "mjpeg"),
        ("a.ts", "mpeg4"),
    ],
)
def test_slow_video_is_as_long_as_it_lasts(tmp_path, name, codec):
    path = tmp_path / name
    pixels = {"png": "rgb24", "ffv1": "bgr0", "mjpeg": "yuvj420p"}
    rate = fractions.Fraction(1, 5)
    video = videos.numbered(12, 32, 32)
    videos.write(path, video, codec, pixels.get(codec, "yuv420p"), rate)
    found = shown_at(path, 5)
    assert found == [number // 25 for number in range(300)]


def test_frames_of_different_lengths(tmp_path):
    path = tmp_path / "a.mkv"
    stamps = [0, 100, 2100, 2200, 32200]
    videos.write(path, videos.numbered(5), stamps=stamps)
    # Matroska does not say how long the last one lasts: the average, 8.05 s.
    expected = [0] + 20 * [1] + [2] + 300 * [3] + 81 * [4]
    assert shown_at(path, 10) == expected


def write_gif(path, durations):
    """Frames of `numbered` that are shown for so many 1/100 s."""
    frames = [Image.fromarray(f) for f in videos.numbered(len(durations))]
    milliseconds = [10 * duration for duration in durations]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=milliseconds
    )


def test_the_last_frame_lasts_as_long_as_the_file_says(tmp_path):
    path = tmp_path / "a.gif"
    write_gif(path, [10, 200, 10, 300])
    assert shown_at(path, 10) == [0] + 20 * [1] + [2] + 30 * [3]


def test_one_frame_that_lasts(tmp_path):
    path = tmp_path / "a.gif"
    write_gif(path, [250, 10])
    assert shown_at(path, 4) == 10 * [0] + [1]


def test_few_bytes_do_not_ask_for_frames_without_end(tmp_path):
    path = tmp_path / "a.mkv"
    stamps = [3_000_000 * number for number in range(30)]  # 50 min each
    videos.write(path, videos.numbered(30), stamps=stamps)
    found = shown_at(path, 0.1)
    # Seven frames fit into 6 h; of the others each lasts a second, and the
    # last as long as the others on average.
    assert found[:2101] == [k // 300 for k in range(2101)]
    assert len(found) < 2200
