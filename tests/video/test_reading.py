"""Reading of videos: what is in real files, and in files made to harm."""

import errno
import fractions
import io
import os
import pathlib
import struct
import tempfile
import types
import wave

import av
import numpy as np
import pytest
import videos

from dvdgan_tf.video import opening, reading, time_stamps, writing
from dvdgan_tf.video.reading import read_frames


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_size_is_a_value_or_a_function_of_the_source(tmp_path):
    path = tmp_path / "a.mp4"
    writing.write_mp4(path, videos.moving_square(3), fps=25)
    by_value = np.stack(list(read_frames(path, (24, 20))))
    assert by_value.shape == (3, 24, 20, 3)
    seen = []

    def half(height, width):
        seen.append((height, width))
        return height // 2, width // 2

    halved = np.stack(list(read_frames(path, half)))
    assert halved.shape == (3, 24, 32, 3) and set(seen) == {(48, 64)}
    means = videos.moving_square(3).reshape(3, 24, 2, 32, 2, 3).mean((2, 4))
    assert videos.psnr(halved, means) > 28


def test_resizing_keeps_white_white_and_black_black(tmp_path):
    path = tmp_path / "a.mp4"
    video = np.zeros([2, 64, 64, 3], np.uint8)
    video[1] = 255
    writing.write_mp4(path, video, fps=25)
    black, white = read_frames(path, (32, 32))
    assert black.max() <= 1 and white.min() >= 254


def test_display_rotation_is_applied(tmp_path):
    path = tmp_path / "a.mp4"
    video = videos.moving_square(2)
    writing.write_mp4(path, video, fps=25)
    # x' = a x + c y, y' = b x + d y, y downwards, so this turns clockwise.
    videos.turn(path, (0, 1, -1, 0))
    frames = np.stack(list(read_frames(path)))
    clockwise = video.transpose(0, 2, 1, 3)[:, :, ::-1]
    assert frames.shape == clockwise.shape == (2, 64, 48, 3)
    assert videos.psnr(frames, clockwise) > 28
    asked = []
    small = next(read_frames(path, lambda *hw: asked.append(hw) or (32, 24)))
    assert asked == [(64, 48)] and small.shape == (32, 24, 3)


def test_cover_art_is_no_video(tmp_path):
    path = tmp_path / "song.mp4"
    videos.audio_with_cover(path)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1  # the trap is set
    with pytest.raises(ValueError) as error:
        list(read_frames(path))
    assert "song.mp4" in one_line(error) and "audio" in one_line(error)


def test_sound_alone_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    with pytest.raises(ValueError, match=r"a\.wav.*audio"):
        list(read_frames(tmp_path / "a.wav"))


