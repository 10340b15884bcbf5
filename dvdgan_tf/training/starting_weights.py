"""The weights that a new run takes from another, instead of random ones.

Variables are taken where name and shape agree. Beyond that, rows of class
embeddings go by the names of the classes, and batch norm statistics [T, C] are
fitted to another T. All else stays as the initialisers made it. Optimizers
and step are those of a new run in any case.
"""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from dvdgan_tf.layers.spectral_norm import spectral_weights
from dvdgan_tf.training.class_rows import matched_rows, some

# 2**10 power iterations bring a random u's sigma to float32's precision, or
# nearly.
_SQUARINGS = 10


def take(trainer: Any, stored: Any, class_names: Sequence[str]) -> str:
    """Assigns stored weights to the networks of a trainer.

    The averaged generator takes the stored average.

    Args:
        trainer: a `Trainer` that has made no step.
        stored: `StoredWeights`.
        class_names: the dataset's classes, in the order of the labels.

    Returns:
        Text: a table of what was taken and what was not, a network per group.

    Raises:
        ValueError: nothing fits G, a block of D that is to be frozen is not
            among the stored ones, or the file is damaged.
    """
    groups = {}
    for network in (trainer.generator, trainer.ema_generator):
        taking = _Taking(network, network.class_embedding, stored)
        taking.all(class_names, network.batch_norms())
        if not taking.kernels:
            raise ValueError(
                "No weight fits this run's generator in "
                f"{stored.origin} ({taking.first_difference()}); configure "
                "the generator as that one was."
            )
        groups[network.name] = taking.lines()
    until = trainer.updates.ema_start_step
    if until:
        groups["ema_generator"].append(
            f"follows the generator until step {until:,} "
            "(Trainer.ema_start_step)"
        )
    for network in (trainer.d_spatial, trainer.d_temporal):
        embedding = network.class_embedding.embeddings.weight
        taking = _Taking(network, embedding, stored)
        taking.all(class_names)
        taking.check_frozen_blocks()
        groups[network.name] = taking.lines()
    groups["optimizers, step"] = ["new"]
    return _table(f"Starting from {stored.origin}:", groups)


