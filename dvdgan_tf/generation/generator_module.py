"""The generator as a module that no longer needs this package, once saved."""

import json
from collections.abc import Sequence

import keras
import tensorflow as tf

from dvdgan_tf.generation.input_checks import checked
from dvdgan_tf.generation.truncation import TruncationStatistics


class GeneratorModule(tf.Module):
    """A sampler with the interface of BigGAN's public modules.

    Its weights are those of W / sigma(W); its batch norm statistics are those
    of the truncation asked for. Saved by `tf.saved_model.save` it needs
    nothing but TensorFlow.

    Args:
        network: a built `Generator` with folded weights (see
            `SpectralWeight.fold`); it is read, not kept.
        statistics: `TruncationStatistics`, named by variable path.
        class_names: names of all classes, in the order of the labels.
        metadata: what `metadata()` returns, to be written as JSON.
    """

    def __init__(
        self,
        network: keras.Model,
        statistics: TruncationStatistics,
        class_names: Sequence[str],
        metadata: dict,
    ) -> None:
        super().__init__(name="dvdgan_generator")
        self.statistics = statistics
        trainable = network.trainable_variables
        self._weights = [
            tf.Variable(v.numpy(), name=v.path.replace("/", "_"))
            for v in trainable
        ]
        self._facts = json.dumps(metadata)
        self._class_names = tf.constant(json.dumps(list(class_names)))
        self._metadata = tf.constant(self._facts)
        # In a closure: an attribute would put Keras objects into the file.
        by_path = {v.path: v for v in network.variables}
        generator = network

        def run(weights, values, inputs):
            mapping = list(zip(trainable, weights, strict=True))
            mapping += [(by_path[n], v) for n, v in values.items()]
            with keras.StatelessScope(mapping):
                return generator(
                    inputs["z"],
                    inputs["y"],
                    training=False,
                    frames=inputs.get("frames"),
                )

        self._run = run
        self._specs = _specs(network)
        self._num_classes = network.num_classes

    @tf.function
    def __call__(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Samples videos.

        Args:
            inputs: dict of

                z           float32 [B, z_dim], standard normal times the
                            truncation
                y           float32 [B, classes], one-hot or soft labels; or
                            int32 [B], ids
                truncation  float32 scalar, that of z: which statistics are
                            used
                frames      float32 [B, C, H, W, 3] in [-1, 1], the frames to
                            continue, of a module for prediction only

        Returns:
            float32 [B, T - C, H, W, 3] in [-1, 1]; in synthesis C is 0.
        """
        ids = inputs["y"].dtype.is_integer
        inputs = checked(inputs, self.specs(ids), self._num_classes)
        values = self.statistics.at(inputs["truncation"])
        weights = [tf.convert_to_tensor(v) for v in self._weights]
        return self._run(weights, values, inputs)

    @tf.function(input_signature=[])
    def class_names(self) -> tf.Tensor:
        """Names of the classes in the order of labels: a JSON list."""
        return self._class_names

    @tf.function(input_signature=[])
    def metadata(self) -> tf.Tensor:
        """What is known of the model: a JSON object."""
        return self._metadata

    @tf.function
    def named(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """`__call__` with a name for its result, as signatures need."""
        return {"videos": self(inputs)}

    @property
    def facts(self) -> dict:
        """What is known of the model: a dict, as given."""
        return json.loads(self._facts)

    def specs(self, ids: bool) -> dict[str, tf.TensorSpec]:
        """The shapes and types of the inputs of `__call__`, for any batch size.

        Args:
            ids: whether y are ids, or soft labels.
        """
        y = self._specs["y_ids" if ids else "y"]
        specs = {k: s for k, s in self._specs.items() if k != "y_ids"}
        return {**specs, "y": y}


def _specs(network):
    """The inputs of `GeneratorModule.__call__`, "y_ids" included."""
    specs = {
        "z": tf.TensorSpec([None, network.z_dim], tf.float32, "z"),
        "y": tf.TensorSpec([None, network.num_classes], tf.float32, "y"),
        "y_ids": tf.TensorSpec([None], tf.int32, "y"),
        "truncation": tf.TensorSpec([], tf.float32, "truncation"),
    }
    if network.conditioning_frames:
        specs["frames"] = tf.TensorSpec(
            [None, *network.given_shape()], tf.float32, "frames"
        )
    return specs
