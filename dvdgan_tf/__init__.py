"""DVD-GAN (Clark, Donahue, Simonyan, arXiv 1907.06571 v2) in TensorFlow 2.

The public API; a name is imported when it is first used, so that
`import dvdgan_tf` takes no time:

    load                   loads a model to sample from: a run, an exported
                           module or the packaged demo weights
    Generator              G, a Keras model
    SpatialDiscriminator   D_S, a Keras model
    TemporalDiscriminator  D_T, a Keras model
    FrameEncoder           the encoder of given frames, for prediction
    ConvGRU                the paper's recurrent unit; TrIVD-GAN's instead
    TSRUc, TSRUp, TSRUs    are these three
    SpectralNorm           how weights are normalised
    TfdsVideos             the videos of a TFDS dataset
    MovingDigits           moving digits, which need no download
    Trainer                losses and updates of G, D_S and D_T

`docs/api.md` builds, trains, saves and exports the networks in Python. The
commands (train, evaluate, sample, ...) are in the README.
"""

import importlib
import typing

__version__ = "0.1.0"

if typing.TYPE_CHECKING:
    from dvdgan_tf.data.digits import MovingDigits
    from dvdgan_tf.data.tfds_videos import TfdsVideos
    from dvdgan_tf.layers.conv_gru import ConvGRU
    from dvdgan_tf.layers.spectral_norm import SpectralNorm
    from dvdgan_tf.layers.tsru import TSRUc, TSRUp, TSRUs
    from dvdgan_tf.networks.discriminators import (
        SpatialDiscriminator,
        TemporalDiscriminator,
    )
    from dvdgan_tf.networks.frame_encoder import FrameEncoder
    from dvdgan_tf.networks.generator import Generator
    from dvdgan_tf.sampling.loading import load
    from dvdgan_tf.training.trainer import Trainer

__all__ = [
    "ConvGRU",
    "FrameEncoder",
    "Generator",
    "MovingDigits",
    "SpatialDiscriminator",
    "SpectralNorm",
    "TSRUc",
    "TSRUp",
    "TSRUs",
    "TemporalDiscriminator",
    "TfdsVideos",
    "Trainer",
    "load",
]

# Where each name is defined, below dvdgan_tf.
_HOMES = {
    "ConvGRU": "layers.conv_gru",
    "FrameEncoder": "networks.frame_encoder",
    "Generator": "networks.generator",
    "MovingDigits": "data.digits",
    "SpatialDiscriminator": "networks.discriminators",
    "SpectralNorm": "layers.spectral_norm",
    "TSRUc": "layers.tsru",
    "TSRUp": "layers.tsru",
    "TSRUs": "layers.tsru",
    "TemporalDiscriminator": "networks.discriminators",
    "TfdsVideos": "data.tfds_videos",
    "Trainer": "training.trainer",
    "load": "sampling.loading",
}


def __getattr__(name: str) -> typing.Any:
    """Imports a public name, and TensorFlow with it, when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    # From now on it is found without this function.
    globals()[name] = getattr(module, name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
