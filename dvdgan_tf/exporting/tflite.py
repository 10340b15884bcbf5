"""Writes a sampler as a LiteRT (TensorFlow Lite) flatbuffer."""

import contextlib
import io
import os

import tensorflow as tf

from dvdgan_tf import files
from dvdgan_tf.generation.generator_module import GeneratorModule


def write(module: GeneratorModule, path: str, batch_size: int) -> None:
    """Writes a .tflite file with the inputs of the `default` signature.

    Only LiteRT's built-in operations are used, so that any of its runtimes
    can read the file. An impossible truncation is not refused there.

    Args:
        module: `GeneratorModule`.
        path: file to write; must not exist.
        batch_size: videos per call.

    Raises:
        FileExistsError: there is something at `path`.
        ValueError: the converter has no built-in operation for a part of
            the model.
    """
    if os.path.exists(path):
        raise FileExistsError(
            f"{path} exists already; choose another file, or delete it."
        )
    signature = module.specs(ids=False)
    names = sorted(signature)
    specs = [
        tf.TensorSpec(
            [batch_size if size is None else size for size in s.shape],
            s.dtype,
            name,
        )
        for name in names
        for s in (signature[name],)
    ]
    sample = tf.function(
        lambda *inputs: module(dict(zip(names, inputs, strict=True)))
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [sample.get_concrete_function(*specs)], module
    )
    try:
        # It prints the whole model's log.
        with contextlib.redirect_stderr(io.StringIO()):
            content = converter.convert()
    except Exception as error:  # The converter has no type of its own.
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            "TensorFlow Lite has no built-in operation for a part of this "
            f"model ({first}); use --format=stablehlo instead."
        ) from error
    files.write_bytes(path, content)
