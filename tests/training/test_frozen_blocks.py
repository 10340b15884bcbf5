"""FreezeD: the first blocks of D keep their weights."""

import functools

import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.layers.spectral_norm import spectral_weights

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")


def test_frozen_blocks_do_not_train(eagerly):
    new = tiny.trainer(frozen_d_blocks=1)
    new.randomness.follow_labels(tiny.Source.label_counts)
    before = tiny.values(new)
    new.run(tiny.batches(new), tf.constant(1))
    after = tiny.values(new)
    vectors = {
        weight.u.path
        for network in new.networks
        for weight in spectral_weights(network)
    }
    discriminators = ("spatial_discriminator/", "temporal_discriminator/")
    changed = {
        path
        for path, value in after.items()
        if path.startswith(discriminators)
        and path not in vectors
        and (value != before[path]).any()
    }
    assert not any("_block0/" in path for path in changed)
    trained = {
        path
        for path in before
        if path.startswith(discriminators)
        and path.endswith(("/kernel", "/embeddings"))
        and "_block0/" not in path
    }
    assert len(trained) > 5 and trained <= changed
    slots = [v.path for v in new.optimizer_d.variables]
    assert slots and not any("block0" in path for path in slots)


def test_frozen_blocks_resume(tmp_path, eagerly):
    run = functools.partial(
        tiny.train,
        tmp_path,
        trainer=lambda _: tiny.trainer(frozen_d_blocks=1),
    )
    assert run(num_steps=1) == 1
    assert run(num_steps=2) == 2
    with pytest.raises(ValueError, match="is of another model"):
        run(num_steps=3, trainer=lambda _: tiny.trainer())


def test_no_frozen_block_is_the_trainer_as_it_was(trainer):
    for network in (trainer.d_spatial, trainer.d_temporal):
        assert all(block.trainable for block in network.blocks)
        state = {w.u.path for w in spectral_weights(network)}
        trained = [v for v in network.variables if v.path not in state]
        assert len(network.trainable_variables) == len(trained)


@pytest.mark.parametrize("count", [-1, 3])
def test_impossible_numbers_of_frozen_blocks(count):
    with pytest.raises(ValueError, match=f"0 to 2.*frozen_d_blocks={count}"):
        tiny.trainer(frozen_d_blocks=count)


def test_attention_counts_with_the_block_before_it():
    attention = functools.partial(
        tiny.NETWORKS["spatial_discriminator"],
        ch=8,
        attention_resolutions=(4,),
    )
    network = attention(num_classes=2)
    network.build()
    network.freeze_blocks(1)
    assert [block.trainable for block in network.blocks] == [False, False, True]
    network = attention(num_classes=2)
    network.build()
    network.freeze_blocks(0)
    assert all(block.trainable for block in network.blocks)
