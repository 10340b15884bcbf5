import numpy as np
import numpy_layers
import numpy_tsru as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers import tsru
from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.layers.tsru import TSRUc, TSRUp, TSRUs, flow_width

CHANNELS = 4
SHAPE = (2, 4, 4, 6, CHANNELS)  # B, T, H, W, C
UNITS = pytest.mark.parametrize("unit_class", [TSRUc, TSRUp, TSRUs])


def build(unit_class, random=True, **kwargs):
    unit = unit_class(**kwargs)
    unit.build(SHAPE)
    if random:
        numpy_layers.randomize(unit)
    return unit


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def state_of(seed=2):
    return normal(2, 4, 6, CHANNELS, seed=seed)


def bias(unit, update=0.0, candidate=0.0, flow=(0.0, 0.0)):
    gates = np.repeat([update, candidate], CHANNELS)
    unit.bias.assign(np.r_[np.zeros(flow_width(CHANNELS)), gates, flow])


def no_flow(unit):
    unit.flow.weight.assign(tf.zeros_like(unit.flow.weight))


@UNITS
@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("iterations", [0, 2])
def test_equals_the_equations(unit_class, with_state, iterations, unroll):
    norm = SpectralNorm(max(iterations, 1))
    unit = build(unit_class, spectral_norm=norm, unroll=unroll)
    x = normal(*SHAPE)
    state = state_of() if with_state else None
    expected = oracle.tsru(
        unit_class.__name__,
        x.astype("float64"),
        numpy_layers.Weights(unit, iterations),
        state,
    )
    outputs = unit(
        x, num_frames=4, initial_state=state, training=iterations > 0
    )
    assert outputs.shape == SHAPE
    np.testing.assert_allclose(outputs, expected, rtol=2e-3, atol=5e-4)


@UNITS
def test_gradients_are_the_finite_differences(unit_class):
    # Along one random direction of each input and variable.
    unit = build(unit_class)
    x, h, cotangent = normal(*SHAPE), state_of(), normal(*SHAPE, seed=3)
    variables = unit.trainable_variables
    sources = [tf.constant(x), tf.constant(h), *(v.value for v in variables)]
    with tf.GradientTape() as tape:
        tape.watch(sources[:2])
        outputs = unit(sources[0], num_frames=4, initial_state=sources[1])
    found = tape.gradient(outputs, sources, output_gradients=cotangent)
    weights = numpy_layers.Weights(unit).values
    point = {"x": x.astype("float64"), "h": h.astype("float64")} | weights

    def loss(point):
        w = numpy_layers.Weights(point)
        states = oracle.tsru(unit_class.__name__, point["x"], w, point["h"])
        return np.vdot(states, cotangent)

    names = ["x", "h", *(v.name for v in variables)]
    for name, gradient in zip(names, found, strict=True):
        direction = normal(*gradient.shape, seed=4)
        up, down = (
            loss(point | {name: point[name] + step * direction})
            for step in (1e-6, -1e-6)
        )
        expected = (up - down) / 2e-6
        assert abs(expected) > 0.01
        np.testing.assert_allclose(
            np.vdot(gradient, direction), expected, rtol=2e-3, err_msg=name
        )


@UNITS
def test_compiles_with_gradients(unit_class):
    unit = build(unit_class, unroll=False)
    sources = [v.value for v in unit.trainable_variables]

    def gradients(x, h):
        with tf.GradientTape() as tape:
            tape.watch([x, h])
            outputs = unit(x, num_frames=4, initial_state=h, training=True)
        found = tape.gradient(
            outputs,
            [x, h, *sources],
            output_gradients=normal(*SHAPE, seed=3),
        )
        return outputs, *found

    x, h = tf.constant(normal(*SHAPE)), tf.constant(state_of())
    before = numpy_layers.values(unit)
    expected = gradients(x, h)
    for variable in unit.variables:
        variable.assign(before[variable.path])
    found = tf.function(gradients, jit_compile=True)(x, h)
    for a, b in zip(found, expected, strict=True):
        assert np.abs(b).max() > 0.01
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


