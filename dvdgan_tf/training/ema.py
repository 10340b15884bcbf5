"""The exponential moving average of the weights of G, which samples."""

import keras
import tensorflow as tf


def copy(average: keras.Model, live: keras.Model) -> None:
    """Makes a network equal to another of the same architecture.

    Args:
        average: Keras network that is written.
        live: Keras network that is read.
    """
    for a, w in zip(average.variables, live.variables, strict=True):
        a.assign(w)


def update(average: keras.Model, live: keras.Model, decay: tf.Tensor) -> None:
    """Sets e <- d e + (1 - d) w for weights; other state is copied.

    Args:
        average: Keras network that holds the weights e.
        live: Keras network that holds the weights w.
        decay: d, float32 scalar; 0 copies.
    """
    for e, w in zip(
        average.trainable_variables, live.trainable_variables, strict=True
    ):
        old, new = tf.convert_to_tensor(e), tf.convert_to_tensor(w)
        e.value.assign(decay * old + (1.0 - decay) * new)
    for e, w in zip(
        average.non_trainable_variables,
        live.non_trainable_variables,
        strict=True,
    ):
        e.value.assign(tf.convert_to_tensor(w))
