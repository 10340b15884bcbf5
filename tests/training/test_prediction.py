"""The Trainer on frame prediction, DVD-GAN-FP."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.training import real_clips
from dvdgan_tf.training.losses import Hinge
from dvdgan_tf.training.prediction_grid import PredictionGrid

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")

GENERATOR = functools.partial(
    tiny.NETWORKS["generator"],
    conditioning_frames=1,
    frame_encoder=functools.partial(FrameEncoder, ch=2),
)


def trainer(strategy=None, **changes):
    return tiny.trainer(strategy, generator=GENERATOR, **changes)


def step(trainer, steps=1):
    iterator = tiny.batches(trainer)
    history = trainer.run(iterator, tf.constant(steps)).numpy()
    return history, tiny.values(trainer)


@pytest.fixture(scope="module")
def plain():
    """Metrics of a step, and all values before and after it."""
    new = trainer()
    before = tiny.values(new)
    tf.config.run_functions_eagerly(True)
    history, after = step(new)
    tf.config.run_functions_eagerly(False)
    return history, before, after


def scaled(videos):
    return videos.numpy().astype("float32") / 127.5 - 1.0


def test_first_losses_by_hand(eagerly):
    """D_T sees real frames first; D_S the continuation; labels are real."""
    one = trainer(d_steps=1)
    videos, labels = next(tiny.batches(one))
    z, _, real_noise, fake_noise = one.randomness.draw(
        tf.constant(0, tf.int64), 0
    )
    # For the frames of the continuation, and the place of D_T's crop.
    assert real_noise.shape == (tiny.BATCH, tiny.FRAMES - 1 + 2)
    real = scaled(videos)
    fake = one.generator(z, labels, training=True, frames=real[:, :1])
    spatial = one.d_spatial.parameters(training=True)
    temporal = one.d_temporal.parameters(training=True)

    def hinge(discriminator, parameters, clips):
        return Hinge.discriminator(
            *(discriminator.apply(c, labels, parameters) for c in clips),
            tiny.BATCH,
        )

    def drawn(clips, noise):
        return one.d_spatial.draw_frames(tf.constant(clips), noise[:, :-2])

    expected = [
        hinge(
            one.d_spatial,
            spatial,
            [drawn(real[:, 1:], real_noise), drawn(fake, fake_noise)],
        ),
        hinge(
            one.d_temporal,
            temporal,
            [real, np.concatenate([real[:, :1], fake], 1)],
        ),
    ]
    one = trainer(d_steps=1)  # Its vectors u have not moved.
    history, _ = step(one)
    np.testing.assert_allclose(history[0, :2], expected, rtol=1e-4)


def test_a_step_takes_a_batch_more_than_d_steps(plain, eagerly):
    counting = trainer()
    assert counting.batches_per_step == 3
    assert tiny.trainer().batches_per_step == 2
    batches = tiny.batches(counting)
    videos, labels = zip(*(next(batches) for _ in range(3)), strict=True)
    metrics = counting.step_on(tf.stack(videos), tf.stack(labels))
    np.testing.assert_allclose(metrics, plain[0][0], rtol=1e-4)


def test_resuming_goes_on_with_the_batches_that_follow(tmp_path, eagerly):
    def run(folder, steps):
        return tiny.train(
            folder,
            lambda _: trainer(),
            steps,
            standing_statistics_batches=1,
            sample_grid=functools.partial(PredictionGrid, num_clips=2),
        )

    def newest(folder):
        path = tf.train.latest_checkpoint(str(folder / "ckpt"))
        reader = tf.train.load_checkpoint(path)
        return {
            name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if "GRAPH" not in name and "save_counter" not in name
        }

    run(tmp_path / "whole", 2)
    run(tmp_path / "parts", 1)
    run(tmp_path / "parts", 2)
    whole, parts = newest(tmp_path / "whole"), newest(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    weights = [n for n in whole if "kernel" in n and "ema" not in n]
    assert weights
    for name in weights:
        np.testing.assert_allclose(whole[name], parts[name], atol=1e-6)
    assert (tmp_path / "parts/samples/step_00000002_ema.png").exists()


def test_parts_equal_the_plain_step(plain, eagerly):
    """Under XLA: test_xla.py."""
    expected, _, expected_values = plain
    history, values = step(trainer(accumulation_steps=2))
    np.testing.assert_allclose(history, expected, rtol=1e-3, atol=1e-4)
    for name, value in values.items():
        # Adam moves what has no gradient by its learning rate at most.
        np.testing.assert_allclose(value, expected_values[name], atol=2e-3)


def test_two_replicas_equal_one(plain, eagerly):
    two, _ = step(trainer(tiny.mirrored()))
    norms = [i for i, name in enumerate(tiny.METRICS) if "norm" in name]
    losses_only = np.delete(np.arange(len(tiny.METRICS)), norms)
    np.testing.assert_allclose(
        two[:, losses_only], plain[0][:, losses_only], rtol=1e-3, atol=1e-4
    )


def test_the_frame_encoder_learns(plain):
    _, before, after = plain
    encoder = [n for n in before if n.startswith("generator/frame_encoder")]
    kernels = [n for n in encoder if n.endswith("kernel")]
    assert kernels
    assert all(np.any(before[n] != after[n]) for n in kernels)
    # And its average follows it.
    for name in kernels:
        np.testing.assert_array_equal(
            after[name], after[name.replace("generator/", "ema_generator/", 1)]
        )


def test_one_class_ignores_the_labels(eagerly):
    net = trainer(num_classes=1)
    history, _ = step(net)
    assert np.isfinite(history).all()
    assert net.d_spatial.num_classes == 1
    ids = real_clips.class_ids(net.generator, tf.constant([0, 2]))
    np.testing.assert_array_equal(ids, [0, 0])
