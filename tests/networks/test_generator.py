import functools

import keras
import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.layers.conv_gru import ConvGRU
from dvdgan_tf.layers.spectral_norm import SpectralNorm, spectral_weights
from dvdgan_tf.networks.blocks import GBlock
from dvdgan_tf.networks.generator import Generator

SMALL = dict(
    resolution=32,
    num_frames=3,
    num_classes=4,
    ch=2,
    channel_multipliers=(2, 2, 3, 2),
    z_dim=5,
    embedding_dim=3,
)
ATTENTION = dict(attention_resolutions=(8, 16), channel_multipliers=(4,) * 4)
CLOSE = dict(rtol=1e-2, atol=2e-3)


def build(random=True, **changes):
    """The same network object for equal arguments, its values set anew."""
    net = _build(**changes)
    if random:
        oracle.randomize(net, noise=0.3)
    return net


@functools.cache
def _build(**changes):
    net = Generator(**{**SMALL, **changes})
    net.build()
    return net


def latents(batch=3):
    z = np.random.default_rng(5).normal(size=(batch, 5)).astype("float32")
    return z, np.array([2, 0, 3, 1][:batch])


@pytest.mark.parametrize(
    ("training", "changes"),
    [
        (True, {}),
        (False, {}),
        (False, {"upsampling": "nearest"}),
        (
            False,
            ATTENTION,
        ),
    ],
)
def test_equals_numpy(training, changes):
    net = build(**changes)
    if "attention_resolutions" in changes:
        for v in net.trainable_variables:
            if v.name == "gamma":
                v.assign(0.6)
    z, y = latents(2)
    w = oracle.Weights(net, iterations=int(training))
    expected = oracle.generator(
        z.astype("float64"),
        oracle.one_hot(y, 4),
        w,
        num_frames=3,
        num_groups=3,
        up=changes.get("upsampling", "bilinear"),
        training=training,
    )
    videos = net(z, y, training=training)
    assert videos.shape == (2, 3, 32, 32, 3)
    np.testing.assert_allclose(videos, expected, **CLOSE)
    # The comparison means something: neither flat nor saturated.
    assert expected.std() > 0.05
    assert np.mean(np.abs(expected) > 0.99) < 0.5


def test_spectral_norm_reaches_every_layer():
    spectral_norm = SpectralNorm(2)
    net = Generator(**{**SMALL, **ATTENTION}, spectral_norm=spectral_norm)
    net.build()
    weights = spectral_weights(net)
    # Seed; three groups of a unit, two blocks and a skip; attention; head.
    assert len(weights) == 1 + 3 * (3 + 2 * 6 + 1) + 2 * 4 + 3
    assert all(w.spectral_norm is spectral_norm for w in weights)


def test_class_embedding_is_the_only_matrix_without_spectral_norm():
    net = build(False, **ATTENTION)
    paths = {v.path for v in net.variables}
    plain = [
        v.path
        for v in net.trainable_variables
        if len(v.shape) >= 2 and f"{v.path}_u" not in paths
    ]
    assert plain == ["generator/class_embedding"]
    assert net.class_embedding.shape == (4, 3)


def test_initialisation():
    net = Generator(**SMALL)
    net.build()
    assert len({v.path for v in net.variables}) == len(net.variables)
    for v in net.trainable_variables:
        if len(v.shape) < 2:
            np.testing.assert_array_equal(v.numpy(), 0.0)  # Biases.
            continue
        m = v.numpy().reshape(-1, v.shape[-1])
        gram = m.T @ m if m.shape[0] >= m.shape[1] else m @ m.T
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)


def shape_walk(net, monkeypatch):
    """Output shapes [H, C] of all G-blocks of a call, by the blocks' name."""
    walk = {}
    call = GBlock.__call__

    def record(self, *args, **kwargs):
        outputs = call(self, *args, **kwargs)
        assert outputs.shape[2] == outputs.shape[3]
        walk[self.name] = (outputs.shape[2], outputs.shape[-1])
        return outputs

    monkeypatch.setattr(GBlock, "__call__", record)
    z = np.zeros((1, net.z_dim), "float32")
    videos = net(z, np.array([0]))
    assert videos.shape == (1, net.num_frames, *[net.resolution] * 2, 3)
    return walk


def test_shape_walk_at_64(monkeypatch):
    net = Generator(64, 1, 1, ch=1)
    assert shape_walk(net, monkeypatch) == {
        "4x4_block": (4, 8),
        "4x4_block_up": (8, 8),
        "8x8_block": (8, 8),
        "8x8_block_up": (16, 8),
        "16x16_block": (16, 8),
        "16x16_block_up": (32, 4),
        "32x32_block": (32, 4),
        "32x32_block_up": (64, 2),
    }


def test_shape_walk_at_128(monkeypatch):
    net = Generator(128, 1, 1, ch=1)
    assert shape_walk(net, monkeypatch) == {
        "4x4_block": (4, 8),
        "4x4_block_up": (8, 8),
        "8x8_block": (8, 8),
        "8x8_block_up": (16, 8),
        "16x16_block": (16, 8),
        "16x16_block_up": (32, 4),
        "32x32_block": (32, 4),
        "32x32_block_up": (64, 2),
        "64x64_block": (64, 2),
        "64x64_block_up": (128, 1),
    }


