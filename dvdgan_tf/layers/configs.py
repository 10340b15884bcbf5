"""Configurations of what a layer is made of, for Keras's `get_config`."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import keras

from dvdgan_tf.layers.spectral_norm import SpectralNorm


def of_norm(spectral_norm: SpectralNorm | None) -> dict[str, Any] | None:
    """Returns the serialised `SpectralNorm`, None for the paper's."""
    if spectral_norm is None:
        return None
    return keras.saving.serialize_keras_object(spectral_norm)


def norm(config: Any) -> SpectralNorm | None:
    """Returns the `SpectralNorm` of `of_norm`; what is none yet, as it is."""
    if isinstance(config, dict):
        return keras.saving.deserialize_keras_object(config)
    return config


def numbers(values: Iterable[int] | None) -> list[int] | None:
    """Returns numbers as a list, which JSON keeps, unlike a tuple."""
    return None if values is None else list(values)


def of_layer(
    layer: keras.layers.Layer, leave_out: Iterable[str] = ()
) -> dict[str, Any]:
    """Describes a layer that another one makes of a class or factory.

    Args:
        layer: a layer with `get_config`.
        leave_out: arguments that its maker gives to it.

    Returns:
        {"class_name": its registered name, "config": its other arguments}.
    """
    given = {"name", "dtype", "trainable", "spectral_norm", *leave_out}
    config = layer.get_config()
    return {
        "class_name": keras.saving.get_registered_name(type(layer)),
        "config": {k: v for k, v in config.items() if k not in given},
    }


def factory(config: Any) -> Callable[..., keras.layers.Layer]:
    """Returns the factory of layers as `of_layer` describes them.

    Args:
        config: what `of_layer` returned; a class or factory is returned as it
            is.

    Raises:
        ValueError: the class is not known to Keras.
    """
    if not isinstance(config, dict):
        return config
    name = config["class_name"]
    found = keras.saving.get_registered_object(name)
    if found is None:
        raise ValueError(
            f"Keras does not know the class {name!r}; import the module that "
            "registers it by keras.saving.register_keras_serializable, or "
            "pass it in custom_objects."
        )
    return functools.partial(found, **config["config"])
