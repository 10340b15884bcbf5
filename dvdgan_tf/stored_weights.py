"""The variables that a run, a checkpoint or an exported module has stored."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import trackable_object_graph_pb2

from dvdgan_tf import archives, named_variables, run_folder
from dvdgan_tf.run_folder import RunFolder

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


class StoredWeights:
    """The variables of a file, found by a network's own names for them.

    Args:
        origin: what the file is, for messages.
        path: prefix of the checkpoint's files.
        entries: {stored name: (key, shape)}.
        stored_name: function from a variable's path to its stored name.
        class_names: names of the source's classes, in the order of their ids;
            None where they are not known.
        of_levels: whether statistics are stored for several levels of
            truncation, [levels, T, C]; those of the highest are read.

    Attributes:
        origin: what the weights are, for messages.
        class_names: names of the classes, or None.
    """

    def __init__(
        self,
        origin: str,
        path: str,
        entries: dict,
        stored_name: Callable[[str], str],
        class_names: Sequence[str] | None,
        of_levels: bool = False,
    ) -> None:
        self.origin = origin
        self.class_names = class_names
        self._path = path
        self._entries = entries
        self._stored_name = stored_name
        self._of_levels = of_levels
        with _readable(origin):
            self._reader = tf.train.load_checkpoint(path)

    def shape(self, path: str) -> tuple[int, ...] | None:
        """The shape of a variable, a tuple; None if it is not stored."""
        name = self._stored_name(path)
        if name not in self._entries:
            return None
        _, shape = self._entries[name]
        return shape[1:] if self._has_levels(name) else shape

    def read(self, path: str) -> np.ndarray:
        """The value of a variable that is stored, an array.

        Raises:
            ValueError: the file is damaged.
        """
        name = self._stored_name(path)
        key, _ = self._entries[name]
        with _readable(self.origin):
            value = self._reader.get_tensor(key)
        return value[-1] if self._has_levels(name) else value

    def others(self, network: str, paths: Iterable[str]) -> list[str]:
        """Lists what is stored of a network but was not asked for.

        Args:
            network: name of the network.
            paths: paths of the variables asked for.

        Returns:
            Sorted list of stored names.
        """
        prefix = self._stored_name(f"{network}/")
        known = set(map(self._stored_name, paths))
        return sorted(
            name
            for name in self._entries
            if name.startswith(prefix) and name not in known
        )

    def _has_levels(self, name):
        statistic = name.endswith(("_moving_mean", "_moving_variance"))
        return self._of_levels and statistic


@contextlib.contextmanager
def opened(name: str) -> Iterator[StoredWeights]:
    """Opens stored weights; nothing in them is executed.

    Args:
        name: a run's folder, of which the newest checkpoint is taken; a
            checkpoint, such as "runs/x/ckpt/step-600"; folder or .tar.gz
            archive of a module that `dvdgan_tf.export` has made; or "demo",
            the module in this package.

    Yields:
        `StoredWeights`

    Raises:
        FileNotFoundError: there is no such thing.
        ValueError: it is there, but is nothing of the kind, or is damaged.
    """
    path = os.path.expanduser(name).removesuffix(".index")
    if name == "demo":
        with archives.demo() as archive, archives.unpacked(archive) as folder:
            yield _of_module(folder, "the module of the demo")
    elif os.path.isfile(f"{path}.index"):
        yield _of_checkpoint(path)
    elif os.path.isfile(path):
        with archives.unpacked(path) as folder:
            yield _of_module(folder, f"the module {name}")
    elif os.path.isfile(os.path.join(path, "saved_model.pb")):
        yield _of_module(path, f"the module {name}")
    elif run_folder.started_in(RunFolder(path).checkpoints):
        _, checkpoint = RunFolder(path).checkpoint()
        yield _of_checkpoint(checkpoint)
    else:
        raise _nothing_of_the_kind(name, path)


def _nothing_of_the_kind(name, path):
    folder = RunFolder(path)
    if folder.is_run():
        return FileNotFoundError(
            f"The run {name!r} has no checkpoint yet in {folder.checkpoints}."
        )
    what = (
        "a run's folder (with ckpt/), a checkpoint (such as "
        "runs/demo/ckpt/step-600), or an exported module (a folder with "
        "saved_model.pb, or its archive)"
    )
    if os.path.exists(path):
        return ValueError(f"{name!r} is not {what}.")
    return FileNotFoundError(f"There is no {name!r}; name {what}.")


def _of_checkpoint(path):
    origin = f"the checkpoint {path}"
    with _readable(origin):
        entries = named_variables.stored_in(path)
    run = RunFolder(os.path.dirname(os.path.dirname(os.path.abspath(path))))
    return StoredWeights(origin, path, entries, str, run.class_names())


def _of_module(folder, origin):
    path = os.path.join(folder, "variables", "variables")
    if not os.path.isfile(f"{path}.index"):
        raise ValueError(f"There are no variables in {origin}.")
    return StoredWeights(
        origin,
        path,
        _module_entries(path, origin),
        _name_in_module,
        run_folder.read_class_names(
            os.path.join(folder, "assets", "classes.json")
        ),
        of_levels=True,
    )


def _module_entries(path, origin):
    """{full name: (key, shape)}, as the object graph lists them."""
    with _readable(origin):
        reader = tf.train.load_checkpoint(path)
        shapes = reader.get_variable_to_shape_map()
        graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
            reader.get_tensor(_OBJECT_GRAPH)
        )
    return {
        attribute.full_name: (
            attribute.checkpoint_key,
            tuple(shapes[attribute.checkpoint_key]),
        )
        for node in graph.nodes
        for attribute in node.attributes
        if attribute.checkpoint_key in shapes
    }


def _name_in_module(path):
    """Only the averaged generator is exported; it stands for both."""
    network, slash, rest = path.partition("/")
    network = "ema_generator" if network == "generator" else network
    return f"{network}{slash}{rest}".replace("/", "_")


@contextlib.contextmanager
def _readable(origin):
    """Turns what TensorFlow raises for damaged files into one sentence."""
    try:
        yield
    # A data file that is too short raises an IndexError.
    except (tf.errors.OpError, ValueError, IndexError, DecodeError) as error:
        raise ValueError(
            f"{origin[0].upper()}{origin[1:]} is damaged or no checkpoint of "
            f"TensorFlow's ({named_variables.first_line(error)})."
        ) from error
