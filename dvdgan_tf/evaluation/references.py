"""Activations that no model changes, computed once and kept in a file."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from dvdgan_tf import files
from dvdgan_tf.arrays import read_npz
from dvdgan_tf.evaluation.activations import Activations


def load_or_compute(
    facts: dict,
    outputs: Sequence[str],
    cache_dir: str,
    compute: Callable[[], Activations],
) -> Activations:
    """The activations that belong to some facts.

    Args:
        facts: JSON-able dict of all that the activations depend on: dataset,
            split, windows, pre-processing, network. Other facts are another
            file.
        outputs: names of the network's outputs.
        cache_dir: folder of the files; created if needed.
        compute: makes the `Activations`, if there is no file.

    Returns:
        `Activations`.

    Raises:
        ValueError: the file there is damaged.
        OSError: the cache cannot be written.
    """
    text = json.dumps(facts, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    parts = (facts["dataset"], facts["split"], facts["network"], digest[:16])
    stem = "-".join(str(part) for part in parts if part)
    path = os.path.join(cache_dir, f"{stem.replace('/', '_')}.npz")
    if tf.io.gfile.exists(path):
        return _load(path, outputs)
    activations = compute()
    arrays = activations.to_dict() | {"facts": np.array(text)}
    _save(path, arrays)
    return activations


def _load(path, outputs):
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            most = file.size()  # It is not compressed.
            data = io.BytesIO(file.read(most))
        return Activations.from_dict(read_npz(data, most), outputs)
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"The reference statistics {path!r} cannot be read "
            f"({' '.join(str(error).split())}); delete the file, and it is "
            "made again."
        ) from error


def _save(path, arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    try:
        files.write_bytes(path, buffer.getvalue(), tf.io.gfile)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"The reference statistics cannot be written to {path!r} "
            f"({str(error).partition(chr(10))[0]}); choose another folder with "
            "--gin_param=\"REFERENCE_DIR='/path'\"."
        ) from error
