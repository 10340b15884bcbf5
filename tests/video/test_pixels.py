"""The two formulas between levels and [-1, 1]."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.video import pixels

LEVELS = np.arange(256, dtype=np.uint8).reshape(4, 64)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_levels_to_float(kind):
    found = pixels.to_float(kind(LEVELS))
    # The nearest float32 of the two steps, each rounded.
    expected = (LEVELS.astype(np.float64) / 127.5).astype(np.float32)
    expected = (expected.astype(np.float64) - 1.0).astype(np.float32)
    assert found.dtype == np.float32 and isinstance(found, type(kind(0.0)))
    np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_float_to_levels_is_neither_rounded_nor_clipped(kind):
    values = kind(np.array([-2.0, -1.0, -0.5, 0.0, 1.0, 3.0], np.float32))
    expected = [-127.5, 0.0, 63.75, 127.5, 255.0, 510.0]
    np.testing.assert_array_equal(
        np.asarray(pixels.to_levels(values)), expected
    )


def test_to_uint8_rounds_and_clips():
    values = np.array([-2.0, -1.0, -1.0 + 0.9 / 255, 0.0, 1.0, 1.5])
    found = pixels.to_uint8(values)
    # 0 lies at 127.5, which rounds to even.
    np.testing.assert_array_equal(found, [0, 0, 0, 128, 255, 255])
    assert found.dtype == np.uint8


@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_there_and_back(kind):
    back = pixels.to_uint8(pixels.to_float(kind(LEVELS)))
    np.testing.assert_array_equal(back, LEVELS)


def test_this_room_does_not_import_tensorflow():
    code = (
        "import sys, numpy\n"
        "from dvdgan_tf.video import (\n"
        "    decode_worker, isolated, pictures, pixels, prediction_views,\n"
        "    reading, writing)\n"
        "pixels.to_uint8(pixels.to_float(numpy.zeros(3, 'uint8')))\n"
        "assert 'tensorflow' not in sys.modules\n"
        "assert 'keras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
