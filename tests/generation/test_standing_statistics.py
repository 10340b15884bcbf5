import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.generation import standing_statistics
from dvdgan_tf.generation.averaged_weights import CheckpointedGenerator


def inputs(count):
    """Latents and classes of a number of clips."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=[count, 4]).astype("float32")
    y = rng.integers(tiny.CLASSES, size=count).astype("int32")
    return tf.data.Dataset.from_tensor_slices((z, y))


@pytest.mark.parametrize("strategy", [tiny.one_device, tiny.mirrored])
def test_standing_statistics_are_those_of_the_whole_batch(
    strategy, monkeypatch
):
    seen, values, weights = [], [], None
    for at_once in (2, 100):
        monkeypatch.setattr(standing_statistics, "_AT_ONCE", at_once)
        with strategy().scope():
            generator = CheckpointedGenerator(
                tiny.NETWORKS["generator"], tiny.CLASSES
            )
        network = generator.network
        weights = weights or network.get_weights()
        network.set_weights(weights)
        spy_on(network.head, seen, monkeypatch)
        generator.statistics.take(inputs(24), 12, 2)
        values.append(network.get_weights())
    assert {2 * tiny.FRAMES} < set(seen)
    for a, b in zip(*values, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def spy_on(layer, seen, monkeypatch):
    """Notes the number of frames that the layer is given."""
    apply = layer.apply

    def spy(inputs, parameters):
        seen.append(inputs.shape[0])
        return apply(inputs, parameters)

    monkeypatch.setattr(layer, "apply", spy)


def test_parts_divide_the_batch(monkeypatch):
    monkeypatch.setattr(standing_statistics, "_AT_ONCE", 16)
    parts = standing_statistics._parts_of
    batches = (1, 16, 17, 24, 512)
    assert [parts(n, 48) for n in batches] == [1, 1, 17, 2, 32]
    assert [parts(n, 12) for n in batches] == [1, 1, 17, 2, 32]
    # 16 clips of 48 frames are 4 of 192.
    assert [parts(n, 192) for n in batches] == [1, 4, 17, 6, 128]
    assert parts(3, 10_000) == 3
