import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.conv_gru import ConvGRU
from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.layers.time_parts import run_recurrence
from dvdgan_tf.layers.tsru import TSRUc, TSRUp, TSRUs

CHANNELS = 3
SHAPE = (2, 4, 4, 6, CHANNELS)  # B, T, H, W, C
CLOSE = dict(rtol=2e-3, atol=1e-4)
# What holds for all units; more on those that warp in test_tsru.py.
UNITS = pytest.mark.parametrize("unit_class", [ConvGRU, TSRUc, TSRUp, TSRUs])


def build(unit_class=ConvGRU, random=True, **kwargs):
    unit = unit_class(**kwargs)
    unit.build(SHAPE)
    if random:
        oracle.randomize(unit)
    return unit


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_equals_the_papers_four_lines(with_state, iterations, unroll):
    unit = build(spectral_norm=SpectralNorm(max(iterations, 1)), unroll=unroll)
    x = normal(*SHAPE)
    state = normal(2, 4, 6, CHANNELS, seed=2) if with_state else None
    expected = oracle.conv_gru(
        x.astype("float64"), oracle.Weights(unit, iterations), state
    )
    outputs = unit(
        x, num_frames=4, initial_state=state, training=iterations > 0
    )
    assert outputs.shape == SHAPE
    np.testing.assert_allclose(outputs, expected, **CLOSE)


@UNITS
def test_no_state_is_the_zero_state(unit_class):
    unit = build(unit_class)
    x = normal(*SHAPE)
    zeros = np.zeros((2, 4, 6, CHANNELS), "float32")
    np.testing.assert_allclose(
        unit(x, num_frames=4),
        unit(x, num_frames=4, initial_state=zeros),
        rtol=1e-5,
        atol=1e-6,
    )


@UNITS
@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.parametrize("with_state", [False, True])
def test_one_input_serves_all_steps(unit_class, with_state, unroll):
    unit = build(unit_class, unroll=unroll)
    x = normal(2, 1, 4, 6, CHANNELS)
    state = normal(2, 4, 6, CHANNELS, seed=2) if with_state else None
    outputs = unit(x, num_frames=5, initial_state=state)
    assert outputs.shape == (2, 5, 4, 6, CHANNELS)
    repeated = np.repeat(x, 5, axis=1)
    np.testing.assert_allclose(
        outputs,
        unit(repeated, num_frames=5, initial_state=state),
        rtol=1e-5,
        atol=1e-6,
    )


@UNITS
@pytest.mark.parametrize("with_state, num_inputs", [(False, 1), (True, 4)])
def test_loop_has_the_gradients_of_the_unrolled_graph(
    unit_class, with_state, num_inputs
):
    x = tf.constant(normal(2, num_inputs, 4, 6, CHANNELS))
    h = tf.constant(normal(2, 4, 6, CHANNELS, seed=2))

    def gradients(unroll):
        unit = build(unit_class, unroll=unroll)

        @tf.function
        def run(x, h):
            sources = [x, h, *(v.value for v in unit.trainable_variables)]
            with tf.GradientTape() as tape:
                tape.watch([x, h])
                outputs = unit(
                    x,
                    num_frames=4,
                    initial_state=h if with_state else None,
                    training=True,
                )
                loss = tf.reduce_sum(outputs * normal(*SHAPE, seed=3))
            return tape.gradient(loss, sources)

        # A while loop, or none.
        graph = run.get_concrete_function(x, h).graph
        loops = [op for op in graph.get_operations() if "While" in op.type]
        assert bool(loops) != unroll
        return run(x, h)

    for a, b in zip(gradients(False), gradients(True), strict=True):
        if a is None:
            assert b is None and not with_state
            continue
        assert np.abs(b).max() > 0.01
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_every_gate_has_its_own_kernel_u_and_bias():
    unit = build(random=False)
    shapes = {v.name: v.shape for v in unit.variables}
    kernel, u = (3, 3, 2 * CHANNELS, CHANNELS), (CHANNELS,)
    assert shapes == {
        "reset_kernel": kernel,
        "update_kernel": kernel,
        "candidate_kernel": kernel,
        "reset_kernel_u": u,
        "update_kernel_u": u,
        "candidate_kernel_u": u,
        "bias": (3 * CHANNELS,),
    }
    np.testing.assert_array_equal(unit.bias.numpy(), 0.0)
    for weight in unit.spectral_weights:
        matrix = weight.weight.numpy().reshape(-1, CHANNELS)
        np.testing.assert_allclose(
            matrix.T @ matrix, np.eye(CHANNELS), atol=1e-5
        )


def bias(unit, reset=0.0, update=0.0, candidate=0.0):
    unit.bias.assign(np.repeat([reset, update, candidate], CHANNELS))


def test_open_update_gate_keeps_the_old_state():
    unit = build()
    state = normal(2, 4, 6, CHANNELS, seed=2)
    bias(unit, update=100.0)
    outputs = unit(normal(*SHAPE), num_frames=4, initial_state=state)
    np.testing.assert_array_equal(outputs, np.stack([state] * 4, 1))


def test_closed_update_gate_takes_the_candidate_which_is_a_relu():
    unit = build()
    bias(unit, update=-100.0, candidate=5.0)
    outputs = unit(normal(*SHAPE), num_frames=4).numpy()
    assert outputs.min() >= 0.0
    assert outputs.max() > 4.0  # Not a tanh.
    bias(unit, update=-100.0, candidate=-100.0)
    np.testing.assert_array_equal(unit(normal(*SHAPE), num_frames=4), 0.0)


