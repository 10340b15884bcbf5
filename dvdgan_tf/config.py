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
from dvdgan_tf import frame_size, gin_files, gin_statements
from dvdgan_tf.errors import innermost, one_line  # noqa: F401
from dvdgan_tf.run_folder import RunConfig, RunFolder

# A new regulariser of D is a file in its folder, and is named nowhere else.
for _module in pkgutil.iter_modules(dvdgan_tf.regularization.__path__):
    importlib.import_module(f"dvdgan_tf.regularization.{_module.name}")


def parse(
    files: Sequence[str],
    bindings: Sequence[str],
    run_file: str | None = None,
    allow_imports: bool = False,
) -> None:
    """Parses gin files, then bindings, and locks the configuration.

    An include is looked up from the working directory, then from the folder
    above that of the file named (so that `include "gin/dvdgan.gin"` works
    from anywhere), then among the packaged files. All statements are checked
    before gin does what the first of them says.

    Args:
        files: paths, or names of packaged files; later ones win.
        bindings: strings such as "BATCH_SIZE = 8"; they win over all files.
        run_file: path of a run's own file, which is read first. It is data:
            it may only bind what a run is made of.
        allow_imports: whether `files` and `bindings` may import modules.

    Raises:
        ValueError: one sentence about the first mistake, or about what a file
            may not do.
    """
    gin_files.check_bindings(bindings)
    files = [gin_files.find(file) for file in files]
    for file in files:
        root = os.path.dirname(os.path.dirname(os.path.abspath(file)))
        gin.add_config_file_search_path(root)
    gin.add_config_file_search_path(gin_files.packaged_root())
    try:
        with _quiet_search(allow_imports):
            imports = gin_statements.check_named_files(
                files, bindings, allow_imports
            )
            if run_file:
                gin_statements.check_run_file(run_file)
                files = [run_file, *files]
            # A run's file may name what they register.
            for module in imports:
                importlib.import_module(module)
            gin.parse_config_files_and_bindings(files, bindings)
    except (
        ValueError,
        OSError,
        SyntaxError,
        NameError,
        KeyError,
        TypeError,
        ImportError,
    ) as error:
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
def _quiet_search(allow_imports):
    """Keeps gin from logging an error for each place where no include is.

    Without imports gin looks for files only: it would import the packages that
    an include could lie in.
    """
    disabled = logging.root.manager.disable
    readers = list(gin.config._FILE_READERS)
    logging.disable(logging.ERROR)
    if not allow_imports:
        gin.config._FILE_READERS[:] = [(open, os.path.isfile)]
    try:
        yield
    finally:
        gin.config._FILE_READERS[:] = readers
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
        step: step of the checkpoint; the newest is taken by default.

    Yields:
        `RunConfig`

    Raises:
        FileNotFoundError: there is no run, or no such checkpoint.
        ValueError: the configuration cannot be read; the message is one
            sentence.
    """
    folder = RunFolder(workdir)
    folder.check_is_run()
    step, checkpoint = folder.checkpoint(step)
    with _set_aside():
        parse([], [], run_file=folder.config)
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
    """Raises ValueError if a file's RESOLUTION is no size of frames."""
    try:
        size = gin.query_parameter("RESOLUTION/macro.value")
    except ValueError:
        return  # No file binds it.
    frame_size.sides(size, "RESOLUTION")
