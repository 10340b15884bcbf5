"""The layers with weights W / sigma(W): convolution, dense, embedding.

For the normalisation itself see `spectral_norm`.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from dvdgan_tf.layers import configs
from dvdgan_tf.layers.convolutions import (
    convolve,
    convolve_and_pool,
    pooling_kernel,
)
from dvdgan_tf.layers.orthogonal import Orthogonal
from dvdgan_tf.layers.resampling import average_pool, pooled_side
from dvdgan_tf.layers.spectral_norm import SpectralNorm, SpectralWeight


class SpectralLayer(keras.layers.Layer):
    """Base of the layers that hold spectrally normalised weights.

    A layer is called in two steps: `parameters(training)` reads its variables
    and normalises its weights, once per pass; `apply(inputs, parameters)` is
    a function of nothing but its arguments, that may be evaluated for parts
    of a batch, and again for gradients (see `rematerialization`).

    Args:
        spectral_norm: a `SpectralNorm`; the paper's by default.
    """

    def __init__(
        self, spectral_norm: SpectralNorm | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.spectral_norm = spectral_norm or SpectralNorm()
        self.spectral_weights: list[SpectralWeight] = []

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "spectral_norm": configs.of_norm(self.spectral_norm)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpectralLayer":
        norm = configs.norm(config["spectral_norm"])
        return super().from_config({**config, "spectral_norm": norm})

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.apply(inputs, self.parameters(training))

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns what `apply` needs, in the compute dtype."""
        raise NotImplementedError

    def apply(self, inputs: tf.Tensor, *parameters: Any) -> tf.Tensor:
        """The layer as a function of its arguments only."""
        raise NotImplementedError

    def add_spectral_weight(
        self, name: str, shape: Sequence[int]
    ) -> SpectralWeight:
        """Adds an orthogonally initialised weight [..., C_out] and its u."""
        weight = self.add_weight(
            name=name,
            shape=shape,
            initializer=Orthogonal(),
            dtype="float32",
            autocast=False,
        )
        u = self.add_weight(
            name=f"{name}_u",
            shape=shape[-1:],
            initializer=_random_direction,
            dtype="float32",
            trainable=False,
            autocast=False,
        )
        spectral_weight = SpectralWeight(weight, u, self.spectral_norm)
        self.spectral_weights.append(spectral_weight)
        return spectral_weight

    def cast(self, *tensors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns tensors and variables in the compute dtype."""
        return tuple(
            tf.cast(tf.convert_to_tensor(x), self.compute_dtype)
            for x in tensors
        )

    def add_bias(self, size: int) -> keras.Variable:
        """Adds a zero-initialised bias [size], float32."""
        return self.add_weight(
            name="bias",
            shape=(size,),
            initializer="zeros",
            dtype="float32",
            autocast=False,
        )


def _random_direction(shape, dtype=None):
    """Draws a vector of length 1.

    So sigma = |W u| is an estimate of the norm before any iteration, too.
    """
    draw = keras.initializers.RandomNormal()
    return tf.math.l2_normalize(draw(shape, dtype))


@keras.saving.register_keras_serializable(package="dvdgan_tf")
class SpectralConv(SpectralLayer):
    """Convolution with zero padding ("same") by W / sigma(W), then a pool.

    Args:
        filters: output channels.
        kernel_size: edge of the kernel in every axis, odd.
        rank: 2 for [..., height, width, channels], 3 for
            [batch, time, height, width, channels].
        pool: windows of an average pool of the result, 1 or 2 for each of
            the `rank` axes; no pool by default. It is part of the
            convolution (see `convolutions`) where all its windows are full.
        use_bias: whether a bias is added.
        spectral_norm: a `SpectralNorm`; the paper's by default.
        round_up: whether a last odd row or column has a window of its own
            (see `average_pool`), or is dropped. For inputs of five axes, and
            one window in height and width.

    Call arguments:
        inputs: rank 2: [..., H, W, C] of rank 4 or 5, leading axes are
            independent images; rank 3: [B, T, H, W, C].
        training: whether to run the power iteration.

    Returns:
        The shape of `inputs` with `filters` channels, each of the `rank` axes
        divided by its window; a remainder is dropped, or counts as one more
        in height and width with `round_up`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        rank: int = 2,
        pool: Sequence[int] | None = None,
        use_bias: bool = True,
        spectral_norm: SpectralNorm | None = None,
        round_up: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(spectral_norm, **kwargs)
        if rank not in (2, 3):
            raise ValueError(
                f"SpectralConv's rank must be 2 or 3. Received: rank={rank}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.rank = rank
        self.pool = tuple(pool or (1,) * rank)
        if not set(self.pool) <= {1, 2} or kernel_size % 2 == 0:
            raise ValueError(
                "SpectralConv needs an odd kernel and pools of 1 or 2. "
                f"Received: kernel_size={kernel_size}, pool={self.pool}"
            )
        self.round_up = round_up
        self.use_bias = use_bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "rank": self.rank,
            "pool": list(self.pool),
            "round_up": self.round_up,
            "use_bias": self.use_bias,
        }

    def build(self, inputs_shape: tuple) -> None:
        edges = (self.kernel_size,) * self.rank
        shape = (*edges, inputs_shape[-1], self.filters)
        self.kernel = self.add_spectral_weight("kernel", shape)
        self.bias = self.add_bias(self.filters) if self.use_bias else None
        # A smaller window has another mean than the kernel that pools.
        self.pools_after = self.round_up and any(
            side % self.pool[-1] for side in inputs_shape[-3:-1]
        )

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        batch = inputs_shape[: -self.rank - 1]
        sizes = inputs_shape[-self.rank - 1 : -1]
        in_time = [False] * (self.rank - 2)
        up = [*in_time, self.round_up, self.round_up]
        pooled = (
            n and pooled_side(n, p, u)
            for n, p, u in zip(sizes, self.pool, up, strict=True)
        )
        return (*batch, *pooled, self.filters)

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns (kernel[, bias]) for `apply`, in the compute dtype."""
        kernel = self.kernel.normalized(training)
        if not self.pools_after:
            kernel = pooling_kernel(kernel, self.pool)
        return self.cast(kernel, *([self.bias] if self.use_bias else []))

    def apply(
        self, inputs: tf.Tensor, parameters: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The layer as a function of its arguments only; see `call`."""
        kernel, *bias = parameters
        if self.pools_after:
            time = self.pool[0] if self.rank == 3 else 1
            outputs = convolve(inputs, kernel)
            outputs = average_pool(outputs, self.pool[-1], time, round_up=True)
        elif max(self.pool) == 1:
            outputs = convolve(inputs, kernel)
        else:
            outputs = convolve_and_pool(inputs, kernel, self.pool)
        return outputs + bias[0] if bias else outputs


@keras.saving.register_keras_serializable(package="dvdgan_tf")
class SpectralDense(SpectralLayer):
    """Affine map by W / sigma(W).

    Args:
        units: output width; None where it is set before `build`.
        use_bias: whether a bias is added.
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        inputs: [..., C].
        training: whether to run the power iteration.

    Returns:
        [..., units]
    """

    def __init__(
        self,
        units: int | None,
        use_bias: bool = True,
        spectral_norm: SpectralNorm | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(spectral_norm, **kwargs)
        self.units = units
        self.use_bias = use_bias

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "units": self.units, "use_bias": self.use_bias}

    def build(self, inputs_shape: tuple) -> None:
        shape = (inputs_shape[-1], self.units)
        self.kernel = self.add_spectral_weight("kernel", shape)
        self.bias = self.add_bias(self.units) if self.use_bias else None

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return (*inputs_shape[:-1], self.units)

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns (kernel[, bias]) for `apply`, in the compute dtype."""
        kernel = self.kernel.normalized(training)
        return self.cast(kernel, *([self.bias] if self.use_bias else []))

    def apply(
        self, inputs: tf.Tensor, parameters: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The layer as a function of its arguments only; see `call`."""
        kernel, *bias = parameters
        outputs = tf.tensordot(inputs, kernel, 1)
        return outputs + bias[0] if bias else outputs


@keras.saving.register_keras_serializable(package="dvdgan_tf")
class SpectralEmbedding(SpectralLayer):
    """Class embedding with the rows of E / sigma(E).

    Args:
        num_classes: number of rows of E.
        width: number of columns of E.
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        labels: one-hot or soft labels [B, num_classes].
        training: whether to run the power iteration.

    Returns:
        [B, width]
    """

    def __init__(
        self,
        num_classes: int,
        width: int,
        spectral_norm: SpectralNorm | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(spectral_norm, **kwargs)
        self.num_classes = num_classes
        self.width = width

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "width": self.width,
        }

    def build(self, labels_shape: tuple | None = None) -> None:
        shape = (self.num_classes, self.width)
        self.embeddings = self.add_spectral_weight("embeddings", shape)

    def compute_output_shape(self, labels_shape: tuple) -> tuple:
        return (labels_shape[0], self.width)

    def parameters(self, training: bool) -> tuple[tf.Tensor, ...]:
        """Returns (embeddings,) for `apply`, in the compute dtype."""
        return self.cast(self.embeddings.normalized(training))

    def apply(
        self, labels: tf.Tensor, parameters: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The layer as a function of its arguments only; see `call`."""
        (embeddings,) = parameters
        return tf.matmul(labels, embeddings)
