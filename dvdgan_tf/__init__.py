"""DVD-GAN (Clark, Donahue, Simonyan, arXiv 1907.06571 v2) in TensorFlow 2."""

__version__ = "0.1.0"


def load(name, **arguments):
    """Loads a model to sample from; see `dvdgan_tf.sampling.loading.load`."""
    # Here, so that `import dvdgan_tf` does not import TensorFlow.
    from dvdgan_tf.sampling import loading

    return loading.load(name, **arguments)
