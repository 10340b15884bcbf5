"""The machine's own ceiling: its best rate at the model's convolutions."""

import math
import time

import tensorflow as tf


def seconds(function, repeats=5, at_least=0.05):
    """The least seconds that a call takes, after one to compile it.

    Short calls are timed several at once.

    Args:
        function: takes no arguments; what it starts on a GPU is waited for.
        repeats: timings, of which the least counts.
        at_least: seconds that each timing should last.
    """
    function()
    calls = 1
    timings = []
    while len(timings) < repeats:
        _wait()
        start = time.perf_counter()
        for _ in range(calls):
            function()
        _wait()
        elapsed = time.perf_counter() - start
        if elapsed < at_least and not timings:
            calls *= 2
            continue
        timings.append(elapsed / calls)
    return min(timings)


def _wait():
    """Until all accelerators have finished."""
    if tf.config.list_logical_devices("GPU"):
        tf.test.experimental.sync_devices()


def hot_shapes(step_count, how_many):
    """The model's 2-D convolutions with the most arithmetic in a step.

    Args:
        step_count: a `flops.StepCount`.
        how_many: largest number of distinct shapes.

    Returns:
        [(images, (H, W), C_in, C_out, kernels, strides)]
    """
    totals = {}
    for network in step_count.networks.values():
        for product in network.products:
            if product.shape and len(product.shape[1]) == 2:
                shape = product.shape
                totals[shape] = totals.get(shape, 0) + product.forward
    return sorted(totals, key=totals.get, reverse=True)[:how_many]


def measure(shapes, dtype, jit_compile, replicas=1):
    """Times `tf.nn.conv2d` alone, forward, at each shape.

    Args:
        shapes: shapes that `hot_shapes` returned.
        dtype: type of images and kernels.
        jit_compile: whether to try XLA as well; the better rate counts.
        replicas: each convolves its share of the images in the model; the
            device is one here, with all threads of the process.

    Returns:
        [{"gflops", "shape", "xla"}], FLOP/s in 1e9, the best first.
    """
    results = []
    for shape in shapes:
        images, size, c_in, c_out, kernels, strides = shape
        images = max(1, images // replicas)
        x = tf.random.normal([images, *size, c_in])
        kernel = tf.random.normal([*kernels, c_in, c_out])
        x, kernel = tf.cast(x, dtype), tf.cast(kernel, dtype)
        padding = [[0, 0], *_padding(kernels), [0, 0]]
        taps = math.prod(kernels) * math.prod(
            n // stride for n, stride in zip(size, strides, strict=True)
        )
        flop = 2 * images * taps * c_in * c_out
        for xla in {False, jit_compile}:
            convolve = tf.function(_convolve, jit_compile=xla)
            best = seconds(lambda: convolve(x, kernel, strides, padding))  # noqa: B023
            label = (
                f"{images} of {size[0]}x{size[1]}, {c_in} to {c_out}, kernel "
                f"{kernels[0]}x{kernels[1]}, stride {strides[0]}"
            )
            rate = flop / best / 1e9
            results.append({"gflops": rate, "shape": label, "xla": xla})
    return sorted(results, key=lambda result: -result["gflops"])


def _convolve(x, kernel, strides, padding):
    return tf.nn.conv2d(x, kernel, strides, padding)


def _padding(kernels):
    return [[1, 1] if kernel > 1 else [0, 0] for kernel in kernels]
