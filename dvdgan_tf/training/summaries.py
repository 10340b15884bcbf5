"""What a run reports: TensorBoard events and `metrics.jsonl`."""

import json
import os

import numpy as np
import tensorflow as tf

from dvdgan_tf import files
from dvdgan_tf.layers.spectral import spectral_weights
from dvdgan_tf.runs import RunFolder


class Summaries:
    """Writes scalars, images and texts of a run.

    Args:
        workdir: the run's folder; events go into it, and scalars also into
            its `metrics.jsonl`, a JSON object per line.
        step: the step at which the run starts; later lines of an earlier,
            killed run are dropped, since they will be written again.
    """

    def __init__(self, workdir, step):
        self.path = RunFolder(workdir).metrics
        self.writer = tf.summary.create_file_writer(workdir)
        _drop_lines_after(self.path, step)

    def scalars(self, step, values):
        """Writes {name: float}."""
        with self.writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.writer.flush()
        line = {"step": step} | {
            name: float(f"{value:.6g}") for name, value in values.items()
        }
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")

    def image(self, step, name, image):
        """Writes an image, uint8 [H, W, 3]."""
        with self.writer.as_default(step):
            tf.summary.image(name, image[None])
        self.writer.flush()

    def text(self, step, name, markdown):
        """Writes a text."""
        with self.writer.as_default(step):
            tf.summary.text(name, markdown)
        self.writer.flush()


def _drop_lines_after(path, step):
    if not os.path.exists(path):
        return
    kept = []
    with open(path) as file:
        for line in file:
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except ValueError:
                pass  # A line cut off when the run was killed.
    files.write_text(path, "".join(kept))


def parameter_table(networks):
    """Markdown table of the trainable parameters of networks."""
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


def count_parameters(network):
    """Number of trainable parameters."""
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def largest_spectral_weights(networks, count=8):
    """The spectrally normalised weights with the most parameters.

    Args:
        networks: Keras models.
        count: how many weights.

    Returns:
        {variable path: `SpectralWeight`}
    """
    weights = [
        weight for network in networks for weight in spectral_weights(network)
    ]
    weights.sort(key=lambda w: -int(np.prod(w.weight.shape)))
    return {w.weight.path: w for w in weights[:count]}