def test_all_time_steps_share_the_seed_and_its_example():
    inputs = []

    class Recorder(keras.layers.Layer):
        def __init__(self, spectral_norm, **kwargs):
            super().__init__(**kwargs)

        def parameters(self, training):
            return ()

        def apply(self, x, parameters, num_frames):
            inputs.append(x)
            if x.shape[1] == 1:
                x = tf.repeat(x, num_frames, axis=1)
            return x

    net = build(recurrent_unit=Recorder)
    z, y = latents()
    outputs = net(z, y)
    w = oracle.Weights(net)
    c = np.concatenate([z, oracle.one_hot(y, 4) @ w["class_embedding"]], -1)
    seed = oracle.dense(c, w.below("seed")).reshape(3, 1, 4, 4, 4)
    np.testing.assert_allclose(inputs[0], seed, rtol=1e-3, atol=1e-4)
    # Without recurrence frames differ by their [T, C] statistics only.
    for v in net.non_trainable_variables:
        if v.name.startswith("moving"):
            v.assign(np.broadcast_to(v.numpy()[:1], v.shape))
    outputs = net(z, y).numpy()
    for t in (1, 2):
        np.testing.assert_allclose(outputs[:, t], outputs[:, 0], atol=1e-5)


def test_noise_and_labels_stay_with_their_example():
    net = build()
    z, y = latents()
    reference = net(z, y).numpy()
    assert np.abs(reference[0] - reference[1]).max() > 0.05
    order = [2, 0, 1]
    permuted = net(z[order], y[order]).numpy()
    np.testing.assert_allclose(permuted, reference[order], atol=1e-5)
    other = z.copy()
    other[0] += 1.0
    changed = net(other, y).numpy()
    np.testing.assert_allclose(changed[1:], reference[1:], atol=1e-5)
    assert np.abs(changed[0] - reference[0]).max() > 0.01
    changed = net(z, np.array([1, 0, 3])).numpy()
    np.testing.assert_allclose(changed[1:], reference[1:], atol=1e-5)
    assert np.abs(changed[0] - reference[0]).max() > 0.01


def test_precision_and_range():
    z, y = latents()
    expected = build()(z * 3, y)
    net = build(dtype="mixed_bfloat16")
    videos = net(z * 3, y)
    assert {v.dtype for v in net.variables} == {"float32"}
    assert expected.dtype == videos.dtype == tf.float32
    assert 0.5 < np.abs(expected).max() <= 1.0
    assert 0.5 < np.abs(videos).max() <= 1.0
    assert np.std(expected) > 0.1
    assert np.sqrt(np.mean((videos - expected) ** 2)) < 0.05
    assert net(z, y, training=True).dtype == tf.float32


def test_soft_labels():
    net = build()
    z, y = latents()
    one_hot = oracle.one_hot(y, 4).astype("float32")
    soft = 0.7 * one_hot + 0.3 * one_hot[::-1]
    z = tf.constant(z)
    ids = net.condition(z, tf.constant(y))
    np.testing.assert_allclose(
        net.condition(z, tf.constant(one_hot)), ids, rtol=1e-6
    )
    expected = np.concatenate([z, soft @ net.class_embedding.numpy()], -1)
    np.testing.assert_allclose(
        net.condition(z, tf.constant(soft)), expected, rtol=1e-5
    )
    np.testing.assert_allclose(net(z, one_hot), net(z, y), atol=1e-6)


def test_soft_labels_are_multiplied_in_float32():
    net = build(dtype="mixed_bfloat16")
    z, y = tf.zeros((2, 5), "bfloat16"), tf.ones((2, 4), "bfloat16")
    graph = tf.function(net.condition).get_concrete_function(z, y).graph
    # Of mixed types tf.matmul makes a SparseMatMul, which GPUs do not have.
    assert {op.type for op in graph.get_operations()} & {
        "MatMul",
        "SparseMatMul",
    } == {"MatMul"}


def test_evaluation_changes_no_variable_and_training_all_statistics():
    net = build()
    z, y = latents()
    before = oracle.values(net)
    net(z, y)
    oracle.assert_unchanged(net, before)
    net(z, y, training=True)
    for v in net.variables:
        same = np.array_equal(v.numpy(), before[v.path])
        updated = v.name.endswith("_u") or v.name.startswith("moving")
        # A u of one channel is 1 or -1 for ever.
        assert same != updated or v.shape == (1,), v.path


def test_attention_comes_after_the_group_of_its_resolution():
    net = build(False, **ATTENTION)
    names = [[layer.name for layer in group] for group in net.groups]
    assert names == [
        ["4x4_recurrent", "4x4_block", "4x4_block_up", "8x8_attention"],
        ["8x8_recurrent", "8x8_block", "8x8_block_up", "16x16_attention"],
        ["16x16_recurrent", "16x16_block", "16x16_block_up"],
    ]
    paths = {v.path for v in net.trainable_variables}
    assert "generator/16x16_attention/gamma" in paths


