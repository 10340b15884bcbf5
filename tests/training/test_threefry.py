import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dvdgan_tf.training import threefry

N = 1 << 17


def uint32(*values):
    return [tf.constant(value, tf.uint32) for value in values]


def blocks(key=(7, 8), high=0):
    """Words of the counters (0..N-1, high)."""
    return threefry.threefry(uint32(*key), uint32(np.arange(N), high))


def numpy_threefry(key, counter):
    """Threefry2x32-20 as section 4.2 of the paper and Random123 have it."""
    schedule = [*key, np.uint32(key[0] ^ key[1] ^ np.uint32(0x1BD11BDA))]
    x, y = (c + k for c, k in zip(counter, key, strict=True))
    for i in range(5):
        first = i % 2 == 0
        for r in (13, 15, 26, 6) if first else (17, 29, 16, 24):
            x = x + y
            y = (y << np.uint32(r)) | (y >> np.uint32(32 - r))
            y = y ^ x
        x = x + schedule[(i + 1) % 3]
        y = y + schedule[(i + 2) % 3] + np.uint32(i + 1)
    return x, y


# Of Random123's kat_vectors, "threefry2x32 20".
@pytest.mark.parametrize(
    "counter, key, expected",
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        (
            (0x243F6A88, 0x85A308D3),
            (0x13198A2E, 0x03707344),
            (0xC4923A9C, 0x483DF7A0),
        ),
    ],
)
def test_known_answers(counter, key, expected):
    found = threefry.threefry(uint32(*key), uint32(*counter))
    assert tuple(int(x) for x in found) == expected


def test_equals_numpy_on_arrays():
    rng = np.random.default_rng(0)
    key = rng.integers(0, 2**32, [2, 3, 1], dtype=np.uint32)
    counter = rng.integers(0, 2**32, [2, 50], dtype=np.uint32)
    found = threefry.threefry(uint32(*key), uint32(*counter))
    np.testing.assert_array_equal(found, numpy_threefry(key, counter))


@pytest.mark.parametrize("x", [0, 5, -1, -(2**63), 2**63 - 1, 3 << 32])
def test_words_of_integers(x):
    expected = (x % 2**32, x // 2**32 % 2**32)
    assert tuple(int(w) for w in threefry.words(x)) == expected
    tensor = tf.constant(x, tf.int64)
    assert tuple(int(w) for w in threefry.words(tensor)) == expected


def test_words_of_python_integers_wrap():
    for x in (-3, 2**64 - 3, 5 * 2**64 - 3):
        assert [int(w) for w in threefry.words(x)] == [2**32 - 3, 2**32 - 1]


def test_plain_equals_xla():
    def draw(step):
        bits = threefry.threefry(threefry.words(step), uint32(np.arange(N), 1))
        return *bits, threefry.uniform(bits[0]), *threefry.normal(*bits)

    step = tf.constant(-(2**40), tf.int64)
    plain = draw(step)
    compiled = tf.function(draw, jit_compile=True)(step)
    for a, b in zip(plain[:3], compiled[:3], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(plain[3:], compiled[3:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_uniform_ends_and_steps():
    bits = uint32([0, 255, 256, 2**31, 2**32 - 1])[0]
    expected = [0, 0, 2.0**-24, 0.5, 1 - 2.0**-24]
    np.testing.assert_array_equal(threefry.uniform(bits), expected)


def test_normal_is_finite_at_the_ends():
    bits = uint32([0, 0, 2**32 - 1, 2**32 - 1], [0, 2**32 - 1] * 2)
    largest = np.sqrt(-2 * np.log(2.0**-24))
    expected = [0, 0, largest, largest]
    a, b = threefry.normal(*bits)
    np.testing.assert_allclose(a, expected, rtol=1e-6)
    np.testing.assert_allclose(b, np.zeros(4), atol=1e-5)


def test_distributions():
    bits = blocks()
    for words in bits:
        u = threefry.uniform(words).numpy().astype(np.float64)
        assert stats.kstest(u, "uniform").pvalue > 1e-3
    for x in threefry.normal(*bits):
        x = x.numpy().astype(np.float64)
        assert stats.kstest(x, "norm").pvalue > 1e-3
        for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
            deviation = np.std(x**power) / np.sqrt(N)
            assert abs(np.mean(x**power) - moment) < 4 * deviation


def test_words_and_neighbouring_streams_are_uncorrelated():
    first = [*blocks()]
    for key, high in (((7, 8), 1), ((8, 8), 0), ((7, 9), 0)):
        first += blocks(key, high)
    x = threefry.normal(tf.stack(first), tf.stack(first[::-1]))[0]
    correlation = np.corrcoef(x) - np.eye(len(first))
    assert np.abs(correlation).max() < 5 / np.sqrt(N)
    # And along a stream.
    lagged = np.corrcoef(x[0, :-1], x[0, 1:])[0, 1]
    assert abs(lagged) < 5 / np.sqrt(N)