@UNITS
def test_variables(unit_class):
    unit = build(unit_class, random=False)
    shapes = {v.name: v.shape for v in unit.variables}
    width = CHANNELS // 2
    kernel = (3, 3, 2 * CHANNELS, CHANNELS)
    assert shapes == {
        "flow_hidden_kernel": (3, 3, 2 * CHANNELS, width),
        "flow_hidden_kernel_u": (width,),
        "flow_kernel": (3, 3, width, 2),
        "flow_kernel_u": (2,),
        "update_kernel": kernel,
        "update_kernel_u": (CHANNELS,),
        "candidate_kernel": kernel,
        "candidate_kernel_u": (CHANNELS,),
        "bias": (width + 2 * CHANNELS + 2,),
    }
    np.testing.assert_array_equal(unit.bias.numpy(), 0.0)
    for weight in unit.spectral_weights:
        matrix = weight.weight.numpy()
        matrix = matrix.reshape(-1, matrix.shape[-1])
        np.testing.assert_allclose(
            matrix.T @ matrix, np.eye(matrix.shape[-1]), atol=1e-5
        )


@pytest.mark.parametrize("channels, width", [(1, 1), (2, 1), (3, 1), (64, 32)])
def test_width_of_the_flows_hidden_layer(channels, width):
    assert flow_width(channels) == width
    unit = TSRUp()
    unit.build((None, 1, 4, 4, channels))
    outputs = unit(np.ones((1, 2, 4, 4, channels), "float32"), num_frames=2)
    assert np.isfinite(outputs).all()


@UNITS
def test_open_update_gate_moves_the_state_by_the_flow(unit_class):
    unit = build(unit_class)
    no_flow(unit)
    bias(unit, update=100.0, flow=(-1.0, 2.0))
    state = state_of()
    outputs = unit(normal(*SHAPE), num_frames=4, initial_state=state).numpy()
    # One row down and two columns left per step; borders fill what is left.
    for t in range(1, 5):
        rows = np.maximum(np.arange(4) - t, 0)
        columns = np.minimum(np.arange(6) + 2 * t, 5)
        moved = state[:, rows][:, :, columns]
        np.testing.assert_array_equal(outputs[:, t - 1], moved)


@UNITS
def test_closed_update_gate_takes_the_candidate_which_is_a_relu(unit_class):
    unit = build(unit_class)
    bias(unit, update=-100.0, candidate=5.0)
    outputs = unit(normal(*SHAPE), num_frames=4).numpy()
    assert outputs.min() >= 0.0
    assert outputs.max() > 4.0
    bias(unit, update=-100.0, candidate=-100.0)
    np.testing.assert_array_equal(unit(normal(*SHAPE), num_frames=4), 0.0)


@pytest.mark.parametrize(
    "unit_class, sees", [(TSRUc, True), (TSRUp, False), (TSRUs, True)]
)
def test_which_candidate_sees_the_warped_state(unit_class, sees):
    unit = build(unit_class)
    no_flow(unit)

    def states(flow):
        bias(unit, update=-100.0, candidate=1.0, flow=flow)
        x = normal(2, 1, 4, 6, CHANNELS)
        return unit(x, num_frames=1, initial_state=state_of()).numpy()

    difference = np.abs(states((0.0, 0.0)) - states((1.0, 0.0))).max()
    assert difference > 0.1 if sees else difference == 0.0


@pytest.mark.parametrize(
    "unit_class, sees", [(TSRUc, True), (TSRUp, True), (TSRUs, False)]
)
def test_which_gate_sees_the_input_itself(unit_class, sees):
    unit = build(unit_class)
    no_flow(unit)
    bias(unit, candidate=-100.0)
    first, second = (
        unit(x[:, None], num_frames=1, initial_state=state_of()).numpy()
        for x in (state_of(5), state_of(6))
    )
    difference = np.abs(first - second).max()
    assert difference > 0.1 if sees else difference == 0.0


@UNITS
def test_flow_at_first_is_about_half_a_pixel(unit_class, monkeypatch):
    flows = []
    monkeypatch.setattr(tsru, "warp", lambda h, flow: flows.append(flow) or h)
    unit = unit_class()
    unit.build((None, 1, 8, 8, 64))
    x, state = normal(4, 1, 8, 8, 64), normal(4, 8, 8, 64, seed=2)
    unit(x, num_frames=1, initial_state=state, training=True)
    (flow,) = flows
    assert 0.3 < np.sqrt(np.mean(np.square(flow))) < 1.0
