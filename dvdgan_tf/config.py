"""Reads gin files: what they may name, where includes are found, mistakes."""

import os
import re
import tokenize

import gin

# What gin files may name is registered where it is defined.
import dvdgan_tf.data.digits
import dvdgan_tf.data.held_out
import dvdgan_tf.data.tfds_videos
import dvdgan_tf.evaluation.class_accuracy
import dvdgan_tf.evaluation.evaluator
import dvdgan_tf.evaluation.measures
import dvdgan_tf.evaluation.protocol
import dvdgan_tf.features.c3d
import dvdgan_tf.features.hub
import dvdgan_tf.features.native
import dvdgan_tf.layers.tsru
import dvdgan_tf.networks.discriminators
import dvdgan_tf.networks.generator
import dvdgan_tf.regularization.adaptive
import dvdgan_tf.regularization.diffaugment
import dvdgan_tf.regularization.gradient_penalty
import dvdgan_tf.regularization.lecam
import dvdgan_tf.training.loop
import dvdgan_tf.training.losses
import dvdgan_tf.training.prediction_grid
import dvdgan_tf.training.trainer  # noqa: F401
from dvdgan_tf import gin_files
from dvdgan_tf.errors import innermost, one_line  # noqa: F401


def parse(files, bindings):
    """Parses gin files, then bindings, and locks the configuration.

    An include is looked up from the working directory, then from the folder
    above that of the file named (so that `include "gin/dvdgan.gin"` works
    from anywhere), then among the packaged files.

    Args:
        files: paths, or names of packaged files; later ones win.
        bindings: strings such as "BATCH_SIZE = 8"; they win over all files.

    Raises:
        ValueError: one sentence about the first mistake.
    """
    gin_files.check_bindings(bindings)
    files = [gin_files.find(file) for file in files]
    for file in files:
        root = os.path.dirname(os.path.dirname(os.path.abspath(file)))
        gin.add_config_file_search_path(root)
    gin.add_config_file_search_path(gin_files.packaged_root())
    try:
        gin.parse_config_files_and_bindings(files, bindings)
    except (ValueError, OSError, SyntaxError, NameError) as error:
        raise ValueError(one_line(error)) from error
    except tokenize.TokenError as error:
        message, (line, _) = error.args
        raise ValueError(
            f"Something is not closed in {', '.join(files)}, or a file that "
            f"it includes: {message}, line {line}."
        ) from error
    _check_macros(gin.config_str())
    _check_size()


def shards():
    """How many shards of a batch `Trainer` computes side by side."""
    bindings = gin.get_bindings("Trainer")
    return 1 if bindings.get("jit_compile") else bindings.get("shards", 1)


def of_run(path):
    """Reads the configuration of a run, which replaces the present one.

    Args:
        path: of its `operative_config.gin`.

    Returns:
        {parameter of `Trainer` or `train`: value}; the frames per second at
        which the run shows its samples; how clips are made square, "crop"
        or "squash"; and the stride at which frames are taken.

    Raises:
        ValueError: it cannot be read, in one sentence.
    """
    gin.clear_config()
    parse([path], [])
    bindings = {**gin.get_bindings("Trainer"), **gin.get_bindings("train")}
    # A reference, since bindings are resolved to what is not registered.
    grid = gin.query_parameter("train.sample_grid").selector
    fps = float(gin.query_parameter(f"{grid}.fps"))
    source = gin.get_bindings("TfdsVideos")
    fit, stride = source.get("fit", "crop"), source.get("frame_stride", 1)
    return bindings, fps, fit, stride


def _check_macros(text):
    """Raises ValueError if a macro is bound that no binding uses."""
    bound = re.findall(r"^([A-Za-z_]\w*) = ", text, re.MULTILINE)
    used = set(re.findall(r"%([A-Za-z_]\w*)", text))
    for name in bound:
        if name not in used:
            known = ", ".join(sorted(used))
            raise ValueError(
                f"No binding uses the macro {name}; is it misspelt? "
                f"There are {known}."
            )


def _check_size():
    """Raises ValueError if a file asks for frames that are not square."""
    try:
        size = gin.query_parameter("RESOLUTION/macro.value")
    except ValueError:
        return  # No file binds it.
    gin_files.check_square("RESOLUTION", size)
