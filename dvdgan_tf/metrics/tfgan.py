"""How tensorflow-gan 2.1.0 is imported on a TensorFlow without estimators."""

import sys
import types
import warnings

_ESTIMATOR = "tensorflow_gan.python.estimator"


def import_tensorflow_gan() -> types.ModuleType:
    """Imports tensorflow-gan, all but its estimators.

    It derives hooks from `tf.estimator`'s, which TensorFlow 2.16 dropped: for
    the time of the import, stand-ins take their places. Keep its metrics out
    of XLA, which returns wrong kernel distances without an error.

    Returns:
        The module `tensorflow_gan`.

    Raises:
        ImportError: if it is not installed, or lacks something itself.
    """
    if sys.modules.get("tensorflow_gan"):
        return sys.modules["tensorflow_gan"]
    import tensorflow as tf

    sys.modules[_ESTIMATOR] = types.ModuleType(_ESTIMATOR)
    tf.estimator = types.SimpleNamespace(
        SessionRunHook=tf.compat.v1.train.SessionRunHook
    )
    try:
        with warnings.catch_warnings():
            # tensorflow-hub, which it imports, uses pkg_resources.
            warnings.simplefilter("ignore")
            import tensorflow_gan
    except ImportError as error:
        raise ImportError(
            f"tensorflow-gan cannot be imported ({error}); try "
            "`pip install tensorflow-gan==2.1.0 'setuptools<81'`."
        ) from error
    finally:
        del tf.estimator, sys.modules[_ESTIMATOR]
    return tensorflow_gan
