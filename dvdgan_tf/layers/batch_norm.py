"""Class-conditional batch normalisation with statistics per time step.

Source: v1's description of G's conditioning; form from BigGAN:

    y[b, t, h, w] = (1 + W_g c[b]) . (x[b, t, h, w] - mean[t])
                    / sqrt(variance[t] + epsilon) + W_b c[b]

per channel. Mean and variance [T, C] are taken over batch, height, width and
all replicas, not over time, so that nothing leaks from frame to frame.
"""

import keras
import tensorflow as tf

from dvdgan_tf.layers.shards import Batch, shard
from dvdgan_tf.layers.spectral_layers import SpectralDense
from dvdgan_tf.layers.spectral_norm import SpectralNorm


class ClassConditionalBatchNorm(keras.layers.Layer):
    """Batch norm [T, C] with gain and bias linear in the condition.

    Args:
        epsilon: small number that is added to the variance.
        momentum: momentum of the moving statistics. It is kept in a variable,
            so that standing statistics are the same update with another
            momentum (see `Generator.accumulate_standing_statistics`).
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        inputs: [B, T, H, W, C]; `affine` also takes its shards (see
            `shards`).
        condition: [B, D].
        training: normalise by the statistics of the batch and update the
            moving ones, or normalise by the moving ones.

    Returns:
        The shape and dtype of `inputs`.
    """

    def __init__(
        self,
        epsilon: float = 1e-4,
        momentum: float = 0.9,
        spectral_norm: SpectralNorm | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.initial_momentum = momentum
        self.gain, self.bias = (
            SpectralDense(
                None,
                use_bias=False,
                spectral_norm=spectral_norm,
                name=name,
                dtype=self.dtype_policy,
            )
            for name in ("gain", "bias")
        )

    def build(self, inputs_shape, condition_shape):
        _, frames, _, _, channels = inputs_shape
        for dense in (self.gain, self.bias):
            dense.units = channels
            dense.build(condition_shape)
        self.moving_mean = self._add_state("moving_mean", (frames, channels))
        self.moving_variance = self._add_state(
            "moving_variance", (frames, channels), "ones"
        )
        self.momentum = self._add_state(
            "momentum", (), keras.initializers.Constant(self.initial_momentum)
        )

    def _add_state(self, name, shape, initializer="zeros"):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            dtype="float32",
            trainable=False,
            autocast=False,
        )

    def compute_output_shape(self, inputs_shape, condition_shape=None):
        return inputs_shape

    def call(
        self, inputs: tf.Tensor, condition: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        return scale_and_shift(
            inputs, *self.affine(inputs, condition, training)
        )

    def affine(
        self, inputs: Batch, condition: tf.Tensor, training: bool
    ) -> tuple[Batch, Batch]:
        """Returns scale and shift, [B, T, C] each, float32.

        Both are in as many shards as `inputs`. Updates the moving statistics
        if `training`.
        """
        mean, variance = self._statistics(inputs, training)
        gain, bias = (
            tf.cast(
                dense.apply(condition, dense.parameters(training)), "float32"
            )
            for dense in (self.gain, self.bias)
        )
        # scale = (1 + W_g c) / sqrt(variance + epsilon)
        scale = (1.0 + gain)[:, None] * tf.math.rsqrt(variance + self.epsilon)
        # shift = W_b c - mean . scale
        shift = bias[:, None] - mean * scale
        shards = len(inputs) if isinstance(inputs, list) else 1
        return shard(scale, shards), shard(shift, shards)

    def _statistics(self, inputs, training):
        """Mean and variance [T, C], float32."""
        if not training:
            return (
                tf.convert_to_tensor(self.moving_mean),
                tf.convert_to_tensor(self.moving_variance),
            )
        mean, variance = _moments(inputs)
        momentum = tf.convert_to_tensor(self.momentum)
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            old = tf.convert_to_tensor(moving)
            moving.assign(momentum * old + (1.0 - momentum) * value)
        return mean, variance


def scale_and_shift(
    inputs: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor
) -> tf.Tensor:
    """Returns inputs . scale + shift, per channel of each frame.

    Args:
        inputs: [..., H, W, C].
        scale: [..., C].
        shift: [..., C].

    Returns:
        The shape and dtype of `inputs`.
    """
    # In float32: in bfloat16 the difference of inputs and mean, both large
    # after a ReLU, would lose its digits.
    outputs = tf.cast(inputs, "float32") * scale[..., None, None, :]
    outputs += shift[..., None, None, :]
    return tf.cast(outputs, inputs.dtype)


def _moments(inputs):
    """Mean and variance [T, C], float32, of [B, T, H, W, C] on all replicas."""
    if isinstance(inputs, list):
        mean, variance = _moments_of_shards(inputs)
    else:
        mean, variance = _local_moments(inputs)
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return mean, variance
    # Var = E_r[var_r + mean_r^2] - mean^2: a single reduction.
    moments = tf.stack([mean, variance + tf.square(mean)])
    moments = context.all_reduce(tf.distribute.ReduceOp.MEAN, moments)
    mean, mean_square = tf.unstack(moments)
    # Rounding can bring the variance of a constant channel below zero.
    return mean, tf.maximum(mean_square - tf.square(mean), 0.0)


def _moments_of_shards(shards):
    """Does what `_local_moments` does, for a batch in equal shards."""
    means, variances = zip(*map(_local_moments, shards), strict=True)
    mean = tf.add_n(means) / len(shards)
    # The variance within the shards and that between them.
    between = [tf.math.squared_difference(m, mean) for m in means]
    return mean, tf.add_n([*variances, *between]) / len(shards)


@tf.custom_gradient
def _local_moments(inputs):
    """Does what `_moments` does, for this replica; its gradient is closed.

    With n values per moment, dL/dx = (dL/dmean + 2 dL/dvar (x - mean)) / n:
    two operations on maps instead of six, and of bfloat16 no copy is kept.
    """
    x = tf.cast(inputs, "float32")
    mean = _mean(x)
    variance = _mean(tf.math.squared_difference(x, mean[:, None, None]))

    def gradient(d_mean, d_variance):
        # Not tf.size, whose int32 is too small for large batches.
        batch, _, height, width, _ = tf.unstack(tf.shape(inputs))
        size = tf.cast(batch, "float32") * tf.cast(height * width, "float32")
        scale = 2.0 * d_variance / size
        shift = d_mean / size - scale * mean
        d_x = tf.cast(inputs, "float32") * scale[:, None, None]
        return tf.cast(d_x + shift[:, None, None], inputs.dtype)

    return (mean, variance), gradient


def _mean(x):
    # Space first, then examples: one reduction over three axes that are not
    # neighbours is several times slower on CPUs.
    return tf.reduce_mean(tf.reduce_mean(x, [2, 3]), 0)
