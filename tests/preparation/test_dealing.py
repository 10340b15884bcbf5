import random

import pytest

from dvdgan_tf.preparation.dealing import deal
from dvdgan_tf.preparation.listing import Clip


def clips(names):
    return [Clip(name, name, name[0], "train") for name in names]


def shards(names, most=64):
    return {frozenset(c.name for c in s) for s in deal(clips(names), most)}


def names(count):
    return [f"{'ab'[n % 2]}/{n}.mp4" for n in range(count)]


@pytest.mark.parametrize("most", [64, 32])
@pytest.mark.parametrize("count", [1000, 1900, 2048])
def test_one_clip_more_or_less_leaves_95_percent(count, most):
    everything = names(count)
    before = shards(everything, most)
    kept = []
    for name in random.Random(0).sample(everything, 20):
        after = shards([n for n in everything if n != name], most)
        kept.append(len(before & after) / max(len(before), len(after)))
    for n in range(20):
        after = shards([*everything, f"c/{n}.mp4"], most)
        kept.append(len(before & after) / max(len(before), len(after)))
    # A clip cannot come or go without changing a shard.
    assert max(kept) < 1
    assert sum(kept) / len(kept) >= 0.96
    # Where two small shards become one, or the other way round, two change.
    assert min(kept) >= 1 - 2 / min(len(before), len(after))


def test_of_1000_files_each_leaves_95_percent():
    everything = names(1000)
    before = shards(everything)
    for name in everything[::5]:
        after = shards([n for n in everything if n != name])
        assert len(before & after) >= 0.95 * len(before)
        # And the other way round, as if the file was new.
        assert len(before & after) >= 0.95 * len(after)


@pytest.mark.parametrize("count", [1, 2, 31, 500, 3000])
@pytest.mark.parametrize("most", [1, 5, 64])
def test_every_clip_is_in_one_shard(count, most):
    dealt = deal(clips(names(count)), most)
    assert sorted(c.name for s in dealt for c in s) == sorted(names(count))
    assert all(1 <= len(shard) <= most for shard in dealt)


def test_the_order_of_the_clips_does_not_matter():
    mixed = names(500)
    random.Random(0).shuffle(mixed)
    assert deal(clips(mixed), 5) == deal(clips(names(500)), 5)


def test_a_small_collection_is_work_for_several_processes():
    assert len(deal(clips(names(120)), 64)) >= 24


def test_classes_mix():
    dealt = deal(clips(names(80)), 4)
    mixed = [{c.label for c in shard} == {"a", "b"} for shard in dealt]
    larger = [len(shard) > 1 for shard in dealt]
    assert sum(mixed) > sum(larger) / 2