def test_closed_reset_gate_hides_the_state_from_the_candidate():
    unit = build()
    bias(unit, reset=-100.0, update=-100.0, candidate=1.0)
    x = normal(*SHAPE)
    states = normal(2, 2, 4, 6, CHANNELS, seed=2)
    first, second = (
        unit(x, num_frames=4, initial_state=state) for state in states
    )
    np.testing.assert_array_equal(first, second)
    bias(unit, reset=100.0, update=-100.0, candidate=1.0)
    first, second = (
        unit(x, num_frames=4, initial_state=state) for state in states
    )
    assert np.abs(first - second).max() > 0.1


@UNITS
def test_frames_depend_on_no_later_input_but_on_all_earlier_ones(unit_class):
    unit = build(unit_class)
    x = normal(*SHAPE)
    reference = unit(x, num_frames=4).numpy()
    for t in range(4):
        changed = x.copy()
        changed[:, t] += 1.0
        difference = np.abs(unit(changed, num_frames=4) - reference)
        difference = difference.max((0, 2, 3, 4))
        np.testing.assert_array_equal(difference[:t], 0.0)
        assert difference[t:].min() > 1e-3


@UNITS
def test_examples_do_not_mix(unit_class):
    unit = build(unit_class)
    x = normal(*SHAPE)
    reference = unit(x, num_frames=4).numpy()
    x[0] += 1.0
    np.testing.assert_allclose(
        unit(x, num_frames=4)[1], reference[1], rtol=1e-5, atol=1e-6
    )


@UNITS
def test_evaluation_changes_no_variable_and_training_every_u(unit_class):
    unit = build(unit_class)
    before = oracle.values(unit)
    unit(normal(*SHAPE), num_frames=4)
    oracle.assert_unchanged(unit, before)
    unit(normal(*SHAPE), num_frames=4, training=True)
    for v in unit.variables:
        same = np.array_equal(v.numpy(), before[v.path])
        assert same != v.name.endswith("_u")


@UNITS
def test_gradient_is_orthogonal_to_each_kernel(unit_class):
    unit = build(unit_class)
    kernels = [w.weight.value for w in unit.spectral_weights]
    cotangent = normal(*SHAPE, seed=3)
    with tf.GradientTape() as tape:
        outputs = unit(normal(*SHAPE), num_frames=4, training=True)
        loss = tf.reduce_sum(outputs * cotangent)
    for kernel, grad in zip(kernels, tape.gradient(loss, kernels), strict=True):
        scale = np.linalg.norm(grad) * np.linalg.norm(kernel)
        assert scale > 0.1
        assert abs(np.vdot(grad, kernel)) < 1e-4 * scale


@UNITS
def test_mixed_precision(unit_class):
    unit, reference = (
        build(unit_class, dtype="mixed_bfloat16"),
        build(unit_class),
    )
    x = normal(*SHAPE)
    outputs = unit(x, num_frames=4, training=True)
    assert outputs.dtype == tf.bfloat16
    assert {v.dtype for v in unit.variables} == {"float32"}
    expected = reference(x, num_frames=4, training=True).numpy()
    np.testing.assert_allclose(
        tf.cast(outputs, "float32"), expected, atol=0.03 * np.ptp(expected)
    )


@pytest.mark.parametrize(
    "unit_class, unroll",
    [(ConvGRU, True), (ConvGRU, False), (TSRUs, False)],
)
def test_recomputation_changes_nothing(unit_class, unroll):
    # 18 steps: six parts of three.
    x = tf.constant(normal(2, 18, 4, 6, CHANNELS))
    state = tf.constant(normal(2, 4, 6, CHANNELS, seed=2))

    def states_and_gradients(run):
        unit = build(unit_class, unroll=unroll)

        @tf.function
        def step(x, state):
            sources = [x, state, *(v.value for v in unit.trainable_variables)]
            with tf.GradientTape() as tape:
                tape.watch([x, state])
                states = run(unit.apply, x, state, unit.parameters(True))
                weights = normal(2, 18, 4, 6, CHANNELS, seed=3)
                loss = tf.reduce_sum(states * weights)
            return states, *tape.gradient(loss, sources)

        return step(x, state)

    plain = states_and_gradients(lambda apply, *args: apply(*args))
    recomputed = states_and_gradients(run_recurrence)
    for a, b in zip(recomputed, plain, strict=True):
        assert np.abs(b).max() > 0.01
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("frames", [1, 4])
def test_the_loop_and_its_gradient_compile(frames, recompute):
    """Also of one step: recomputation divides 4 frames into parts of one."""
    x = tf.constant(normal(2, frames, 4, 6, CHANNELS))
    state = tf.constant(normal(2, 4, 6, CHANNELS, seed=2))

    def states_and_gradients(run, unroll, jit_compile):
        unit = build(ConvGRU, unroll=unroll)

        @tf.function(jit_compile=jit_compile)
        def step(x, state):
            sources = [x, state, *(v.value for v in unit.trainable_variables)]
            with tf.GradientTape() as tape:
                tape.watch([x, state])
                states = run(unit.apply, x, state, unit.parameters(True))
                weights = normal(2, frames, 4, 6, CHANNELS, seed=3)
                loss = tf.reduce_sum(states * weights)
            return states, *tape.gradient(loss, sources)

        return step(x, state)

    def plain(apply, *args):
        return apply(*args)

    compiled = states_and_gradients(
        run_recurrence if recompute else plain, unroll=False, jit_compile=True
    )
    expected = states_and_gradients(plain, unroll=True, jit_compile=False)
    for a, b in zip(compiled, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