def test_batch_norms_lists_every_one():
    net = build()
    norms = net.batch_norms()
    moving = [v for v in net.variables if v.name == "moving_mean"]
    assert len(norms) == len(moving) == 3 * 4 + 1
    assert {id(n.moving_mean) for n in norms} == {id(v) for v in moving}
    assert all(n.moving_mean.shape[0] == 3 for n in norms)


def test_batch_norm_arguments_reach_every_one():
    net = build(batch_norm_epsilon=0.5, batch_norm_momentum=0.6)
    for norm in net.batch_norms():
        assert norm.epsilon == 0.5
        np.testing.assert_allclose(norm.momentum.numpy(), 0.6)


def test_trained_weights_fit_any_number_of_frames():
    shapes = [
        [(v.path, v.shape) for v in build(num_frames=t).trainable_variables]
        for t in (1, 5)
    ]
    assert shapes[0] == shapes[1]


def test_every_weight_gets_a_gradient():
    net = build()
    z, y = latents()
    cotangent = np.random.default_rng(6).normal(size=(3, 3, 32, 32, 3))
    variables = net.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            net(z, y, training=True) * cotangent.astype("float32")
        )
    grads = tape.gradient(loss, [v.value for v in variables])
    for v, grad in zip(variables, grads, strict=True):
        assert grad is not None, v.path
        assert np.isfinite(grad).all(), v.path
        assert np.abs(grad).max() > 0, v.path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 100}, "resolution=100"),
        ({"num_frames": 0}, "num_frames=0"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"ch": 0}, "ch=0"),
        ({"upsampling": "cubic"}, "upsampling='cubic'"),
        ({"channel_multipliers": (1, 2)}, r"channel_multipliers=\(1, 2\)"),
    ],
)
def test_errors_name_the_value(changes, message):
    with pytest.raises(ValueError, match=message) as info:
        Generator(**{**SMALL, **changes})
    assert "\n" not in str(info.value)


def training_pass(net, parts=1, traced=False):
    """Outputs, gradients and all variables after a training pass."""
    oracle.randomize(net, noise=0.3)
    z, y = latents(4)

    def run(z, y):
        with tf.GradientTape() as tape:
            outputs = net(z, y, training=True, parts=parts)
            rng = np.random.default_rng(8)
            weights = rng.normal(size=outputs.shape).astype("float32")
            loss = tf.reduce_sum(outputs * weights)
        sources = [v.value for v in net.trainable_variables]
        return outputs, tape.gradient(loss, sources)

    if traced:
        run = tf.function(run)
    outputs, gradients = run(tf.constant(z), tf.constant(y))
    return outputs, gradients, oracle.values(net)


def test_recomputation_and_parts_change_nothing():
    changes = dict(attention_resolutions=(8,), channel_multipliers=(4,) * 4)
    expected = training_pass(_build(**changes))
    for recompute, parts in ((True, 1), (False, 2), (True, 4)):
        net = _build(recompute=recompute, **changes)
        # Tracing takes longer than all else here: once will do.
        outputs, gradients, state = training_pass(net, parts, traced=parts == 4)
        np.testing.assert_allclose(outputs, expected[0], atol=1e-4)
        # Biases before a batch norm have a gradient of zero but for rounding.
        largest = max(np.abs(b).max() for b in expected[1])
        for a, b in zip(gradients, expected[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4 * largest)
        # The moving statistics and u are updated once, by the whole batch.
        for path, value in expected[2].items():
            np.testing.assert_allclose(
                state[path], value, rtol=1e-4, atol=1e-4, err_msg=path
            )


def test_parts_in_mixed_precision():
    net = _build(dtype="mixed_bfloat16")
    outputs, gradients, _ = training_pass(net, parts=2)
    expected, expected_gradients, _ = training_pass(net)
    assert outputs.dtype == tf.float32
    np.testing.assert_allclose(outputs, expected, atol=0.1)
    largest = max(np.abs(b).max() for b in expected_gradients)
    for a, b in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=0.1 * largest)


@pytest.mark.parametrize("recompute", [False, True])
def test_units_see_a_part_at_a_time(recompute, monkeypatch):
    seen = []
    apply = ConvGRU.apply

    def spy(self, inputs, *args, **kwargs):
        seen.append(inputs.shape[0])
        return apply(self, inputs, *args, **kwargs)

    monkeypatch.setattr(ConvGRU, "apply", spy)
    training_pass(_build(recompute=recompute), parts=2)
    assert set(seen) == {2}


def test_standing_statistics_in_parts_are_those_of_the_batch():
    whole, parts = (_build(), _build())
    z, y = latents(4)
    for net, n in ((whole, 1), (parts, 4)):
        oracle.randomize(net, noise=0.3)
        net.accumulate_standing_statistics(
            tf.constant(z), tf.constant(y), tf.constant(1.0), parts=n
        )
    for path, value in oracle.values(whole).items():
        np.testing.assert_allclose(
            oracle.values(parts)[path], value, rtol=1e-4, atol=1e-5
        )