class _Taking:
    """What one network takes.

    Args:
        network: a built Keras model, with its initial values.
        embedding: the network's variable [classes, width], a row per class.
        stored: `StoredWeights`.
    """

    def __init__(self, network, embedding, stored):
        self.network = network
        self.embedding = embedding
        self.stored = stored
        self.taken = 0
        self.kernels = 0
        self.fitted = collections.Counter()
        self.iterated = []
        self.fresh = []
        self.rows = None

    def all(self, class_names, norms=()):
        """Takes what there is.

        Args:
            class_names: the dataset's classes.
            norms: the network's `ClassConditionalBatchNorm`s.
        """
        spectral = {w.weight.path: w for w in spectral_weights(self.network)}
        statistics = {
            variable.path
            for norm in norms
            for variable in (norm.moving_mean, norm.moving_variance)
        }
        # u goes with its weight; momentum is configuration.
        others = {w.u.path for w in spectral.values()}
        others |= {norm.momentum.path for norm in norms}
        for variable in self.network.variables:
            path = variable.path
            if path in others:
                continue
            if path == self.embedding.path:
                self._take_rows(class_names, spectral.get(path))
            elif path in statistics:
                self._take_statistics(variable)
            elif self._take(variable):
                self.kernels += len(variable.shape) > 1
                if path in spectral:
                    self._take_vector(spectral[path])
            else:
                self.fresh.append(variable)
        for weight in self.iterated:
            weight.u.assign(
                singular_vector(weight.weight.numpy(), weight.u.numpy())
            )

    def _take(self, variable):
        """Takes a variable that is there in its shape; says whether it is."""
        if self.stored.shape(variable.path) != tuple(variable.shape):
            return False
        variable.assign(self.stored.read(variable.path))
        self.taken += 1
        return True

    def _take_vector(self, weight, complete=True):
        """Takes u, or has power iterations find it."""
        if not self._take(weight.u) or not complete:
            self.iterated.append(weight)

    def _take_statistics(self, variable):
        """Takes statistics [T, C]; frames beyond the stored repeat the last."""
        shape = self.stored.shape(variable.path)
        frames, channels = variable.shape
        if not shape or shape[1:] != (channels,) or shape[0] == frames:
            if not self._take(variable):
                self.fresh.append(variable)
            return
        value = self.stored.read(variable.path)
        variable.assign(value[np.minimum(np.arange(frames), shape[0] - 1)])
        self.fitted[shape[0], frames] += 1

    def _take_rows(self, class_names, weight):
        """Takes rows of the class embedding.

        Args:
            class_names: the dataset's classes.
            weight: the embedding's `SpectralWeight`, in D.
        """
        shape = self.stored.shape(self.embedding.path)
        count, width = self.embedding.shape
        if not shape or shape[1:] != (width,):
            self.rows = f"initialised: {self._shapes(self.embedding)}"
            return
        rows, self.rows = matched_rows(
            class_names, count, self.stored.class_names, shape[0]
        )
        if not rows:
            return
        value = self.embedding.numpy()
        value[list(rows)] = self.stored.read(self.embedding.path)[
            list(rows.values())
        ]
        self.embedding.assign(value)
        if weight is not None:
            # Rows in another order have the same singular vectors.
            self._take_vector(weight, len(rows) == count == shape[0])

    def check_frozen_blocks(self):
        """Raises ValueError if a weight that is not to train is a new one."""
        fresh = {variable.path for variable in self.fresh}
        for block in self.network.blocks:
            for variable in () if block.trainable else block.variables:
                if variable.path in fresh:
                    raise ValueError(
                        "Trainer.frozen_d_blocks freezes only what is taken "
                        f"from elsewhere: {self._difference(variable)}. Lower "
                        "it, or start from weights that have the block."
                    )

    def first_difference(self):
        """Names the first weight that was not taken, with both shapes."""
        return self._difference(self.fresh[0])

    def _difference(self, variable):
        shapes = self._shapes(variable)
        return f"{variable.path} is {shapes}"

    def _shapes(self, variable):
        shape = self.stored.shape(variable.path)
        there = "missing there" if shape is None else f"{list(shape)} there"
        return f"{list(variable.shape)} here, {there}"

    def _short(self, name):
        """Cuts off the network's name, as the table does."""
        return name[len(self.network.name) + 1 :]

    def lines(self):
        """Says in some short lines what was done."""
        paths = [variable.path for variable in self.network.variables]
        if not any(map(self.stored.shape, paths)):
            return ["new: it is not stored there"]
        lines = [f"{self.taken} variables taken"]
        for (there, here), count in self.fitted.items():
            lines.append(
                f"{count} statistics [T, C] fitted ({there} -> {here} frames); "
                "training re-estimates them"
            )
        if self.rows:
            lines.append(f"class_embedding: {self.rows}")
        if self.iterated:
            lines.append(
                f"{len(self.iterated)} vectors u (spectral norm) by power "
                "iterations"
            )
        if self.fresh:
            examples = [
                f"{self._short(v.path)} ({self._shapes(v)})" for v in self.fresh
            ]
            lines.append(f"{len(self.fresh)} initialised: {some(examples)}")
        unused = self.stored.others(self.network.name, paths)
        if unused:
            examples = [name[name.find("/") + 1 :] for name in unused]
            lines.append(
                f"{len(unused)} stored ones left out: {some(examples)}"
            )
        return lines


def singular_vector(weight: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Finds the right singular vector of the largest singular value.

    Power iterations: u is multiplied by a power of W^T W, which repeated
    squaring gives. W is viewed as [everything else, C_out]; where it is wider
    than high, v is multiplied by a power of W W^T instead.

    Args:
        weight: W, float32 [..., C_out].
        u: vector that the iteration starts from, float32 [C_out].

    Returns:
        float32 [C_out], of length 1.
    """
    matrix = weight.reshape(-1, weight.shape[-1])
    wide = matrix.shape[0] < matrix.shape[1]
    power = matrix @ matrix.T if wide else matrix.T @ matrix
    for _ in range(_SQUARINGS):
        power /= np.linalg.norm(power) or 1.0
        power = power @ power
    vector = power @ (matrix @ u) @ matrix if wide else power @ u
    norm = np.linalg.norm(vector)
    return vector / norm if norm else u


def _table(title, groups):
    width = max(map(len, groups)) + 2
    lines = [title]
    for name, rows in groups.items():
        for row in rows:
            lines.append(f"  {name:{width}}{row}")
            name = ""
    return "\n".join(lines)
