import numpy as np
import pytest
import tensorflow as tf
from numpy_layers import convolve

from dvdgan_tf.regularization.gradient_penalty import GradientPenalty

BATCH = 3


def arrays():
    """Two kernels, the sum's weights, and clips of 5 x 4: not square."""
    rng = np.random.default_rng(0)
    return dict(
        kernel1=0.5 * rng.normal(size=[3, 3, 2, 4]),
        kernel2=0.5 * rng.normal(size=[3, 3, 4, 3]),
        weights=rng.normal(size=[5, 4, 3]),
        real=rng.normal(size=[BATCH, 5, 4, 2]),
        fake=rng.normal(size=[BATCH, 5, 4, 2]),
    )


def hidden(x, kernel1):
    return np.tanh(convolve(x, kernel1))


def oracle_score(x, kernel1, kernel2, weights):
    out = convolve(hidden(x, kernel1), kernel2)
    return (weights * out).sum((1, 2, 3))


def transposed(kernel):
    """The kernel of the transposed convolution."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def oracle_gradient(x, kernel1, kernel2, weights):
    """grad_x of each clip's score, by the chain rule."""
    upstream = convolve(weights[None], transposed(kernel2))
    upstream = upstream * (1 - hidden(x, kernel1) ** 2)
    return convolve(upstream, transposed(kernel1))


def oracle(real_weight, fake_weight, every, batch_size=BATCH, **arrays):
    real, fake = arrays.pop("real"), arrays.pop("fake")
    total = 0.0
    for weight, clips in ((real_weight, real), (fake_weight, fake)):
        for x in clips:
            gradient = oracle_gradient(x[None], **arrays)
            total += weight / 2 * (gradient**2).sum() / batch_size
    return every * total


def constants(arrays):
    return {k: tf.constant(v, tf.float32) for k, v in arrays.items()}


def score_of(kernel1, kernel2, weights):
    def score(x):
        x = tf.tanh(tf.nn.conv2d(x, kernel1, 1, "SAME"))
        return tf.reduce_sum(
            weights * tf.nn.conv2d(x, kernel2, 1, "SAME"), [1, 2, 3]
        )

    return score


def penalty_of(regularizer, real, fake, batch_size=BATCH, **network):
    scores = [score_of(**network)] * 2
    return regularizer.penalty(scores, (real, fake), batch_size)


def central(function, at, direction, step=1e-5):
    there = function(at + step * direction), function(at - step * direction)
    return (there[0] - there[1]) / (2 * step)


def test_the_oracle_s_gradient_is_that_of_its_score():
    x = arrays()["real"]
    network = {k: arrays()[k] for k in ("kernel1", "kernel2", "weights")}
    direction = np.random.default_rng(1).normal(size=x.shape)
    expected = central(lambda x: oracle_score(x, **network), x, direction)
    found = (oracle_gradient(x, **network) * direction).sum((1, 2, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


SETTINGS = [(1.5, 0.0, 16), (0.0, 0.7, 1), (1.5, 0.7, 4)]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_value_and_gradients_equal_numpy(settings, jit_compile):
    names = ("kernel1", "kernel2", "weights")

    @tf.function(jit_compile=jit_compile)
    def run(tensors):
        with tf.GradientTape() as tape:
            watched = [tensors[name] for name in names]
            tape.watch(watched)
            penalty = penalty_of(GradientPenalty(*settings), **tensors)
        return penalty, tape.gradient(penalty, watched)

    penalty, gradients = run(constants(arrays()))
    assert penalty.dtype == tf.float32
    np.testing.assert_allclose(penalty, oracle(*settings, **arrays()), 1e-5)
    rng = np.random.default_rng(2)
    for name, gradient in zip(names, gradients, strict=True):
        for _ in range(3):
            direction = rng.normal(size=gradient.shape)
            expected = central(
                lambda v, n=name: oracle(*settings, **{**arrays(), n: v}),
                arrays()[name],
                direction,
            )
            found = (gradient.numpy() * direction).sum()
            np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_shares_of_a_batch_sum_to_the_whole():
    tensors = constants(arrays())
    regularizer = GradientPenalty(1.0, 0.5)
    clips = {k: tensors.pop(k) for k in ("real", "fake")}
    parts = [
        penalty_of(
            regularizer, **{k: v[part] for k, v in clips.items()}, **tensors
        )
        for part in (slice(0, 1), slice(1, None))
    ]
    whole = penalty_of(regularizer, **clips, **tensors)
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-6)


@pytest.mark.parametrize("weights, seen", [((1, 0), "real"), ((0, 1), "fake")])
def test_what_has_no_weight_is_not_computed(weights, seen):
    tensors = constants(arrays())
    clips = {k: tensors.pop(k) for k in ("real", "fake")}
    expected = clips[seen]
    only = {"real": None, "fake": None, seen: expected}
    calls = []

    def score(x):
        calls.append(x)
        return score_of(**tensors)(x)

    clips = (only["real"], only["fake"])
    GradientPenalty(*weights).penalty([score] * 2, clips, BATCH)
    (x,) = calls
    np.testing.assert_array_equal(x, expected)


def test_sums_are_float32_where_the_score_is_computed_in_bfloat16():
    # A sum of 4096 numbers in bfloat16 would stop at 256.
    clips = np.random.default_rng(3).normal(size=[2, 4096])

    def score(x):
        x = tf.cast(x, tf.bfloat16)
        return tf.reduce_sum(tf.cast(x * x, tf.float32), 1)

    rounded = tf.cast(tf.constant(clips, tf.float32), tf.bfloat16)
    expected = ((2 * tf.cast(rounded, tf.float64).numpy()) ** 2).sum() / 2 / 2
    for dtype in (tf.float32, tf.bfloat16):
        penalty = GradientPenalty(1.0, every=1).penalty(
            [score] * 2, (tf.cast(clips, dtype), None), 2
        )
        assert penalty.dtype == tf.float32
        np.testing.assert_allclose(penalty, expected, rtol=1e-6)


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_due_at_every_nth_update(every, jit_compile):
    regularizer = GradientPenalty(every=every)
    tensors = constants(arrays())

    # As a training step does it: the condition is inside of the outer tape.
    @tf.function(jit_compile=jit_compile)
    def run(update):
        with tf.GradientTape() as tape:
            tape.watch(tensors["kernel1"])
            due = regularizer.due(update)
            penalty = tf.cond(
                due,
                lambda: penalty_of(regularizer, **tensors),
                lambda: tf.zeros([]),
            )
        return due, penalty, tape.gradient(penalty, tensors["kernel1"])

    for i in range(9):
        due, penalty, gradient = run(tf.constant(i, tf.int64))
        assert due.dtype == tf.bool and due.shape == ()
        assert bool(due) == (i % every == 0)
        assert bool(penalty > 0) == np.any(gradient) == bool(due)


@pytest.mark.parametrize(
    "argument",
    [
        {"real_weight": -1.0},
        {"real_weight": 0.0},
        {"fake_weight": float("nan")},
        {"fake_weight": float("inf")},
        {"every": 0},
        {"every": 2.5},
    ],
)
def test_impossible_arguments_are_refused(argument):
    ((name, value),) = argument.items()
    with pytest.raises(ValueError, match=f"GradientPenalty.*{name}={value}"):
        GradientPenalty(**argument)
