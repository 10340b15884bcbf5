"""What G, D_S and D_T share as Keras models."""

import abc
from typing import Any

import keras

from dvdgan_tf.layers import configs


class Network(keras.Model):
    """A model whose shapes are known from its arguments, not from a call.

    Subclasses take their inputs one by one or as one dict, and have a `build`
    without arguments, a `get_config` and `input_specs`.
    """

    @abc.abstractmethod
    def input_specs(self) -> dict[str, keras.InputSpec]:
        """Returns shape and type of each entry of the dict that calls take."""

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None):
        """Returns the network that `get_config` describes.

        Args:
            config: the constructor's arguments.
            custom_objects: {name: class} of what is not registered.

        Raises:
            ValueError: a class is not known to Keras, or an argument is out
                of its range.
        """
        config = dict(config)
        with keras.saving.CustomObjectScope(custom_objects or {}):
            config["spectral_norm"] = configs.norm(config["spectral_norm"])
            for name in ("recurrent_unit", "frame_encoder"):
                if name in config:
                    config[name] = configs.factory(config[name])
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        # Keras calls `build_from_config` where this is not empty.
        return {"built": True}

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build()

    def summary(self, *args, expand_nested: bool = False, **kwargs) -> None:
        """Prints Keras's table, then the weights that are in none of its rows.

        Args:
            *args: arguments of `keras.Model.summary`.
            expand_nested: whether every weight is listed with its shape.
            **kwargs: further named arguments of `keras.Model.summary`.
        """
        if not self.built:
            self.build()
        super().summary(*args, **kwargs)
        in_rows = {id(w) for layer in self.layers for w in layer.weights}
        lines = [
            f" {weight.path}: {tuple(weight.shape)}, {weight.dtype}"
            + ("" if weight.trainable else ", not trainable")
            for weight in self.weights
            if expand_nested or id(weight) not in in_rows
        ]
        title = " All weights:" if expand_nested else " Weights of its own:"
        for line in [title, *lines] if lines else []:
            (kwargs.get("print_fn") or print)(line)

    def export(
        self,
        filepath: str,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs,
    ) -> None:
        """Writes the network for inference, with a dict as its input.

        Args:
            filepath: the folder or file to write.
            format: name of the format, as `keras.Model.export` takes it.
            verbose: whether to print what was written.
            input_signature: shapes and types of the input; `input_specs` by
                default.
            **kwargs: further arguments of `keras.Model.export`.
        """
        if not self.built:
            self.build()
        super().export(
            filepath,
            format,
            verbose,
            input_signature or [self.input_specs()],
            **kwargs,
        )
