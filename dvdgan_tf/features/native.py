"""I3D as a network of this package, with the weights of a SavedModel."""

import gin
import tensorflow as tf

from dvdgan_tf.features import hub, i3d, i3d_weights, resizing

_PRECISIONS = ("float32", "bfloat16")


@gin.register
class NativeI3D:
    """I3D with pooled features beside the logits, faster than `HubI3D`.

    The attributes are those of `HubI3D`.

    Args:
        handle: path or URL of a SavedModel or TF-Hub module that holds the
            weights, also that of Kinetics-600. Nothing in it is executed.
        resize: name of the resizing method (see `resizing.to_input`).
        precision: "float32" or "bfloat16", of all but the head. bfloat16
            moves the distances: compare only results of the same precision.
        jit_compile: compiles with XLA, which pays on accelerators; on CPUs it
            is several times slower.

    Raises:
        OSError: one sentence, if the handle cannot be reached.
        ValueError: one sentence, if it is something else, or the precision
            unknown.
    """

    input_size = i3d.INPUT_SIZE
    min_frames = i3d.MIN_FRAMES
    outputs = ("logits", "average_pool")

    def __init__(
        self,
        handle=hub.KINETICS_400,
        resize="official",
        precision="float32",
        jit_compile=False,
    ):
        self.preprocessing = resize
        if precision not in _PRECISIONS:
            raise ValueError(
                "NativeI3D.precision is 'float32' or 'bfloat16'; received "
                f"{precision!r}."
            )
        folder = hub.resolve(handle, "NativeI3D.handle")
        weights = i3d_weights.read_weights(folder)
        self.name = f"native_i3d_{precision}"
        self.checksum = i3d_weights.checksum(weights)
        size = (self.input_size, self.input_size, 3)
        self._network = tf.function(
            i3d_weights.make_network(weights, precision),
            input_signature=[tf.TensorSpec([None, None, *size])],
            jit_compile=jit_compile,
        )

    def preprocess(self, frames):
        """Turns frames into the network's input; see `resizing.to_input`."""
        i3d.check_num_frames(frames.shape[1])
        return resizing.to_input(frames, self.input_size, self.preprocessing)

    def __call__(self, videos):
        """Returns {"logits": [B, K], "average_pool": [B, 1024]}, float32.

        Both are averages over time.

        Args:
            videos: float32 [B, T, 224, 224, 3] in [-1, 1], T >= 9.

        Raises:
            ValueError: if they have another shape.
        """
        i3d.check_shape(videos.shape)
        return self._network(tf.cast(videos, tf.float32))
