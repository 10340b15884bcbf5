"""What a network says of clips: statistics of all, features of the first."""

import numpy as np
import tensorflow as tf

from dvdgan_tf.metrics.statistics import FeatureStatistics
from dvdgan_tf.progress_bar import progress_bar
from dvdgan_tf.video.pixels import to_levels


class Activations:
    """Activations of clips, added batch by batch; memory does not grow.

    Args:
        outputs: names of the network's outputs.
        keep: number of clips whose features are kept, the first ones.
        samples_per_condition: number of clips in a row that continue the same
            real frames.

    Attributes:
        statistics: {output: `FeatureStatistics`} of all clips.
        features: {output: float32 [min(N, keep), D]}.
        labels: int32 [min(N, keep)].
    """

    def __init__(self, outputs, keep=10_000, samples_per_condition=1):
        self.outputs = tuple(outputs)
        self.samples_per_condition = samples_per_condition
        self.keep = keep
        self.statistics = {}
        self._features = {name: [] for name in self.outputs}
        self._labels = []

    @property
    def features(self):
        """See the class."""
        return {k: np.concatenate(v) for k, v in self._features.items()}

    @property
    def labels(self):
        """See the class."""
        return np.concatenate(self._labels)

    @property
    def count(self):
        """Number of clips."""
        return self.statistics[self.outputs[0]].count

    def update(self, features, labels):
        """Adds clips.

        Args:
            features: {output: [N, D]}.
            labels: integer [N].

        Raises:
            ValueError: an activation is not finite.
        """
        room = self.keep - sum(map(len, self._labels))
        for name in self.outputs:
            rows = np.asarray(features[name], np.float32)
            if name not in self.statistics:
                self.statistics[name] = FeatureStatistics(rows.shape[1])
            self.statistics[name].update(rows)
            self._features[name].append(rows[: max(room, 0)])
        self._labels.append(np.asarray(labels, np.int32)[: max(room, 0)])

    def to_dict(self):
        """All of it as arrays, for `np.savez`."""
        arrays = {"labels": self.labels}
        for name in self.outputs:
            arrays[f"{name}/features"] = self.features[name]
            for key, value in self.statistics[name].to_dict().items():
                arrays[f"{name}/{key}"] = value
        return arrays

    @classmethod
    def from_dict(cls, arrays, outputs):
        """The inverse of `to_dict`.

        Args:
            arrays: {name: array}, need not be trusted.
            outputs: names that have to be there.

        Raises:
            KeyError, ValueError: the arrays are not such.
        """
        activations = cls(outputs)
        activations._labels = [np.asarray(arrays["labels"], np.int32)]
        for name in activations.outputs:
            rows = np.asarray(arrays[f"{name}/features"], np.float32)
            statistics = FeatureStatistics.from_dict(
                {
                    key.removeprefix(f"{name}/"): value
                    for key, value in arrays.items()
                    if key.startswith(f"{name}/") and "/features" not in key
                }
            )
            if rows.shape != (len(arrays["labels"]), statistics.dimension):
                raise ValueError(f"features of {name!r} are {list(rows.shape)}")
            activations.statistics[name] = statistics
            activations._features[name] = [rows]
        return activations


def make_step(
    videos,
    network,
    strategy,
    num_frames=None,
    quantize=True,
    similarity=None,
):
    """The function that `measure` calls for each batch; traced once.

    Args:
        videos: method `videos` of the clips (see `measured_clips`).
        network: feature network: an object that can be called and has a method
            `preprocess` (see `features`).
        strategy: a `tf.distribute.Strategy` of one process.
        num_frames: number of frames of each clip that the network is shown,
            counted from the first; None shows all.
        quantize: whether floats are rounded to 256 values, as in a file, or
            go to the network as they are.
        similarity: method `similarity` of the clips (see `measured_clips`), or
            None; its results count as further outputs of the network.

    Returns:
        `tf.function` of a distributed batch, giving on each replica
        {output: [b, D]} and labels [b].
    """

    @tf.autograph.experimental.do_not_convert
    def on_replica(inputs, labels):
        pixels = to_pixels(videos(inputs, labels)[:, :num_frames], quantize)
        features = network(network.preprocess(pixels))
        if similarity:
            features = features | similarity(inputs, pixels)
        return features, labels

    @tf.function(reduce_retracing=True)
    def step(inputs, labels):
        return strategy.run(on_replica, args=(inputs, labels))

    return step


def measure(
    clips, step, strategy, outputs, batch_size, keep=10_000, title="clips"
):
    """Runs a network over clips, on all replicas.

    Args:
        clips: the clips to measure (see `measured_clips`).
        step: the function that `make_step` returned for the clips' method
            `videos`.
        strategy: the strategy that `make_step` was given.
        outputs: names of the network's outputs, and of those of `similarity`.
        batch_size: number of clips per batch over all replicas, a multiple of
            the number of replicas.
        keep: number of clips whose features are kept, the first ones.
        title: text beside the progress bar.

    Returns:
        `Activations`.

    Raises:
        ValueError: an activation is not finite.
    """
    activations = Activations(outputs, keep, clips.samples_per_condition)
    batches = _batches(clips, batch_size)
    left = clips.num_clips  # A bar that is switched off does not count.
    with progress_bar(total=clips.num_clips, desc=title, unit="clip") as bar:
        for batch in strategy.experimental_distribute_dataset(batches):
            features, labels = tf.nest.map_structure(
                # There is one process: no communication is needed.
                lambda value: np.concatenate(
                    strategy.experimental_local_results(value)
                ),
                step(*batch),
            )
            size = min(len(labels), left)
            activations.update(
                {k: features[k][:size] for k in outputs}, labels[:size]
            )
            left -= size
            bar.update(size)
    return activations


def _batches(clips, batch_size):
    """Batches of one size, so that there is one graph: the end is padded."""
    short = -clips.num_clips % batch_size
    inputs = clips.inputs()
    padding = inputs.take(1).repeat(short)
    batches = inputs.concatenate(padding).batch(batch_size, True)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return batches.prefetch(2).with_options(options)


def to_pixels(videos: tf.Tensor, quantize: bool) -> tf.Tensor:
    """Pixels as a file holds them.

    Args:
        videos: uint8, or float in [-1, 1].
        quantize: whether floats become whole numbers, rounded to nearest.

    Returns:
        float32 in [0, 255], of the same shape.
    """
    if videos.dtype == tf.uint8:
        return tf.cast(videos, tf.float32)
    pixels = tf.clip_by_value(to_levels(videos), 0.0, 255.0)
    return tf.round(pixels) if quantize else pixels
