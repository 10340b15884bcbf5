"""Convolutions with zero padding, alone or followed by average pooling.

The mean of p neighbouring results of a kernel of k taps is one result of a
kernel of k + p - 1 taps: the mean of the p shifted kernels. A convolution
with stride p by that kernel is the average pool of the convolution, and takes
((k + p - 1) / (k p))^d of its multiplications in d dimensions: for k = 3 and
p = 2, 16 instead of 36 per pooled pixel, and 64 instead of 216 for d = 3.
"""

from collections.abc import Sequence

import tensorflow as tf


def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with stride 1 and zero padding ("same").

    Args:
        inputs: [..., H, W, C] for a kernel of rank 4, leading axes are
            independent images; [B, T, H, W, C] for one of rank 5.
        kernel: [(k,) k, k, C, C'].

    Returns:
        The shape of `inputs` with C' channels.
    """
    if kernel.shape.rank == 4:
        return tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME")
    return tf.nn.conv3d(inputs, kernel, strides=[1] * 5, padding="SAME")


def pooling_kernel(kernel: tf.Tensor, windows: Sequence[int]) -> tf.Tensor:
    """Returns the kernel whose strided convolution includes an average pool.

    Args:
        kernel: [(k,) k, k, C, C'].
        windows: sizes of the pool, one for each axis of the kernel's edges.

    Returns:
        The kernel for `convolve_and_pool`, each edge longer by window - 1.
    """
    for axis, window in enumerate(windows):
        if window == 1:
            continue
        shifted = []
        for before in range(window):
            paddings = [[0, 0]] * kernel.shape.rank
            paddings[axis] = [before, window - 1 - before]
            shifted.append(tf.pad(kernel, paddings))
        kernel = tf.add_n(shifted) / window
    return kernel


def convolve_and_pool(
    inputs: tf.Tensor, kernel: tf.Tensor, windows: Sequence[int]
) -> tf.Tensor:
    """Returns the average pool of a "same" convolution.

    A remainder that fills no window is dropped.

    Args:
        inputs: [..., H, W, C] or [B, T, H, W, C], as in `convolve`.
        kernel: made by `pooling_kernel` from one with odd edges.
        windows: windows of the pool, as `pooling_kernel` takes them, 1 or 2.
            For these, "same" padding begins with (k - 1) / 2 zeros, whatever
            the remainder.

    Returns:
        [..., (T // p,) H // p, W // p, C'] with p the axis's window.
    """
    if kernel.shape.rank == 4:
        outputs = tf.nn.conv2d(inputs, kernel, windows, "SAME")
    else:
        outputs = tf.nn.conv3d(inputs, kernel, [1, *windows, 1], "SAME")
    first = inputs.shape.rank - 1 - len(windows)
    sizes = inputs.shape[first:-1]
    if all(n % p == 0 for n, p in zip(sizes, windows, strict=True)):
        return outputs
    whole = [slice(n // p) for n, p in zip(sizes, windows, strict=True)]
    return outputs[(..., *whole, slice(None))]
