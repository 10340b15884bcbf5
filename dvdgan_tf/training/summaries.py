"""What a run reports: TensorBoard events and `metrics.jsonl`."""

import json
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from dvdgan_tf import files
from dvdgan_tf.layers.spectral_norm import SpectralWeight, spectral_weights
from dvdgan_tf.run_folder import RunFolder


class Summaries:
    """Writes scalars, images and texts of a run.

    Args:
        workdir: folder of the run; events go into it, and scalars also
            into its `metrics.jsonl`, a JSON object per line.
    """

    def __init__(self, workdir: str) -> None:
        self.path = RunFolder(workdir).metrics
        self.writer = tf.summary.create_file_writer(workdir)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes {name: float}."""
        with self.writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.writer.flush()
        line = {"step": step} | {
            name: float(f"{value:.6g}") for name, value in values.items()
        }
        files.append_lines(self.path, json.dumps(line))

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Writes an image, uint8 [H, W, 3]."""
        with self.writer.as_default(step):
            tf.summary.image(name, image[None])
        self.writer.flush()

    def moving(self, step: int, name: str, path: str) -> None:
        """Writes an animated GIF, which TensorBoard's image tab plays.

        Args:
            step: number of the step.
            name: tag of the image.
            path: GIF file; its bytes are stored as they are.
        """
        with open(path, "rb") as file:
            content = file.read()
        with Image.open(path) as animation:
            size = [str(edge) for edge in animation.size]
        # As tf.summary.image stores an image, but that always encodes a PNG:
        # width, height, then the encoded bytes.
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "images"
        with self.writer.as_default(step):
            tf.summary.write(
                name, tf.constant([*size, content]), metadata=metadata
            )
        self.writer.flush()

    def text(self, step: int, name: str, markdown: str) -> None:
        """Writes a text, Markdown."""
        with self.writer.as_default(step):
            tf.summary.text(name, markdown)
        self.writer.flush()


def parameter_table(networks: Sequence[keras.Model]) -> str:
    """Returns a Markdown table of the trainable parameters of networks."""
    rows = ["| variable | shape | parameters |", "| --- | --- | ---: |"]
    for network in networks:
        total = 0
        for variable in network.trainable_variables:
            size = int(np.prod(variable.shape))
            total += size
            shape = list(variable.shape)
            rows.append(f"| {variable.path} | {shape} | {size:,} |")
        rows.append(f"| **{network.name}** | | **{total:,}** |")
    return "\n".join(rows)


def count_parameters(network: keras.Model) -> int:
    """Counts the trainable parameters of a network."""
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def largest_spectral_weights(
    networks: Sequence[keras.Model], count: int = 8
) -> dict[str, SpectralWeight]:
    """Finds the spectrally normalised weights with the most parameters.

    Args:
        networks: Keras models.
        count: number of weights to find.

    Returns:
        {variable path: `SpectralWeight`}
    """
    weights = [
        weight for network in networks for weight in spectral_weights(network)
    ]
    weights.sort(key=lambda w: -int(np.prod(w.weight.shape)))
    return {w.weight.path: w for w in weights[:count]}
