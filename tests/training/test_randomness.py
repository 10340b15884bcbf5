import types

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.training import threefry
from dvdgan_tf.training.randomness import Randomness

SHAPE = types.SimpleNamespace(z_dim=5, generated_frames=7, num_classes=4)


def draws(strategy, randomness, *args):
    """Global draws: the replicas' slices, concatenated."""
    per_replica = strategy.run(randomness.draw, args=args)
    return [
        np.concatenate(strategy.experimental_local_results(x))
        for x in per_replica
    ]


def one(randomness, step, update):
    return draws(tiny.one_device(), randomness, step, update)


def equal(a, b):
    return [bool(np.array_equal(x, y)) for x, y in zip(a, b, strict=True)]


@pytest.fixture(scope="module")
def randomness():
    return Randomness(3, 6, SHAPE)


def test_shapes_and_ranges(randomness):
    z, y, real, fake = one(randomness, 5, 1)
    assert z.shape == (6, 5) and y.shape == (6,) and y.dtype == np.int32
    for noise in (real, fake):
        assert noise.shape == (6, 9)
        assert noise.min() >= 0 and noise.max() < 1


def test_a_function_of_seed_step_and_update(randomness):
    first = one(randomness, 5, 1)
    assert all(equal(first, one(Randomness(3, 6, SHAPE), 5, 1)))
    # Steps are int64 variables, updates int32 loop counters.
    assert all(equal(first, one(randomness, tf.constant(5, tf.int64), 1)))
    others = [
        one(randomness, 6, 1),
        one(randomness, 5, 2),
        one(randomness, 1, 5),
        one(Randomness(4, 6, SHAPE), 5, 1),
    ]
    for other in others:
        # Class ids may agree by chance.
        z, _, real, fake = equal(first, other)
        assert not (z or real or fake)


def test_examples_differ(randomness):
    z, _, real, fake = one(randomness, 0, 0)
    for x in (z, real, fake):
        assert len(np.unique(x, axis=0)) == 6
    assert not np.array_equal(real, fake)


def test_replicas_slice_the_global_draw(randomness):
    step, update = tf.constant(9, tf.int64), tf.constant(2)
    both = draws(tiny.mirrored(), randomness, step, update)
    assert all(equal(both, one(randomness, step, update)))


def test_equals_the_generator_example_by_example(randomness):
    # Two folds of the key, then a counter per example and pair of words.
    key = threefry.threefry(threefry.words(3), threefry.words(-5))
    key = threefry.threefry(key, threefry.words(2))
    z, y, real, fake = one(randomness, -5, 2)
    for example in range(6):
        bits = [
            [w.numpy() for w in threefry.threefry(key, threefry.words(word))]
            for word in (example + (place << 32) for place in range(13))
        ]
        pairs = [threefry.normal(*pair) for pair in bits[:3]]
        expected = [*(a for a, _ in pairs), *(b for _, b in pairs)][:5]
        np.testing.assert_allclose(z[example], expected, rtol=1e-6)
        noise = np.array(bits, np.uint32)[3:] >> 8
        assert y[example] == noise[0, 0] * 2.0**-24 // 0.25
        np.testing.assert_array_equal(real[example], noise[1:, 0] * 2.0**-24)
        np.testing.assert_array_equal(fake[example], noise[1:, 1] * 2.0**-24)


def test_draws_are_those_of_the_first_release(randomness):
    """Runs go on as they began: new draws come after the old ones."""
    z, y, real, fake = (x[4] for x in one(randomness, 5, 1))
    # Written down before there were crops; whole numbers up to 2**24.
    np.testing.assert_allclose(
        z, [0.4449677, 0.4212117, 0.4188120, -2.0128629, -0.0744032], rtol=1e-6
    )
    assert y == 1
    np.testing.assert_array_equal(
        real[:7] * 2**24,
        [6637165, 2171842, 14954143, 7215933, 2039197, 10589474, 800208],
    )
    np.testing.assert_array_equal(
        fake[:7] * 2**24,
        [6919445, 12799985, 6151312, 14247856, 2322752, 13469857, 14079070],
    )


def test_an_example_is_the_same_in_a_larger_batch(randomness):
    larger = one(Randomness(3, 9, SHAPE), 5, 1)
    assert all(equal([x[:6] for x in larger], one(randomness, 5, 1)))


def test_plain_equals_xla(randomness):
    compiled = tf.function(randomness.draw, jit_compile=True)
    step, update = tf.constant(-8, tf.int64), tf.constant(1)
    found = draws(tiny.one_device(), randomness, step, update)
    expected = tiny.one_device().run(compiled, args=(step, update))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
    assert all(equal(found[1:], [x.numpy() for x in expected[1:]]))


def test_neighbouring_streams_are_uncorrelated():
    # Seeds, steps and updates next to each other, and sums that agree.
    streams = [
        one(Randomness(seed, 20_000, SHAPE), step, update)
        for seed in (0, 1)
        for step in (-1, 0, 1)
        for update in (0, 1)
    ]
    x = np.concatenate(
        [np.concatenate([z.T, real.T, fake.T]) for z, _, real, fake in streams]
    )
    correlation = np.corrcoef(x) - np.eye(len(x))
    # 38,000 pairs of rows.
    assert np.abs(correlation).max() < 5.5 / np.sqrt(20_000)


def test_labels_follow_the_data():
    randomness = Randomness(0, 20_000, SHAPE)
    counts = np.array([10, 0, 30])  # And none at all of class 3.
    randomness.follow_labels(counts)
    _, y, _, _ = one(randomness, 0, 0)
    found = np.bincount(y, minlength=4)
    assert found[1] == 0 and found[3] == 0
    expected = counts / counts.sum() * 20_000
    kept = expected > 0
    chi_square = ((found[:3] - expected) ** 2)[kept] / expected[kept]
    assert chi_square.sum() < 11  # One degree of freedom, p = 0.001.


def test_last_class_without_examples_is_never_drawn():
    randomness = Randomness(1, 50_000, SHAPE)
    randomness.follow_labels([1, 2, 4, 0])
    _, y, _, _ = one(randomness, 0, 0)
    assert np.bincount(y, minlength=4)[3] == 0


def test_z_is_standard_normal():
    z, _, noise, _ = one(Randomness(0, 20_000, SHAPE), 7, 0)
    n = z.size
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 0.15
    assert np.abs(np.cov(z.T) - np.eye(5)).max() < 0.05
    assert abs(noise.mean() - 0.5) < 0.01
