import functools

import pytest
from training import test_rectangles, tiny
from training.test_prediction import GENERATOR
from training.test_reduced_inputs import REDUCED

from dvdgan_tf.data import pipeline
from dvdgan_tf.training.feed import Feed
from tools.flops import flops, xla_cost
from tools.flops.network_flops import DiscriminatorCount, GeneratorCount
from tools.flops.shapes import network


# One group 4x4 -> 8x8 of 4 and 2 channels, 4 frames, 3 classes.
@pytest.fixture
def generator():
    return network(tiny.NETWORKS["generator"], num_classes=3)


@pytest.fixture
def d_spatial():
    return network(tiny.NETWORKS["spatial_discriminator"], num_classes=3)


@pytest.fixture
def d_temporal():
    return network(tiny.NETWORKS["temporal_discriminator"], num_classes=3)


def test_step(generator, d_spatial, d_temporal):
    networks = (generator, d_spatial, d_temporal)
    count = flops.StepCount(*networks, batch_size=5, d_steps=3)
    g = GeneratorCount(generator, 5)
    single, double = (
        [
            DiscriminatorCount(d_spatial, 2, n),
            DiscriminatorCount(d_temporal, 4, n),
        ]
        for n in (5, 10)
    )
    # Only conv1 and the skip of the first blocks read the video.
    videos = sum(
        sum(p.inputs for p in d.products if p.reads_video) for d in double
    )
    assert videos == 2 * (20 * (64 * 54 + 16 * 6)) + 2 * 10 * (
        4 * 16 * 162 + 2 * 4 * 6
    )
    d_update = g.forward() - videos
    d_update += sum(d.forward() + d.backward() for d in double)
    g_update = g.forward() + g.backward()
    g_update += sum(d.forward() + d.backward(weights=False) for d in single)
    assert count.d_update == d_update
    assert count.g_update == g_update
    assert count.step == 3 * d_update + g_update


@pytest.mark.parametrize(
    "changes",
    [{}, {"generator": GENERATOR, **REDUCED}],
    ids=["synthesis", "prediction_with_reduced_inputs"],
)
def test_agrees_with_xla_on_a_step(changes):
    trainer = tiny.trainer(**changes)
    found = xla_cost.of_trainer(trainer, next(tiny.batches(trainer)))
    count = flops.count(trainer, padding=False)
    assert found == (count.d_update, count.g_update)


def test_agrees_with_xla_on_frames_that_are_not_square():
    """D_T pools maps of 4x7 to 2x4, and attends to those."""
    networks = {
        name: functools.partial(
            make,
            ch=8,
            attention_resolutions=(8,) if name == "generator" else (2,),
        )
        for name, make in test_rectangles.NETWORKS.items()
        if name != "spatial_discriminator"
    }
    trainer = tiny.trainer(**{**test_rectangles.NETWORKS, **networks})
    feed = Feed(pipeline.batches, test_rectangles.Source(), trainer)
    found = xla_cost.of_trainer(trainer, next(feed.since(0)))
    count = flops.count(trainer, padding=False)
    assert found == (count.d_update, count.g_update)
