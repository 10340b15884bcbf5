"""Reads gin files: what they may name, where includes are found, mistakes."""

import importlib
import os
import pkgutil
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
import dvdgan_tf.regularization
import dvdgan_tf.training.loop
import dvdgan_tf.training.losses
import dvdgan_tf.training.prediction_grid
import dvdgan_tf.training.trainer

# A new regulariser of D is a file in its folder, and is named nowhere else.
for _module in pkgutil.iter_modules(dvdgan_tf.regularization.__path__):
    importlib.import_module(f"dvdgan_tf.regularization.{_module.name}")


def parse(files, bindings):
    """Parses gin files, then bindings, and locks the configuration.

    An include is looked up from the working directory, then from the folder
    above that of the file named (so that `include "gin/dvdgan.gin"` works
    from anywhere).

    Args:
        files: paths; later ones win.
        bindings: strings such as "BATCH_SIZE = 8"; they win over all files.

    Raises:
        ValueError: one sentence about the first mistake.
    """
    for file in files:
        if not os.path.isfile(file):
            raise ValueError(
                f"There is no gin file {file!r} (looked in {os.getcwd()}); "
                "the project's own are in its folder gin/."
            )
        root = os.path.dirname(os.path.dirname(os.path.abspath(file)))
        gin.add_config_file_search_path(root)
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


def one_line(error):
    """The message of an error, without what gin appends, on one line."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    message = str(error).split("\n  In call to configurable")[0]
    # gin quotes the whole configuration.
    message = message.split(" in config string")[0]
    lines = (line.strip() for line in message.splitlines())
    return " ".join(line for line in lines if line)


def innermost(error):
    """The message of the error inside an error of TensorFlow.

    Those of the data pipeline come wrapped in graph tracebacks.
    """
    failed = re.search(r"assertion failed: \[(.+)\]", str(error))
    if failed:
        return failed[1]
    messages = re.findall(r"^\w+Error: (.+)$", str(error), re.MULTILINE)
    return messages[-1] if messages else one_line(error)
