"""Steps with TrIVD-GAN's inputs of D: small frames for D_S, crops for D_T."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")

REDUCED = {
    "spatial_discriminator": functools.partial(
        tiny.NETWORKS["spatial_discriminator"], downsampling=2
    ),
    "temporal_discriminator": functools.partial(
        tiny.NETWORKS["temporal_discriminator"], phi=1, crop=2
    ),
}


def recorded(network, monkeypatch):
    """List of what a discriminator is applied to, filled by every call."""
    inputs = []
    apply = network.apply

    def record(x, *args):
        inputs.append(x.numpy())
        return apply(x, *args)

    monkeypatch.setattr(network, "apply", record)
    return inputs


@pytest.fixture(scope="module")
def eager():
    """A step's trainer, values before, and inputs of D_S and D_T."""
    trainer = tiny.trainer(**REDUCED)
    before = tiny.values(trainer)
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        inputs = [
            recorded(network, monkeypatch)
            for network in (trainer.d_spatial, trainer.d_temporal)
        ]
        trainer.run(tiny.batches(trainer), tf.constant(1))
    tf.config.run_functions_eagerly(False)
    return trainer, before, inputs


def test_discriminators_see_fewer_pixels(eager):
    trainer, _, (frames, crops) = eager
    assert trainer.d_spatial.input_size == (4, 4)
    assert trainer.d_temporal.input_size == (4, 4)
    # Two updates of D on real and fake, one of G.
    batches = [2 * tiny.BATCH, 2 * tiny.BATCH, tiny.BATCH]
    # D_S pools after its frames are drawn.
    assert [x.shape for x in frames] == [(b, 2, 8, 8, 3) for b in batches]
    assert [x.shape for x in crops] == [(b, 4, 4, 4, 3) for b in batches]


def test_crops_of_real_videos_are_at_the_places_drawn(eager):
    trainer, _, (_, crops) = eager
    batches = tiny.batches(trainer)
    for update in range(2):
        videos, _ = next(batches)
        real = videos.numpy() / 127.5 - 1
        _, _, noise, _ = trainer.strategy.run(
            trainer.randomness.draw, args=(tf.constant(0, tf.int64), update)
        )
        # The last two columns, of five possible rows and columns.
        places = np.floor(noise.numpy()[:, tiny.FRAMES :] * 5).astype(int)
        assert places.shape == (tiny.BATCH, 2)
        for clip, (row, column), found in zip(
            real, places, crops[update], strict=False
        ):
            expected = clip[:, row : row + 4, column : column + 4]
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_step_moves_all_networks(eager):
    """That XLA computes the same: test_xla.py."""
    trainer, before, _ = eager
    after = tiny.values(trainer)
    for network in trainer.networks[:3]:
        for variable in network.trainable_variables:
            path = variable.path
            assert not np.array_equal(before[path], after[path]), path
