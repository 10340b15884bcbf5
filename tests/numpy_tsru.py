"""Oracles of TrIVD-GAN's units: the equations in float64 NumPy."""

import numpy as np
from numpy_layers import convolve, relu, sigmoid


def warp(image, flow):
    """Jaderberg et al. 2015, equation 5, at clamped positions.

    Sums over all pixels (m, n) of the image, each times
    max(0, 1 - |y - m|) max(0, 1 - |x - n|).
    """
    _, height, width, _ = image.shape
    at = np.stack(np.indices((height, width)), -1) + flow
    y = np.clip(at[..., 0], 0, height - 1)[..., None]
    x = np.clip(at[..., 1], 0, width - 1)[..., None]
    rows = np.maximum(0, 1 - np.abs(y - np.arange(height)))
    columns = np.maximum(0, 1 - np.abs(x - np.arange(width)))
    return np.einsum("bijm,bijn,bmnc->bijc", rows, columns, image)


def tsru(kind, xs, w, h=None):
    """TSRUc, TSRUp or TSRUs, frame by frame; w["bias"] is b_g, b_u, b_c, b_f.

    f(h, x) is a 3x3 convolution, ReLU and a 3x3 convolution.
    """
    channels = xs.shape[-1]
    w_g, w_f, w_u, w_c = (
        w.normalized(f"{name}_kernel")
        for name in ("flow_hidden", "flow", "update", "candidate")
    )
    width = w_g.shape[-1]
    ends = np.cumsum([width, channels, channels])
    b_g, b_u, b_c, b_f = np.split(w["bias"], ends)
    if h is None:
        h = np.zeros_like(xs[:, 0])

    def conv(a, b, kernel, bias):
        return convolve(np.concatenate([a, b], -1), kernel) + bias

    states = []
    for x in np.moveaxis(xs, 1, 0):
        theta = convolve(relu(conv(h, x, w_g, b_g)), w_f) + b_f
        moved = warp(h, theta)
        if kind == "TSRUc":
            c = relu(conv(moved, x, w_c, b_c))
            u = sigmoid(conv(h, x, w_u, b_u))
        elif kind == "TSRUp":
            c = relu(conv(h, x, w_c, b_c))
            u = sigmoid(conv(h, x, w_u, b_u))
        elif kind == "TSRUs":
            c = relu(conv(moved, x, w_c, b_c))
            u = sigmoid(conv(moved, c, w_u, b_u))
        h = u * moved + (1 - u) * c
        states.append(h)
    return np.stack(states, 1)
