"""The stream of batches is a pure function of seed and position."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.data import pipeline


class Numbers:
    """A source whose pixels are the clip's index and a draw from its seed."""

    num_frames = 2
    resolution = 4
    class_names = ("even", "odd")

    def __init__(self, num_examples):
        self.num_examples = num_examples
        indices = np.arange(num_examples)
        self.label_counts = np.bincount(indices % 2, minlength=2)

    def load(self, index, seed):
        draw = tf.random.stateless_uniform([], seed, 0, 256, tf.int32)
        pixel = tf.stack([tf.cast(index, tf.int32), draw, 0])
        video = tf.broadcast_to(pixel, [2, 4, 4, 3])
        return tf.cast(video, tf.uint8), tf.cast(index % 2, tf.int32)


def take(count, num_examples=10, batch=5, seed=1, **kwargs):
    """The first batches: indices, draws and labels, each [count, b]."""
    source = Numbers(num_examples)
    dataset = pipeline.batches(source, batch, seed, **kwargs)
    videos, labels = zip(
        *itertools.islice(dataset.as_numpy_iterator(), count), strict=True
    )
    videos = np.stack(videos)
    return videos[:, :, 0, 0, 0, 0], videos[:, :, 0, 0, 0, 1], labels


def test_shapes_are_static_and_the_stream_is_infinite():
    dataset = pipeline.batches(Numbers(3), 4, seed=0)
    video, label = dataset.element_spec
    assert video == tf.TensorSpec([4, 2, 4, 4, 3], tf.uint8)
    assert label == tf.TensorSpec([4], tf.int32)
    indices, _, labels = take(6, num_examples=3, batch=4)
    assert indices.shape == (6, 4)
    np.testing.assert_array_equal(indices % 2, labels)


@pytest.mark.parametrize("num_examples", [1, 2, 7, 10])
def test_every_example_once_per_epoch(num_examples):
    # Batches of 5 straddle the epochs of 7.
    indices = take(num_examples * 2, num_examples)[0].reshape(10, -1)
    for epoch in indices:
        assert sorted(epoch) == list(range(num_examples))


def test_order_and_draws_change_with_epoch_and_seed():
    indices, draws, _ = take(8, num_examples=20, seed=1)
    others, other_draws, _ = take(8, num_examples=20, seed=2)
    epochs = np.concatenate([indices, others]).reshape(4, 20)
    all_draws = np.concatenate([draws, other_draws]).reshape(4, 20)
    for a, b in itertools.combinations(range(4), 2):
        # Two random orders agree in one place on average.
        assert np.sum(epochs[a] == epochs[b]) < 10
        assert np.sum(all_draws[a] == all_draws[b]) < 5
    assert not np.array_equal(epochs[0], np.arange(20))


def test_draws_differ_within_an_epoch_and_when_a_clip_returns():
    _, draws, _ = take(40, num_examples=1, batch=5)
    # 200 draws of 256 values: 139 different ones on average.
    assert 115 < len(np.unique(draws)) < 165


def test_same_seed_same_stream():
    for a, b in zip(take(6), take(6), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("start", [1, 3, 7])
def test_start_batch_equals_skipping(start):
    for a, b in zip(take(10, 7), take(5, 7, start_batch=start), strict=True):
        np.testing.assert_array_equal(a[start : start + 2], b[:2])


def test_a_far_start_is_not_read_up_to():
    indices, _, _ = take(2, start_batch=10**12)
    assert sorted(indices.ravel()) == list(range(10))


def test_slices_of_pipelines_and_replicas_are_the_global_batch():
    whole = take(4, num_examples=11, batch=8, start_batch=2)
    slices = [
        take(
            8,
            num_examples=11,
            batch=8,
            start_batch=2,
            pipeline_id=p,
            num_pipelines=2,
            replicas_per_pipeline=2,
        )
        for p in range(2)
    ]
    for part, expected in enumerate(whole):
        # [pipeline, batch, replica, b] -> [batch, all]
        parts = np.stack([s[part] for s in slices]).reshape(2, 4, 2, 2)
        parts = parts.transpose(1, 0, 2, 3).reshape(4, 8)
        np.testing.assert_array_equal(parts, expected)


@pytest.mark.parametrize(
    "arguments, value",
    [
        (dict(global_batch_size=6, num_pipelines=4), "6"),
        (dict(global_batch_size=0), "0"),
        (dict(global_batch_size=4, pipeline_id=2, num_pipelines=2), "2"),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError) as error:
        pipeline.batches(Numbers(3), seed=0, **arguments)
    assert "\n" not in str(error.value)
    assert f"={value}." in str(error.value)
