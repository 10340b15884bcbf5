"""Whole frames from interlaced video, each frame of which is of two moments."""

import collections
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.filter import Graph

# As many frames as before; those that are not marked pass as they are.
_OPTIONS = "mode=send_frame:parity=auto:deint=interlaced"

# The filter refuses frames of fewer lines or columns than 3; and chroma has
# half of them.
_LEAST_SIDE = 8


def deinterlaced(
    frames: Iterable[tuple[av.VideoFrame, float]],
) -> Iterator[tuple[av.VideoFrame, float]]:
    """Deinterlaces the frames that are marked as interlaced (FFmpeg's bwdif).

    Every second line of an interlaced frame is of one moment, and the lines
    between them are of the next, so that all that moves has combs. The filter
    keeps the lines of the first moment and makes the others from neighbours
    in space and time. Progressive video does not pass through it.

    Args:
        frames: frames and their times, as `time_stamps.timed` yields them.

    Yields:
        As many frames of the same sizes, with the same times.
    """
    graph = None
    for frame, time in frames:
        shape = frame.width, frame.height, frame.format.name
        # Some streams change half-way.
        if graph and graph.shape != shape:
            yield from graph.rest()
            graph = None
        if (
            not graph
            and frame.interlaced_frame
            and min(shape[:2]) >= (_LEAST_SIDE)
        ):
            graph = _Deinterlacer(shape)
        if graph:
            yield from graph.push(frame, time)
        else:
            yield frame, time
    if graph:
        yield from graph.rest()


class _Deinterlacer:
    """A filter graph for frames of one shape, (width, height, format)."""

    def __init__(self, shape: tuple[int, int, Any]) -> None:
        self.shape = shape
        width, height, pixels = shape
        self._graph = Graph()
        # Many files are decoded at once, so one thread for each.
        self._graph.threads = 1
        # The frames come out in their order, so their times wait here.
        self._times = collections.deque()
        self._pushed = 0
        nodes = (
            self._graph.add_buffer(
                width=width,
                height=height,
                format=pixels,
                time_base=Fraction(1, 25),
            ),
            self._graph.add("bwdif", _OPTIONS),
            self._graph.add("buffersink"),
        )
        self._graph.link_nodes(*nodes).configure()

    def push(
        self, frame: av.VideoFrame, time: float
    ) -> Iterator[tuple[av.VideoFrame, float]]:
        """Takes a frame, and yields those that are finished."""
        # Stamps that are missing or go back would confuse the filter.
        frame.pts, frame.time_base = self._pushed, Fraction(1, 25)
        self._pushed += 1
        self._times.append(time)
        self._graph.vpush(frame)
        yield from self._finished()

    def rest(self) -> Iterator[tuple[av.VideoFrame, float]]:
        """Yields the frames that have waited for their successors."""
        self._graph.vpush(None)
        yield from self._finished()

    def _finished(self):
        while self._times:
            try:
                frame = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            yield frame, self._times.popleft()
