"""Finds what a name means: a run, a SavedModel, an archive, the demo."""

import contextlib
import importlib.resources
import os
import tarfile
import tempfile

from dvdgan_tf.sampling.model import Model

# Of an archive that somebody else has packed.
_MAX_ENTRIES = 10_000
_MAX_BYTES = 64 * 2**30


def load(name, step=None, truncations=(1.0,)):
    """Loads a model to sample from.

    Args:
        name: folder of a run; folder or .tar.gz archive that
            `dvdgan_tf.export` has made; "demo", the weights in this package,
            of moving digits; or a URL, which tensorflow-hub downloads.
            Load modules only from people whose programs you would run.
        step: of a run's checkpoint; the newest by default.
        truncations: levels of truncation to prepare, for a run only; a module
            has its own. A run replaces gin's present configuration.

    Returns:
        `Model`

    Raises:
        FileNotFoundError: there is nothing of that name.
        ValueError: it is not such a model, or the levels are impossible.
    """
    name = os.path.expanduser(str(name))
    if name == "demo":
        with demo_archive() as path, unpacked(path) as folder:
            return _from_folder(folder)
    if "://" in name:
        import tensorflow_hub as hub

        return Model(hub.load(name))
    if os.path.isfile(name):
        with unpacked(name) as folder:
            return _from_folder(folder)
    if os.path.isfile(os.path.join(name, "operative_config.gin")):
        from dvdgan_tf.exporting import from_run

        run = from_run.read_run(name, step)
        return Model(from_run.generator_module(run, tuple(truncations)))
    if os.path.isfile(os.path.join(name, "saved_model.pb")):
        return _from_folder(name)
    raise FileNotFoundError(
        f"{name!r} is neither a run's folder (with operative_config.gin), nor "
        "an exported module's (with saved_model.pb), nor an archive of such."
    )


def _from_folder(folder):
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(folder)
    # A variables file that is too short raises an IndexError.
    except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"{folder} is no readable SavedModel ({first})."
        ) from error
    return Model(loaded)


def demo_archive():
    """The archive of the demo in this package: a context that is its path."""
    packaged = importlib.resources.files("dvdgan_tf") / "assets"
    return importlib.resources.as_file(packaged / "demo.tar.gz")


@contextlib.contextmanager
def unpacked(path):
    """Unpacks an archive of a module into a folder that is deleted at the end.

    Args:
        path: of the .tar.gz file.

    Yields:
        Path of the folder.

    Raises:
        ValueError: it is no archive, is damaged, or is far too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(path) as archive:
                _check_size(archive, path)
                # Refuses links and paths that lead out of the folder.
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            # tarfile lists on further lines what it has tried.
            first = (str(error).splitlines() or [""])[0].rstrip(":")
            raise ValueError(
                f"{path} is no readable archive of an exported module "
                f"({first})."
            ) from error
        yield folder


def _check_size(archive, path):
    total = 0
    for count, entry in enumerate(archive, start=1):
        total += entry.size
        if count > _MAX_ENTRIES or total > _MAX_BYTES:
            raise ValueError(
                f"{path} holds more than {_MAX_ENTRIES:,} files or "
                f"{_MAX_BYTES:,} bytes; no exported module is that large."
            )
