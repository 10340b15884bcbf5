import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.layers.rematerialization import (
    run_segment,
    run_segment_of_frames,
)
from dvdgan_tf.layers.time_parts import run_recurrence

B = 4
MEMORY = {
    "recompute": dict(recompute=True),
    "parts": dict(parts=2),
    "parts of one example": dict(parts=4),
    "both": dict(recompute=True, parts=2),
}


def normal(*shape, seed=1):
    return tf.constant(
        np.random.default_rng(seed).normal(size=shape).astype("float32")
    )


def function(x, scale, parameters):
    (kernel, bias), power = parameters
    return tf.tanh(x @ kernel + bias) ** power * scale[:, None]


def arguments():
    examples = (normal(B, 5), normal(B, seed=2))
    parameters = ((normal(5, 3, seed=3), normal(3, seed=4)), tf.constant(2.0))
    return examples, parameters


def value_and_gradients(**memory):
    examples, parameters = arguments()
    sources = tf.nest.flatten((examples, parameters))
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = run_segment(function, examples, parameters, **memory)
        loss = tf.reduce_sum(outputs * normal(B, 3, seed=5))
    return outputs, tape.gradient(loss, sources)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("memory", MEMORY.values(), ids=MEMORY)
def test_value_and_all_gradients_are_those_of_the_function(memory, in_graph):
    run = tf.function(value_and_gradients) if in_graph else value_and_gradients
    outputs, gradients = run(**memory)
    expected, expected_gradients = value_and_gradients()
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    for a, b in zip(gradients, expected_gradients, strict=True):
        assert np.abs(b).max() > 0.0
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_recomputation_evaluates_again_and_for_gradients_only():
    examples, parameters = arguments()
    seen = []

    def counted(x, scale, parameters):
        seen.append(x)
        return function(x, scale, parameters)

    def run(recompute):
        seen.clear()
        with tf.GradientTape() as tape:
            tape.watch(examples)
            outputs = run_segment(counted, examples, parameters, recompute)
        forward = len(seen)
        tape.gradient(outputs, examples)
        return forward, len(seen)

    assert run(recompute=False) == (1, 1)
    assert run(recompute=True) == (1, 2)


def test_parts_see_their_part_of_the_batch():
    examples, parameters = arguments()
    shapes = []

    def recorded(x, scale, parameters):
        shapes.append((x.shape, scale.shape))
        return function(x, scale, parameters)

    run_segment(recorded, examples, parameters, parts=2)
    assert shapes == [((2, 5), (2,))] * 2


def test_what_is_inside_is_not_kept_for_the_gradient():
    @tf.function
    def step(x, recompute):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in range(3):
                y = run_segment(
                    lambda y, p: tf.exp(tf.sin(y) * p[0]),
                    (y,),
                    (tf.constant(0.5),),
                    recompute,
                )
        return tape.gradient(y, x)

    def exponentials(recompute):
        graph = step.get_concrete_function(normal(3), recompute).graph
        return [op for op in graph.get_operations() if op.type == "Exp"]

    # Without recomputation, exp is its own derivative and computed once.
    assert len(exponentials(False)) == 3
    assert len(exponentials(True)) == 6


@pytest.mark.parametrize(
    ("memory", "frames_at_a_time"),
    [
        (dict(recompute=True), 2),  # of twelve, in six parts
        (dict(parts=2), 6),
        (dict(recompute=True, parts=2), 1),
    ],
)
def test_frames_in_parts_equal_all_at_once(memory, frames_at_a_time):
    x, scale = normal(2, 6, 5), normal(2, 6, seed=2)
    _, parameters = arguments()
    shapes = []

    def of_frames(x, scale, parameters):
        shapes.append(x.shape)
        return function(x, scale, parameters)

    def run(**memory):
        sources = tf.nest.flatten((x, scale, parameters))
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = run_segment_of_frames(
                of_frames, (x, scale), parameters, **memory
            )
            loss = tf.reduce_sum(outputs * normal(2, 6, 3, seed=5))
        return outputs, *tape.gradient(loss, sources)

    expected = run()
    assert shapes == [(12, 5)]
    assert expected[0].shape == (2, 6, 3)
    shapes.clear()
    for a, b in zip(run(**memory), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert set(shapes) == {(frames_at_a_time, 5)}


def test_frames_need_no_known_batch_without_recomputation():
    _, parameters = arguments()

    @tf.function(input_signature=[tf.TensorSpec([None, 6, 5])])
    def run(x):
        ones = tf.ones(tf.shape(x)[:2])
        ones = tf.ensure_shape(ones, [None, 6])
        return run_segment_of_frames(function, (x, ones), parameters)

    assert run(normal(2, 6, 5)).shape == (2, 6, 3)


@pytest.mark.parametrize("in_graph", [False, True])
def test_recurrence_in_parts_equals_the_plain_one(in_graph):
    x, state, weight = normal(2, 12, 3), normal(2, 3, seed=2), normal(3, 3)
    lengths = []

    def recurrence(inputs, state, parameters):
        lengths.append(inputs.shape[1])
        states = []
        for x in tf.unstack(inputs, axis=1):
            state = tf.tanh(x + state @ parameters[0])
            states.append(state)
        return tf.stack(states, 1)

    def run(recompute):
        sources = [x, state, weight]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            call = run_recurrence if recompute else lambda f, *args: f(*args)
            states = call(recurrence, x, state, (weight,))
            loss = tf.reduce_sum(states * normal(2, 12, 3, seed=5))
        return states, *tape.gradient(loss, sources)

    expected = run(False)
    lengths.clear()
    actual = (tf.function(run) if in_graph else run)(True)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert set(lengths) == {2}  # six parts of two steps
