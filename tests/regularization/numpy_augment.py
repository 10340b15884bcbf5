"""DiffAugment of one clip in NumPy float64, pixel by pixel, from the paper."""

import math

import numpy as np

OFF = dict(
    brightness=0.0,
    saturation=0.0,
    contrast=0.0,
    translation=0.0,
    cutout=0.0,
    mirror=False,
    scale=0.0,
)


def augment(videos, noise, probability=None, **settings):
    """All clips [B, T, H, W, 3]; `settings` as those of the class."""
    settings = {**OFF, **settings}
    videos, noise = np.float64(videos), np.float64(noise)
    return np.stack(
        [
            _clip(v, n, probability, settings)
            for v, n in zip(videos, noise, strict=True)
        ]
    )


def _clip(video, noise, probability, settings):
    def uniform(place, low, high):
        return low + (high - low) * noise[place]

    def applied(gate):
        return probability is None or noise[gate] < probability

    b, s, c = (settings[k] for k in ("brightness", "saturation", "contrast"))
    if applied(0):
        video = video + uniform(1, -b, b)
    if applied(2):
        grey = video.mean(-1, keepdims=True)
        video = grey + (video - grey) * uniform(3, 1 - s, 1 + s)
    if applied(4):
        mean = video.mean()
        video = mean + (video - mean) * uniform(5, 1 - c, 1 + c)
    if settings["mirror"] and applied(6) and noise[7] < 0.5:
        video = video[:, :, ::-1]
    zoom, moves = 1.0, (0, 0)
    if settings["scale"] and applied(8):
        largest = math.log(1 + settings["scale"])
        zoom = math.exp(uniform(9, -largest, largest))
    sides = video.shape[1:3]
    if applied(10):
        moves = [
            _move(noise[11 + i], sides[i], settings["translation"])
            for i in range(2)
        ]
    video = _sampled(video, zoom, moves)
    if settings["cutout"] and applied(13):
        _cut(video, noise[14:16], settings["cutout"])
    return video


def _move(u, side, share):
    largest = round_half_up(share * side)
    return list(range(-largest, largest + 1))[int(u * (2 * largest + 1))]


def _sampled(video, zoom, moves):
    """Each pixel is a mix of the four around where it was before."""
    _, height, width, _ = video.shape
    outputs = np.zeros(video.shape)
    for row in range(height):
        for column in range(width):
            y = (row - moves[0] - (height - 1) / 2) / zoom + (height - 1) / 2
            x = (column - moves[1] - (width - 1) / 2) / zoom + (width - 1) / 2
            for i in (math.floor(y), math.floor(y) + 1):
                for j in (math.floor(x), math.floor(x) + 1):
                    if 0 <= i < height and 0 <= j < width:
                        weight = (1 - abs(y - i)) * (1 - abs(x - j))
                        outputs[:, row, column] += weight * video[:, i, j]
    return outputs


def _cut(video, u, share):
    """Sets to 0, in place, what lies less than half a length off a centre."""
    for row in range(video.shape[1]):
        for column in range(video.shape[2]):
            place, inside = (row, column), []
            for axis in range(2):
                side = video.shape[1 + axis]
                length = round_half_up(share * side)
                # Pixel i spans [i, i + 1]: the centre of a hole of even
                # length is a border of pixels, that of an odd one a middle.
                if length % 2:
                    centre = int(u[axis] * side) + 0.5
                else:
                    centre = int(u[axis] * (side + 1))
                inside.append(abs(place[axis] + 0.5 - centre) < length / 2)
            if all(inside):
                video[:, row, column] = 0.0


def round_half_up(value):
    return math.floor(value + 0.5)
