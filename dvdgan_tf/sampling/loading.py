"""Finds what a name means: a run, a SavedModel, an archive, the demo."""

import os

from dvdgan_tf import archives
from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.sampling.model import Model


def load(
    name: str | os.PathLike,
    step: int | None = None,
    truncations: tuple[float, ...] = (1.0,),
) -> Model:
    """Loads a model to sample from.

    Args:
        name: folder of a run; folder or .tar.gz archive that
            `dvdgan_tf.export` has made; "demo", the weights in this package,
            of moving digits; or a URL, which tensorflow-hub downloads.
            A module is a SavedModel, which is a program and can do what you
            can: load only those that you trust. A run's folder is data;
            nothing in it is executed.
        step: step of a run's checkpoint; the newest by default.
        truncations: levels of truncation to prepare, for a run only; a module
            has its own.

    Returns:
        `Model`

    Raises:
        FileNotFoundError: there is nothing of that name.
        ValueError: it is not such a model, or the levels are impossible.
    """
    name = os.path.expanduser(str(name))
    if name == "demo":
        with archives.demo() as path, archives.unpacked(path) as folder:
            return _from_folder(folder)
    if "://" in name:
        import tensorflow_hub as hub

        return Model(hub.load(name))
    if os.path.isfile(name):
        with archives.unpacked(name) as folder:
            return _from_folder(folder)
    if RunFolder(name).is_run():
        return _from_run(name, step, tuple(truncations))
    if os.path.isfile(os.path.join(name, "saved_model.pb")):
        return _from_folder(name)
    raise FileNotFoundError(
        f"{name!r} is neither a run's folder (with operative_config.gin), nor "
        "an exported module's (with saved_model.pb), nor an archive of such."
    )


def _from_run(workdir, step, truncations):
    # Here, so that a module is loaded without all that gin files may name.
    from dvdgan_tf import config
    from dvdgan_tf.generation.from_run import generator_module

    with config.of_run(workdir, step) as run:
        module = generator_module(run, truncations)

    def remake(num_frames):
        with config.of_run(workdir, run.step) as again:
            return generator_module(again, truncations, num_frames=num_frames)

    return Model(module, remake)


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