def gif_that_claims(path, width, height):
    videos.write(path, videos.numbered(2), "gif", "rgb8")
    data = bytearray(path.read_bytes())
    data[6:10] = struct.pack("<HH", width, height)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (b"this is text\n" * 400, "is text"),
        ("<html>größer</html>".encode(), "is text"),
        (bytes(range(256)) * 20, "no video file"),
        # Both would have FFmpeg open another file.
        (b"ffconcat version 1.0\nfile other.ts\n", "is text"),
        (b"#EXTM3U\n#EXTINF:3,\nother.ts\n#EXT-X-ENDLIST\n", "is text"),
    ],
)
def test_what_is_no_video_is_named(tmp_path, monkeypatch, content, reason):
    monkeypatch.chdir(tmp_path)  # where "other.ts" is
    videos.write("other.ts", videos.noise(9), "mpeg2video", "yuv420p")
    assert len(list(read_frames("other.ts"))) == 9  # the trap is set
    for name in ("broken.mp4", "broken.txt"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(opening.UnreadableVideoError) as error:
            list(read_frames(path))
        assert name in one_line(error) and reason in error.value.reason
        assert name not in error.value.reason


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    for name in ("pipe.mp4", "folder.mp4", "nul\0.mp4"):
        with pytest.raises(opening.UnreadableVideoError):
            list(read_frames(tmp_path / name))


def test_file_that_may_not_be_read(unprivileged):
    path = unprivileged / "a.mkv"
    videos.write(path, videos.numbered(2))
    path.chmod(0)
    with pytest.raises(ValueError, match="Permission denied"):
        list(read_frames(path))


@pytest.mark.parametrize(
    "error, expected",
    [
        (OSError(errno.EIO, "of the drive"), opening.CannotReadError),
        # FFmpeg's word for some damage.
        (
            av.error.OSError(errno.EIO, "of the drive"),
            opening.UnreadableVideoError,
        ),
    ],
)
def test_whose_fault_it_is(tmp_path, monkeypatch, error, expected):
    class File(io.FileIO):
        def read(self, size=-1):
            raise error

    path = tmp_path / "a.mkv"
    videos.write(path, videos.numbered(2))
    monkeypatch.setattr(
        opening, "open", lambda path, *_, **__: File(path), raising=False
    )
    with pytest.raises(expected) as raised:
        list(read_frames(path))
    assert "a.mkv" in one_line(raised)
    assert raised.value.reason.endswith("of the drive")


@pytest.fixture
def unprivileged():
    """A folder of a user for whom permissions count: root ignores them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        was_root = os.geteuid() == 0
        if was_root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield pathlib.Path(folder)
        finally:
            if was_root:
                os.seteuid(0)


def test_a_header_cannot_ask_for_all_the_memory(tmp_path):
    path = tmp_path / "bomb.gif"
    gif_that_claims(path, 20000, 2000)
    with pytest.raises(ValueError, match=r"bomb\.gif"):
        list(read_frames(path))
    gif_that_claims(path, 2000, 2000)
    assert next(read_frames(path)).shape == (2000, 2000, 3)


@pytest.mark.parametrize(
    "codec, pix_fmt",
    [
        ("ffv1", "gray"),
        ("ffv1", "gray10le"),
        ("ffv1", "yuv420p10le"),
        ("ffv1", "yuv422p"),
        ("ffv1", "yuva420p"),
        ("png", "rgba"),
        ("png", "gray"),
        ("gif", "rgb8"),
        ("mpeg4", "yuv420p"),
    ],
)
@pytest.mark.parametrize("height, width", [(36, 64), (65, 33)])
def test_pixel_formats_and_odd_sizes(tmp_path, codec, pix_fmt, height, width):
    path = tmp_path / "a.mkv"
    video = videos.moving_square(4, height, width)
    if "gray" in pix_fmt:
        video = np.repeat(video.mean(-1, keepdims=True), 3, -1)
        video = video.astype(np.uint8)
    if codec in ("gif", "png"):
        path = tmp_path / {"gif": "a.gif", "png": "a.mov"}[codec]
    videos.write(path, video, codec, pix_fmt)
    frames = np.stack(list(read_frames(path)))
    assert frames.shape == video.shape
    assert videos.psnr(frames, video) > 20


def test_size_that_changes_half_way_is_made_the_first(tmp_path):
    path = tmp_path / "a.ts"
    data = b""
    for height, width in ((48, 64), (96, 32)):
        part = tmp_path / "part.ts"
        video = videos.moving_square(5, height, width)
        videos.write(part, video, "mpeg2video", "yuv420p")
        data += part.read_bytes()
    path.write_bytes(data)
    frames = list(read_frames(path))
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    assert len(frames) >= 9  # the decoder may lose one where it changes
    # The stamps start again, which is not taken for time that passed.
    assert len(list(read_frames(path, fps=25))) in (9, 10, 11)


def test_of_two_video_streams_the_first_is_read(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        first = container.add_stream("ffv1", rate=25)
        second = container.add_stream("ffv1", rate=10)
        # Both are opened by the first frame of either.
        second.height, second.width, second.pix_fmt = 8, 8, "bgr0"
        videos.add(container, first, videos.numbered(5), "bgr0")
        videos.add(container, second, videos.numbered(3, 8, 8), "bgr0")
    frames = list(read_frames(path))
    assert videos.numbers(frames) == list(range(5))
    assert frames[0].shape == (16, 24, 3)


def resampled(path, fps):
    frames = list(reading.read_timed_frames(path, fps=fps))
    assert [f.time for f in frames] == [k / fps for k in range(len(frames))]
    assert {frame.nominal_fps for frame in frames} <= {fps}
    return videos.numbers(frame.pixels for frame in frames)


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_resampling_repeats_and_leaves_out(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    videos.write(path, videos.numbered(30), fps=30)
    assert resampled(path, 30) == list(range(30))
    assert resampled(path, 15) == list(range(0, 30, 2))
    assert resampled(path, 60) == [k // 2 for k in range(60)]
    assert resampled(path, 12) == [int(2.5 * k + 1e-9) for k in range(12)]


def test_resampling_goes_by_the_times_of_the_frames(tmp_path):
    path = tmp_path / "a.mkv"
    # 0.5 s late at the start, which is time zero; then ever slower.
    stamps = [500, 540, 580, 700, 900, 1300]
    videos.write(path, videos.numbered(6), stamps=stamps)
    expected = [0, 2, 3, 3, 4, 4, 4, 4, 5, 5]
    assert resampled(path, 10) == expected
    timed = list(reading.read_timed_frames(path))
    times = np.array([frame.time for frame in timed])
    np.testing.assert_allclose(times, (np.array(stamps) - 500) / 1e3)
    assert videos.numbers(frame.pixels for frame in timed) == list(range(6))
    fps = time_stamps.average_fps(6, times[-1], timed[0].nominal_fps)
    assert fps == pytest.approx(5 / 0.8)


def test_a_jump_of_hours_repeats_a_frame_for_one_second(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(
        path,
        videos.numbered(6),
        stamps=[0, 40, 80, 40_000_000, 40_000_040, 40_000_080],
    )
    found = resampled(path, 25)
    assert found[:3] == [0, 1, 2] and found.count(2) == 25
    assert found[27:30] == [3, 4, 5]


def test_times_of_avi_with_b_frames():
    # AVI has no presentation times; those that FFmpeg makes up for some
    # encoders' files go back, as in this one of HMDB.
    pts = [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 14, 17, 16, 19, 18]
    frames = [
        types.SimpleNamespace(pts=stamp, dts=number + 2)
        for number, stamp in enumerate(pts)
    ]
    tick = fractions.Fraction(1, 30)
    timed = list(time_stamps.timed(iter(frames), tick, period=1 / 30))
    assert [frame for frame, _ in timed] == frames
    times = np.array([time for _, time in timed])
    # Up to two frames early or late until the guess changes, then one.
    late = np.abs(times * 30 - np.arange(18))
    assert late.max() < 2.01 and late[-4:].max() < 1.01
    assert np.diff(times).min() >= 0


@pytest.mark.skipif(
    "libx264" not in av.codecs_available, reason="no H.264 encoder"
)
def test_a_stream_without_times(tmp_path):
    path = tmp_path / "raw.h264"
    videos.write(path, videos.numbered(10), "libx264", "yuv444p", crf="1")
    with av.open(str(path)) as container:
        stamps = {frame.pts for frame in container.decode(video=0)}
    assert stamps == {None}  # the trap is set
    frames = list(read_frames(path, fps=25))
    assert len(frames) == 10
    assert np.diff([frame.mean() for frame in frames]).min() > 4


@pytest.mark.parametrize(
    "stamps, expected",
    [
        ([None] * 4, [0, 1, 2, 3]),
        ([7, 8, 9, 10], [0, 1, 2, 3]),
        ([None, 8, 9, 11], [0, 1, 2, 4]),
        ([7, None, 9, None, 13], [0, 1, 2, 3, 6]),
        ([0, 0, 2, 2, 4, 4], [0, 1, 2, 3, 4, 5]),
        ([0, 2, 4, 0, 2, 4], [0, 2, 4, 5, 7, 9]),
        ([0, 1, 10**12, 10**12 + 2], [0, 1, 11, 13]),
        ([0, 1, -(10**12), 2], [0, 1, 2, 12]),
        ([0, *[None] * 20, 1, 2], range(23)),
    ],
)
def test_times_of_broken_stamps(stamps, expected):
    frames = [types.SimpleNamespace(pts=stamp, dts=None) for stamp in stamps]
    tick = fractions.Fraction(1, 10)
    times = [t for _, t in time_stamps.timed(frames, tick, period=0.1)]
    np.testing.assert_allclose(times, np.array(expected) / 10, atol=1e-4)


def test_videos_are_streamed(tmp_path):
    path = tmp_path / "a.mkv"
    videos.write(path, videos.numbered(30))
    opened = len(os.listdir("/proc/self/fd"))
    frames = read_frames(path, fps=1000)
    first = [next(frames) for _ in range(40)]
    assert first[0] is first[39] and len(os.listdir("/proc/self/fd")) > opened
    frames.close()
    assert len(os.listdir("/proc/self/fd")) == opened


@pytest.mark.parametrize(
    "num_frames, span, expected",
    [
        (1, 0.0, 25),  # nothing to measure
        (11, 0.4, 25),
        (11, 0.402, 25),  # rounded
        (300, 12.2, 25),  # 24.5, some lost
        (11, 0.8, 12.5),
        (11, 0.2, 50),
        (11, 0.0, 25),  # no times
        (11, 1e-6, 25),
    ],
)
def test_average_fps(num_frames, span, expected):
    assert time_stamps.average_fps(num_frames, span, 25.0) == expected


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_fps_is_a_rate(fps):
    with pytest.raises(ValueError, match="fps"):
        next(read_frames("a.mp4", fps=fps))


CUT = [
    ("a.avi", "mpeg4", {}),
    ("a.mkv", "mpeg4", {}),
    ("a.mp4", "mpeg4", {"movflags": "faststart"}),
    ("a.mpg", "mpeg1video", {}),
]


@pytest.mark.parametrize("fps", [None, 25])
@pytest.mark.parametrize("name, codec, container_options", CUT)
def test_a_file_cut_off_gives_the_frames_before(
    tmp_path, name, codec, container_options, fps
):
    path = tmp_path / name
    video = videos.noise(30)
    options = {"container_options": container_options}
    videos.write(path, video, codec, "yuv420p", **options)
    whole = list(read_frames(path))
    videos.cut(path)
    frames = []
    try:
        for frame in read_frames(path, fps=fps):
            frames.append(frame)
    except opening.UnreadableVideoError as error:
        assert name in str(error)
    else:
        assert name == "a.mkv"  # ends between frames, like a whole one
    assert 5 <= len(frames) < 25
    # None of them half grey.
    np.testing.assert_array_equal(frames, whole[: len(frames)])


def test_absent_file():
    with pytest.raises(FileNotFoundError) as error:
        list(read_frames("/nowhere/a.mp4"))
    assert "/nowhere/a.mp4" in one_line(error)
