"""DVD-GAN-FP: the frame encoder and the generator that it conditions."""

import functools

import numpy as np
import numpy_layers as oracle
import pytest
import tensorflow as tf

from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.networks.generator import Generator

SMALL = dict(
    resolution=32,
    num_classes=4,
    ch=2,
    channel_multipliers=(2, 2, 3, 2),
    z_dim=5,
    embedding_dim=3,
)
ENCODER = functools.partial(
    FrameEncoder, ch=2, channel_multipliers=(1, 2, 3, 4)
)
CLOSE = dict(rtol=1e-2, atol=2e-3)


@functools.cache
def predictor(**changes):
    net = Generator(
        **SMALL,
        num_frames=5,
        conditioning_frames=2,
        frame_encoder=ENCODER,
        **changes,
    )
    net.build()
    return net


@pytest.fixture(name="net")
def _net():
    net = predictor()
    oracle.randomize(net, noise=0.3)
    return net


def inputs(batch=2):
    rng = np.random.default_rng(7)
    frames = rng.uniform(-1, 1, [batch, 2, 32, 32, 3]).astype("float32")
    z = rng.normal(size=(batch, 5)).astype("float32")
    return z, np.array([2, 0, 3][:batch]), frames


@pytest.mark.parametrize("training", [False, True])
def test_encoder_equals_numpy(training):
    net = FrameEncoder(32, 3, (5, 4, 6), ch=2, channel_multipliers=(1, 2, 3, 4))
    net.build()
    oracle.randomize(net, noise=0.3)
    frames = np.random.default_rng(1).uniform(-1, 1, [2, 3, 32, 32, 3])
    expected = oracle.frame_encoder(
        frames, oracle.Weights(net, iterations=int(training)), num_blocks=4
    )
    states = net(tf.constant(frames, "float32"), training=training)
    shapes = [tuple(state.shape) for state in states]
    assert shapes == [(2, 4, 4, 5), (2, 8, 8, 4), (2, 16, 16, 6)]
    for state, value in zip(states, expected, strict=True):
        np.testing.assert_allclose(state, value, **CLOSE)
        assert value.std() > 0.01


def test_generator_equals_numpy(net):
    z, y, frames = inputs()
    w = oracle.Weights(net)
    expected = oracle.generator(
        z.astype("float64"),
        oracle.one_hot(y, 4),
        w,
        num_frames=3,
        num_groups=3,
        states=oracle.frame_encoder(
            frames.astype("float64"), w.below("frame_encoder"), num_blocks=4
        ),
    )
    videos = net(z, y, frames=frames)
    assert videos.shape == (2, 3, 32, 32, 3)
    np.testing.assert_allclose(videos, expected, **CLOSE)


def test_zero_states_give_exactly_the_unconditional_generator(net):
    plain = Generator(**SMALL, num_frames=3)
    plain.build()
    values = {v.path: v for v in net.variables}
    for v in plain.variables:
        v.assign(values[v.path])
    for fusion in net.frame_encoder.fusions:
        # The ReLU's result is 0 whatever the frames are.
        fusion.bias.assign(tf.fill(fusion.bias.shape, -1e4))
    z, y, frames = inputs()
    np.testing.assert_array_equal(
        net(z, y, frames=frames), plain(z, y, training=False)
    )


@pytest.mark.parametrize("changed", [0, 1])
def test_each_given_frame_changes_the_prediction(net, changed):
    z, y, frames = inputs()
    other = frames.copy()
    other[:, changed] *= -1
    before, after = (net(z, y, frames=f).numpy() for f in (frames, other))
    assert np.abs(after - before).max(axis=(1, 2, 3, 4)).min() > 1e-3


def test_swapping_two_examples_swaps_their_predictions(net):
    z, y, frames = inputs()
    videos = net(z, y, frames=frames).numpy()
    swapped = net(z[::-1], y[::-1], frames=frames[::-1]).numpy()
    # Matrix products round a row by where it is in the batch.
    np.testing.assert_allclose(swapped, videos[::-1], rtol=0, atol=2e-6)


@pytest.mark.parametrize("memory", [{"recompute": True}, {"parts": 2}])
def test_gradients_equal_those_without_saving_memory(net, memory):
    saving = predictor(recompute=memory.get("recompute", False))
    for v, value in zip(saving.variables, net.variables, strict=True):
        v.assign(value)
    z, y, frames = map(tf.constant, inputs())
    results = []
    for g, parts in ((net, 1), (saving, memory.get("parts", 1))):
        with tf.GradientTape() as tape:
            videos = g(z, y, training=True, frames=frames, parts=parts)
            loss = tf.reduce_sum(videos**2)
        weights = g.frame_encoder.trainable_variables
        results.append(tape.gradient(loss, [v.value for v in weights]))
    for plain, other in zip(*results, strict=True):
        np.testing.assert_allclose(other, plain, rtol=1e-2, atol=1e-3)
    assert all(np.abs(g).max() > 0 for g in results[0])


@pytest.mark.parametrize("given", [None, 1, 3])
def test_wrong_number_of_given_frames(net, given):
    z, y, _ = inputs()
    frames = None if given is None else tf.zeros([2, given, 32, 32, 3])
    with pytest.raises(ValueError, match="takes 2 conditioning frames"):
        net(z, y, frames=frames)


@pytest.mark.parametrize("count", [-1, 3])
def test_impossible_numbers_of_conditioning_frames(count):
    with pytest.raises(ValueError, match="CONDITIONING_FRAMES must be from"):
        Generator(**SMALL, num_frames=3, conditioning_frames=count)
