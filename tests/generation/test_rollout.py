import functools

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.generation.rollout import num_passes, roll_out
from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.networks.generator import Generator


def inputs(given, passes, batch=2):
    rng = np.random.default_rng(3)
    frames = rng.normal(size=(batch, given, 2, 2, 3)).astype(np.float32)
    z = rng.normal(size=(batch, passes, 4)).astype(np.float32)
    return z, np.arange(batch), frames


def predict(generated, z, y, frames):
    """Each frame knows z, y, its time step and which frames were given."""
    weights = np.arange(1.0, frames.shape[1] + 1, dtype=np.float32)
    past = tf.einsum("btijk,t->bijk", frames, weights)
    own = z[:, 0] + tf.cast(y, tf.float32)
    steps = [past + own[:, None, None, None] + t for t in range(generated)]
    return tf.stack(steps, 1)


def oracle(generated, z, y, frames, num_frames):
    clip = list(np.moveaxis(frames.astype(np.float64), 1, 0))
    given = len(clip)
    while len(clip) < num_frames:
        n = (len(clip) - given) // generated
        past = sum((i + 1) * f for i, f in enumerate(clip[-given:]))
        own = (z[:, n, 0] + y)[:, None, None, None]
        clip += [past + own + t for t in range(generated)]
    return np.stack(clip[:num_frames], 1)


@pytest.mark.parametrize(
    ("given", "generated", "num_frames", "passes"),
    [(2, 3, 5, 1), (2, 3, 4, 1), (2, 3, 6, 2), (1, 4, 13, 3), (5, 2, 10, 3)],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_the_last_frames_are_given_again(
    given, generated, num_frames, passes, compiled
):
    assert num_passes(num_frames, given, generated) == passes
    z, y, frames = inputs(given, passes)
    run = functools.partial(
        roll_out,
        functools.partial(predict, generated),
        num_frames=num_frames,
    )
    if compiled:
        run = tf.function(run, jit_compile=True)
    found = run(tf.constant(z), tf.constant(y), tf.constant(frames))
    assert found.shape == (2, num_frames, 2, 2, 3)
    expected = oracle(generated, z, y, frames, num_frames)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found[:, :given], frames)


def test_z_must_reach_the_end():
    z, y, frames = inputs(2, 2)
    with pytest.raises(ValueError, match=r"to 9. Received: 2.*end at 8"):
        roll_out(functools.partial(predict, 3), z, y, frames, 9)


def test_a_generator_uses_its_own_time_steps_in_each_pass():
    net = Generator(
        resolution=32,
        num_frames=4,
        num_classes=1,
        conditioning_frames=2,
        frame_encoder=functools.partial(
            FrameEncoder, ch=2, channel_multipliers=(1, 1, 1, 1)
        ),
        ch=2,
        channel_multipliers=(2, 2, 1, 1),
        z_dim=4,
        embedding_dim=4,
    )
    net.build()
    rng = np.random.default_rng(5)
    frames = rng.uniform(-1, 1, [2, 2, 32, 32, 3]).astype(np.float32)
    z = rng.normal(size=(2, 2, 4)).astype(np.float32)
    y = tf.zeros([2], tf.int32)

    def one(z, y, frames):
        return net(z, y, training=False, frames=frames)

    found = tf.function(roll_out, jit_compile=True)(
        one, tf.constant(z), y, tf.constant(frames), 6
    )
    first = one(tf.constant(z[:, 0]), y, tf.constant(frames))
    second = one(tf.constant(z[:, 1]), y, first)
    np.testing.assert_allclose(found[:, 2:4], first, atol=1e-4)
    np.testing.assert_allclose(found[:, 4:], second, atol=1e-3)
