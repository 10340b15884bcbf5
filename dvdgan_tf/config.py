"""Reads gin files: what they may name, where includes are found, mistakes."""

import contextlib
import copy
import importlib
import logging
import os
import pkgutil
import re
import tokenize
from collections.abc import Iterator, Sequence

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
from dvdgan_tf import gin_files
from dvdgan_tf.errors import innermost, one_line  # noqa: F401
from dvdgan_tf.runs import RunConfig, RunFolder

# A new regulariser of D is a file in its folder, and is named nowhere else.
for _module in pkgutil.iter_modules(dvdgan_tf.regularization.__path__):
    importlib.import_module(f"dvdgan_tf.regularization.{_module.name}")


def parse(files: Sequence[str], bindings: Sequence[str]) -> None:
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
        with _quiet_search():
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


@contextlib.contextmanager
def _quiet_search():
    """Keeps gin from logging an error for each place where no include is."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(disabled)


def shards() -> int:
    """How many shards of a batch `Trainer` computes side by side."""
    bindings = gin.get_bindings("Trainer")
    return 1 if bindings.get("jit_compile") else bindings.get("shards", 1)


@contextlib.contextmanager
def of_run(
    workdir: str | os.PathLike, step: int | None = None
) -> Iterator[RunConfig]:
    """Gives gin the configuration of a run while the body runs.

    Networks are to be built in the body: what they are made of is read from
    gin. The caller's own configuration is set aside and comes back at the end.

    Args:
        workdir: the run's folder.
        step: of the checkpoint; the newest by default.

    Yields:
        `RunConfig`

    Raises:
        FileNotFoundError: there is no run, or no such checkpoint.
        ValueError: its configuration cannot be read, in one sentence.
    """
    folder = RunFolder(workdir)
    folder.check_is_run()
    step, checkpoint = folder.checkpoint(step)
    with _set_aside():
        parse([folder.config], [])
        bindings = {**gin.get_bindings("Trainer"), **gin.get_bindings("train")}
        # A reference, since bindings are resolved to what is not registered.
        grid = gin.query_parameter("train.sample_grid").selector
        source = gin.get_bindings("TfdsVideos")
        yield RunConfig(
            folder,
            step,
            checkpoint,
            class_names=_class_names(folder, bindings),
            label_counts=folder.read_label_counts(),
            fps=float(gin.query_parameter(f"{grid}.fps")),
            fit=source.get("fit", "crop"),
            frame_stride=source.get("frame_stride", 1),
            bindings=bindings,
        )


def _class_names(folder, bindings):
    """The names of a network's classes, maybe more than the dataset has."""
    if not bindings.get("class_conditional", True):
        return ["video"]
    names = folder.class_names()
    if names is None:
        raise ValueError(
            "The names of the classes cannot be read: there is no "
            f"{folder.classes}."
        )
    count = bindings.get("num_classes") or len(names)
    return names + [f"class {i}" for i in range(len(names), count)]


@contextlib.contextmanager
def _set_aside():
    """Empties gin's configuration; the present one comes back at the end.

    gin can write a configuration as a text, but only what has a literal form,
    and neither its singletons nor which parameters were used. So this keeps
    the containers themselves, which have no public names.
    """
    names = ("_CONFIG", "_SINGLETONS", "_IMPORTS", "_OPERATIVE_CONFIG")
    containers = [getattr(gin.config, name) for name in names]
    kept = [copy.copy(container) for container in containers]
    folders = list(gin.config._LOCATION_PREFIXES)
    locked = gin.config_is_locked()
    gin.clear_config()
    try:
        yield
    finally:
        gin.clear_config()
        for container, values in zip(containers, kept, strict=True):
            container.update(values)
        gin.config._LOCATION_PREFIXES[:] = folders
        gin.config._set_config_is_locked(locked)


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
