"""When each frame of a video is shown, of files that know it badly."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av

# Rates outside of the range are nonsense: 1000 is what containers that count
# in 1/1000 s say where they know nothing.
_DEFAULT_FPS, _MIN_FPS, _TOO_MANY_FPS = 25.0, 1.0, 1000.0

# Frames may last for minutes, but time stamps also jump by hours where two
# recordings meet. In formats made for that (MPEG-TS) FFmpeg, too, takes more
# than 10 s for a jump. In others all frames that last more than a second may
# take 6 hours together: few bytes must not ask for frames without end.
_LONGEST_S, _ALL_LONG_S = 10.0, 6 * 3600.0

# What is more lasts this long instead.
_JUMP_S = 1.0

# Containers round time stamps, most of them to 1/1000 s or 1/600 s.
_ROUNDING_S = 0.002

# A claimed rate this near to the measured one is right: old AVI files lose a
# frame or two to guessed times. 24 and 25 fps are 4 % apart.
_AGREEMENT = 0.03


def average_fps(num_frames: int, span: float, nominal_fps: float) -> float:
    """Measures the frames per second of a run of frames.

    Args:
        num_frames: number of frames in the run.
        span: seconds from its first frame to its last.
        nominal_fps: what the file claims, taken where the times agree up to
            their rounding, or where there is but one frame.

    Returns:
        A float above 0.
    """
    claimed = (num_frames - 1) / nominal_fps  # seconds
    agrees = abs(span - claimed) <= _ROUNDING_S + _AGREEMENT * span
    if agrees or span * _TOO_MANY_FPS <= num_frames - 1:
        return nominal_fps
    return (num_frames - 1) / span


def claimed_fps(stream: av.VideoStream) -> float:
    """Returns the frames per second that a file claims, if they make sense.

    Args:
        stream: stream of an open file.
    """
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and _MIN_FPS <= rate < _TOO_MANY_FPS:
            return float(rate)
    return _DEFAULT_FPS


def _stamped(frames):
    # FFmpeg guesses like this: AVI knows only the order of decoding, and where
    # the presentation times made up for it go back more often, that is better.
    faults = {"pts": 0, "dts": 0}
    last = {}
    for frame in frames:
        stamps = {"pts": frame.pts, "dts": frame.dts}
        for kind, stamp in stamps.items():
            if stamp is not None:
                faults[kind] += stamp <= last.get(kind, -math.inf)
                last[kind] = stamp
        best = sorted(stamps, key=faults.get)  # stable, so pts if in doubt
        yield (
            frame,
            next((stamps[k] for k in best if stamps[k] is not None), None),
        )


def longest_s(container: av.container.InputContainer) -> float:
    """Returns how many seconds one frame of a file may last, at most.

    Args:
        container: the open file.
    """
    # PyAV's stubs take the flag's value for the flag itself.
    discontinuous: Any = av.format.Flags.ts_discont.value
    jumps = container.format.flags & discontinuous
    return _LONGEST_S if jumps else _ALL_LONG_S


def timed(
    frames: Iterable[av.VideoFrame],
    time_base: Fraction,
    period: float,
    longest: float = _ALL_LONG_S,
) -> Iterator[tuple[av.VideoFrame, float]]:
    """Finds the time at which each frame is shown.

    Where time stamps are missing or repeated, time goes on by the period;
    where they jump back it goes on from there. Where they jump ahead by more
    than `longest`, or once long frames have taken 6 hours together, the frame
    before lasts one second.

    Args:
        frames: decoded frames in their order.
        time_base: seconds of a tick of their time stamps.
        period: seconds from a frame to the next where nothing is known.
        longest: seconds that one frame may last.

    Yields:
        Each frame and its time in seconds, never less than the one before.
    """
    time, offset, last, left = -period, 0.0, None, _ALL_LONG_S
    for frame, ticks in _stamped(frames):
        stamp = None if ticks is None else float(ticks * time_base)
        if stamp is None or stamp == last:
            time += period
        elif last is None or stamp < last or stamp + offset < time - _JUMP_S:
            time += period
            offset = time - stamp
        else:
            # Where guessed times ran a little ahead, they wait.
            lasts = max(0.0, stamp + offset - time)
            if lasts > min(longest, left):
                lasts = _JUMP_S
                offset = time + lasts - stamp
            time += lasts
            left -= lasts if lasts > _JUMP_S else 0.0
        last = last if stamp is None else stamp
        yield frame, time


def resampled(
    frames: Iterable[tuple[av.VideoFrame, float]],
    fps: float,
    period: float,
    longest: float = _ALL_LONG_S,
) -> Iterator[tuple[av.VideoFrame, float]]:
    """Repeats and leaves out frames, so that they come at a steady rate.

    Args:
        frames: frames and their times, as `timed` yields them.
        fps: frames per second to yield.
        period: seconds that a single frame lasts if the file does not say so.
        longest: seconds that one frame may last.

    Yields:
        Frame k is the last whose time is at most k / fps; and k / fps.
    """
    tolerance = min(_ROUNDING_S, 0.25 / fps)
    shown, time, index = None, 0.0, 0
    # Matroska's frames may all claim the same, whatever their times are.
    is_true = True
    for count, (frame, next_time) in enumerate(frames):
        while shown and index / fps + tolerance < next_time:
            yield shown, index / fps
            index += 1
        if shown:
            claim = _claimed_duration(shown, longest) or 0.0
            is_true = abs(claim - (next_time - time)) <= _ROUNDING_S
        shown, time = frame, next_time
        period = time / count if count else period
    if shown and is_true:
        # No next frame tells how long the last one lasts.
        period = _claimed_duration(shown, longest) or period
    while shown and index / fps + tolerance < time + period:
        yield shown, index / fps
        index += 1


def _claimed_duration(frame, longest):
    """Seconds that a frame lasts by its file; None if that makes no sense."""
    if not frame.duration or not frame.time_base:
        return None
    duration = float(frame.duration * frame.time_base)
    # Some files give the last frame one tick.
    return duration if _ROUNDING_S < duration <= longest else None
