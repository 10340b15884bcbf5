"""The generator G (v2's generator figure)."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import gin
import keras
import tensorflow as tf

from dvdgan_tf.frame_size import Resolution, compact, sides, text
from dvdgan_tf.layers import configs
from dvdgan_tf.layers.attention import SelfAttention
from dvdgan_tf.layers.batch_norm import (
    ClassConditionalBatchNorm,
    scale_and_shift,
)
from dvdgan_tf.layers.conv_gru import ConvGRU
from dvdgan_tf.layers.orthogonal import Orthogonal
from dvdgan_tf.layers.recurrent import RecurrentUnit
from dvdgan_tf.layers.rematerialization import (
    run_segment,
    run_segment_of_frames,
)
from dvdgan_tf.layers.resampling import METHODS
from dvdgan_tf.layers.shards import Batch, for_shards, join, shard
from dvdgan_tf.layers.spectral_layers import SpectralConv, SpectralDense
from dvdgan_tf.layers.spectral_norm import SpectralNorm
from dvdgan_tf.layers.time_parts import run_recurrence
from dvdgan_tf.networks.blocks import GBlock
from dvdgan_tf.networks.frame_encoder import FrameEncoder
from dvdgan_tf.networks.network import Network
from dvdgan_tf.networks.sizes import scaled, seed_and_doublings
from dvdgan_tf.networks.widths import (
    GENERATOR_MULTIPLIERS,
    check_at_least_one,
    check_attention,
    widths,
)


@gin.register
@keras.saving.register_keras_serializable(package="dvdgan_tf")
class Generator(Network):
    """Class-conditional generator of videos, or of videos' continuations.

    c = [z; e(y)] is mapped to a 4x4 seed (to one of another size where the
    frames have another shape, see `sizes`), the input of the first recurrent
    unit at every time step. Then, once per doubling of the resolution, a
    group: recurrent unit over time -> G-block -> G-block (x2 up). c
    conditions every batch norm. Head per frame: CBN -> ReLU -> conv3x3 ->
    tanh. For frame prediction (DVD-GAN-FP), the recurrent units' initial
    states are a function of the frames given; otherwise they are 0.

    Args:
        resolution: height and width in pixels: one number for square
            frames, or both; see `sizes` for which. The defaults are the
            paper's for Kinetics-600 at 128x128.
        num_frames: T of a whole video. Only the [T, C] batch norm statistics
            depend on it.
        num_classes: rows of the class embedding; 1 for unconditional.
        conditioning_frames: C, the first frames of a video that are given;
            0 for synthesis. The other T - C are generated.
        frame_encoder: class of the `FrameEncoder`, where C > 0.
        ch: width unit; 128 at 64x64 and 96 above in the paper.
        channel_multipliers: replaces the entry in `widths`.
        z_dim: width of z.
        embedding_dim: width of e(y).
        recurrent_unit: class of the recurrent units, a `RecurrentUnit`.
        upsampling: "bilinear" (v2's legend) or "nearest" (BigGAN).
        attention_resolutions: heights of the feature maps after whose group
            `SelfAttention` is inserted; none in the paper.
        batch_norm_epsilon: small number that batch norm adds to the variance.
        batch_norm_momentum: momentum of batch norm's moving statistics.
        recompute: whether gradients evaluate recurrent units, halves of
            blocks, attention and head again, instead of keeping what is
            inside of them (see `rematerialization`).
        spectral_norm: a `SpectralNorm`; the paper's by default.

    Call arguments:
        z: [B, z_dim], standard normal; scaled by sigma < 1 for truncation. Or
            all inputs in one dict, {"z": z, "y": y} and, where C > 0,
            "frames".
        y: class ids, integer [B], or soft labels, float [B, num_classes].
        training: whether batch statistics are used, moving statistics
            updated and power iterations run.
        parts: equal parts of the batch that are computed one after the other,
            to save memory (see `rematerialization`). Batch norm's statistics
            are those of the whole batch.
        frames: the given frames, [B, C, height, width, 3] in [-1, 1], where
            C > 0.
        shards: equal shards of the batch that are computed side by side, to
            keep several cores busy (see `shards`). Batch norm's statistics
            are those of the whole batch.

    Attributes:
        generated_frames: number of frames that a call generates, T - C.

    Returns:
        Videos [B, T - C, height, width, 3], float32 in [-1, 1].

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        resolution: Resolution = 128,
        num_frames: int = 12,
        num_classes: int = 600,
        conditioning_frames: int = 0,
        frame_encoder: Callable[..., keras.layers.Layer] = FrameEncoder,
        ch: int = 96,
        channel_multipliers: Sequence[int] | None = None,
        z_dim: int = 120,
        embedding_dim: int = 120,
        recurrent_unit: Callable[..., RecurrentUnit] = ConvGRU,
        upsampling: str = "bilinear",
        attention_resolutions: Sequence[int] = (),
        batch_norm_epsilon: float = 1e-4,
        batch_norm_momentum: float = 0.9,
        recompute: bool = False,
        spectral_norm: SpectralNorm | None = None,
        name: str = "generator",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.seed_size, doublings = seed_and_doublings(resolution)
        self.widths = widths(
            GENERATOR_MULTIPLIERS, doublings, ch, channel_multipliers
        )
        self.resolution = resolution
        self.num_frames = num_frames
        self.num_classes = num_classes
        self.conditioning_frames = conditioning_frames
        self.generated_frames = num_frames - conditioning_frames
        self.ch = ch
        self.channel_multipliers = channel_multipliers
        self.z_dim = z_dim
        self.embedding_dim = embedding_dim
        self.upsampling = upsampling
        self.attention_resolutions = attention_resolutions
        self.recompute = recompute
        self.spectral_norm = spectral_norm
        self._norm_args = dict(
            epsilon=batch_norm_epsilon, momentum=batch_norm_momentum
        )
        self._check_arguments()
        self._add_layers(recurrent_unit, frame_encoder)

    def _check_arguments(self):
        """Raises ValueError if an argument is out of its range."""
        check_at_least_one(
            num_classes=self.num_classes,
            z_dim=self.z_dim,
            embedding_dim=self.embedding_dim,
        )
        _check_conditioning(self.conditioning_frames, self.num_frames)
        check_attention(
            self.attention_resolutions,
            [height for height, _ in self.group_sizes()[1:]],
        )
        if self.upsampling not in METHODS:
            raise ValueError(
                f"Generator.upsampling must be one of {METHODS}. "
                f"Received: upsampling={self.upsampling!r}"
            )

    # --- v2's generator figure: seed, groups of unit and blocks, head --------

    def _add_layers(self, recurrent_unit, frame_encoder):
        shared = dict(spectral_norm=self.spectral_norm, dtype=self.dtype_policy)
        units = math.prod(self.seed_size) * self.widths[0]
        self.seed = SpectralDense(units, name="seed", **shared)
        self.frame_encoder = None
        if self.conditioning_frames:
            self.frame_encoder = frame_encoder(
                resolution=self.resolution,
                conditioning_frames=self.conditioning_frames,
                state_widths=self.widths[:-1],
                name="frame_encoder",
                **shared,
            )
        self.groups = [
            self._group(sizes, pair, recurrent_unit, **shared)
            for sizes, pair in zip(
                itertools.pairwise(self.group_sizes()),
                itertools.pairwise(self.widths),
                strict=True,
            )
        ]
        # Keras before 3.15 does not save layers in lists of lists.
        self._saved_layers = [layer for group in self.groups for layer in group]
        self.head_norm = ClassConditionalBatchNorm(
            name="head_norm", **self._norm_args, **shared
        )
        self.head = SpectralConv(3, name="head", **shared)

    def group_sizes(self) -> list[tuple[int, int]]:
        """Returns (height, width) at which groups start, then the frames'."""
        return [scaled(self.seed_size, i) for i in range(len(self.widths))]

    def _group(self, sizes, widths_of_maps, recurrent_unit, **shared):
        """Recurrent unit, two blocks and attention, named by resolution."""
        (size, next_size), (width, next_width) = sizes, widths_of_maps
        block_args = dict(norm_args=self._norm_args, **shared)
        group = [
            recurrent_unit(name=f"{text(size)}_recurrent", **shared),
            GBlock(width, name=f"{text(size)}_block", **block_args),
            GBlock(
                next_width,
                self.upsampling,
                name=f"{text(size)}_block_up",
                **block_args,
            ),
        ]
        if next_size[0] in self.attention_resolutions:
            name = f"{text(next_size)}_attention"
            group.append(SelfAttention(name=name, **shared))
        return group

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras."""
        config = {
            "resolution": compact(self.resolution),
            "num_frames": self.num_frames,
            "num_classes": self.num_classes,
            "conditioning_frames": self.conditioning_frames,
            "ch": self.ch,
            "channel_multipliers": configs.numbers(self.channel_multipliers),
            "z_dim": self.z_dim,
            "embedding_dim": self.embedding_dim,
            "recurrent_unit": configs.of_layer(self.groups[0][0]),
            "upsampling": self.upsampling,
            "attention_resolutions": configs.numbers(
                self.attention_resolutions
            ),
            "batch_norm_epsilon": self._norm_args["epsilon"],
            "batch_norm_momentum": self._norm_args["momentum"],
            "recompute": self.recompute,
            "spectral_norm": configs.of_norm(self.spectral_norm),
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }
        if self.frame_encoder is not None:
            given = ("resolution", "conditioning_frames", "state_widths")
            config["frame_encoder"] = configs.of_layer(
                self.frame_encoder, given
            )
        return config

    def input_specs(self) -> dict[str, keras.InputSpec]:
        specs = {
            "z": keras.InputSpec("float32", (None, self.z_dim), name="z"),
            "y": keras.InputSpec("int32", (None,), name="y"),
        }
        if self.conditioning_frames:
            shape = (None, *self.given_shape())
            specs["frames"] = keras.InputSpec("float32", shape, name="frames")
        return specs

    def given_shape(self) -> tuple[int, ...]:
        """Returns the shape of one example's given frames."""
        return self.conditioning_frames, *sides(self.resolution), 3

    def build(self, z_shape: Any = None, y_shape: Any = None) -> None:
        """Creates all variables; the shapes are known from the arguments."""
        c_shape = (None, self.z_dim + self.embedding_dim)
        # e(y): the one weight without spectral norm.
        self.class_embedding = self.add_weight(
            name="class_embedding",
            shape=(self.num_classes, self.embedding_dim),
            initializer=Orthogonal(),
            dtype="float32",
            autocast=False,
        )
        self.seed.build(c_shape)
        if self.frame_encoder:
            self.frame_encoder.build((None, *self.given_shape()))
        frames = self.generated_frames
        shape = (None, frames, *self.seed_size, self.widths[0])
        for recurrent, block, block_up, *attention in self.groups:
            recurrent.build(shape)
            block.build(shape, c_shape)
            block_up.build(shape, c_shape)
            shape = block_up.compute_output_shape(shape)
            for layer in attention:
                layer.build(shape)
        self.head_norm.build(shape, c_shape)
        self.head.build(shape)
        self.built = True

    def call(
        self,
        z: tf.Tensor | dict[str, tf.Tensor],
        y: tf.Tensor | None = None,
        training: bool = False,
        parts: int = 1,
        frames: Batch | None = None,
        shards: int = 1,
    ) -> tf.Tensor:
        if isinstance(z, dict):
            z, y, frames = z["z"], z["y"], z.get("frames")
        condition = self.condition(z, y)
        recompute = self.recompute and training
        memory: dict[str, Any] = dict(recompute=recompute, parts=parts)
        run_frames = functools.partial(run_segment_of_frames, **memory)
        x = self.seed.apply(condition, self.seed.parameters(training))
        seed = [-1, 1, *self.seed_size, self.widths[0]]
        x = shard(tf.reshape(x, seed), shards)
        states = self._initial_states(frames, shards, training, **memory)
        for i, ((recurrent, block, block_up, *attention), state) in enumerate(
            zip(self.groups, states, strict=True)
        ):
            # The first unit's input is one frame, that of all its steps.
            over_time = recompute and i > 0 and self.generated_frames > 1
            weights = recurrent.parameters(training)
            x = self._recur(recurrent, x, state, weights, over_time, memory)
            x = block(x, condition, training=training, run=run_frames)
            x = block_up(x, condition, training=training, run=run_frames)
            for layer in attention:
                weights = layer.parameters(training)
                x = run_segment(layer.apply, (x,), weights, **memory)
        affine = self.head_norm.affine(x, condition, training)
        head = self.head.parameters(training)
        x = join(run_frames(self._head, (x, *affine), head))
        # Videos are float32 under every policy.
        return tf.tanh(tf.cast(x, "float32"))

    def _recur(self, unit, x, state, weights, over_time, memory):
        """The states of a recurrent unit for all frames.

        Args:
            unit: the `RecurrentUnit`.
            x: the inputs of the unit, [B, T or 1, H, W, C].
            state: (h0,), or () where h0 is 0.
            weights: the `parameters` of the unit.
            over_time: whether the gradient recomputes one part of the time
                after the other, instead of the whole of it.
            memory: `recompute` and `parts` of `run_segment`.
        """
        if over_time:
            state = state or (for_shards(_zero_state, x),)
            steps = functools.partial(run_recurrence, unit.apply)
            return run_segment(
                steps, (x, *state), weights, parts=memory["parts"]
            )
        steps = functools.partial(unit.apply, num_frames=self.generated_frames)
        return run_segment(steps, (x, *state), weights, **memory)

    def _initial_states(self, frames, shards, training, **memory):
        """Returns a tuple for each group: (h0,), or () where h0 is 0."""
        given = 0 if frames is None else frames.shape[1]
        if given != self.conditioning_frames:
            raise ValueError(
                f"This generator takes {self.conditioning_frames} "
                f"conditioning frames. Received: {given}"
            )
        if not given:
            return [()] * len(self.groups)
        states = self.frame_encoder(
            shard(frames, shards), training=training, **memory
        )
        return [(state,) for state in states]

    def _head(self, x, scale, shift, parameters):
        x = tf.nn.relu(scale_and_shift(x, scale, shift))
        return self.head.apply(x, parameters)

    def condition(self, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Returns c = [z; e(y)] in the compute dtype.

        Args:
            z: [B, z_dim].
            y: class ids, integer [B], or soft labels [B, num_classes].

        Returns:
            [B, z_dim + embedding_dim]
        """
        if y.dtype.is_integer:
            y = tf.one_hot(y, self.num_classes)
        # e(y) is linear, so soft labels mix the rows of classes.
        embedding = tf.convert_to_tensor(self.class_embedding)
        embedded = tf.matmul(tf.cast(y, embedding.dtype), embedding)
        condition = tf.concat([tf.cast(z, embedded.dtype), embedded], -1)
        return tf.cast(condition, self.compute_dtype)

    def batch_norms(self) -> list[ClassConditionalBatchNorm]:
        """Returns all class-conditional batch norms, from input to output."""
        blocks = [b for group in self.groups for b in group[1:3]]
        inner = [norm for b in blocks for norm in (b.norm1, b.norm2)]
        return [*inner, self.head_norm]

    # --- Standing statistics [BigGAN] -----------------------------------------

    def accumulate_standing_statistics(
        self,
        z: tf.Tensor,
        y: tf.Tensor,
        n: tf.Tensor,
        frames: tf.Tensor | None = None,
        parts: int = 1,
        shards: int = 1,
    ) -> None:
        """Lets the n-th batch take part in the standing statistics [BigGAN].

        For sampling, the batch norm statistics are averaged over many
        batches run in training mode. The moving statistics are
        m.old + (1 - m).batch; with m = (n - 1) / n they are, after n calls,
        the mean over n batches, and the first call forgets what was there.
        They hold for one truncation level. As in all training passes, power
        iterations run. To be called in replica context.

        Args:
            z: [B, z_dim], truncated as in the sampling to come.
            y: class ids, integer [B].
            n: number of this batch, float32 scalar, counted from 1.
            frames: the given frames, where there are any.
            parts: number of parts of the batch that segments evaluate one after
                the other.
            shards: number of shards of the batch that are computed side by
                side.
        """
        for norm in self.batch_norms():
            norm.momentum.assign((n - 1.0) / n)
        self(z, y, training=True, parts=parts, frames=frames, shards=shards)


def _zero_state(x):
    """h0 = 0 for inputs [B, T, H, W, C]."""
    return tf.zeros_like(x[:, 0])


def _check_conditioning(conditioning_frames, num_frames):
    check_at_least_one(num_frames=num_frames)
    if not 0 <= conditioning_frames < num_frames:
        raise ValueError(
            "CONDITIONING_FRAMES must be from 0 to NUM_FRAMES - 1 = "
            f"{num_frames - 1}. "
            f"Received: conditioning_frames={conditioning_frames}"
        )
