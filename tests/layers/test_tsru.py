import numpy as np
import numpy_layers
import numpy_tsru as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.spectral import SpectralNorm
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


def test_the_three_differ_in_what_sees_the_warped_state():
    # What the candidate, and the gate, become if only the flow changes.
    x, state = normal(2, 1, 4, 6, CHANNELS), state_of()
    sees = {}
    for unit_class in (TSRUc, TSRUp, TSRUs):
        unit = build(unit_class)
        no_flow(unit)

        def change(unit=unit, **gates):
            a, b = (
                bias(unit, flow=flow, **gates)
                or unit(x, num_frames=1, initial_state=state).numpy()
                for flow in ((0.0, 0.0), (1.0, 0.0))
            )
            return np.abs(a - b).max() > 0.01

        # Of two constant states, which no flow moves, only u is left to see.
        sees[unit_class.__name__] = change(update=-100.0, candidate=1.0)
    assert sees == {"TSRUc": True, "TSRUp": False, "TSRUs": True}


@UNITS
def test_flow_at_first_is_a_fraction_of_a_pixel(unit_class):
    unit = unit_class()
    unit.build((None, 1, 8, 8, 64))
    unit.parameters(True)
    # A state whose values are its columns, moved with the gate open.
    unit.bias.assign(np.r_[np.zeros(32), np.full(64, 100.0), np.zeros(66)])
    x, state = normal(4, 1, 8, 8, 64), normal(4, 8, 8, 64, seed=2)
    unit.bias.assign(tf.zeros_like(unit.bias))
    hidden = numpy_layers.Weights(unit)
    w_g, w_f = (
        hidden.normalized(f"{name}_kernel") for name in ("flow_hidden", "flow")
    )
    both = np.concatenate([state, x[:, 0]], -1)
    theta = numpy_layers.convolve(
        numpy_layers.relu(numpy_layers.convolve(both, w_g)), w_f
    )
    print(np.sqrt(np.mean(theta**2)))
    assert 0.2 < np.sqrt(np.mean(theta**2)) < 1.0
