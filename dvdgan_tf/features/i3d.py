"""I3D, the network of the Fréchet video distance (RGB stream, inference).

Carreira & Zisserman, "Quo Vadis, Action Recognition?" (arXiv 1705.07750),
figure 3. Batch norm is part of the convolutions: `i3d_weights` folds it.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

INPUT_SIZE = 224
MIN_FRAMES = 9

# Filters of each block: those of branch 0; of the 1x1x1 and the 3x3x3
# convolution of branch 1; the same of branch 2; those of branch 3.
_BLOCKS = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


class Unit3D(keras.layers.Layer):
    """Convolution with bias and "same" padding, then ReLU.

    Where the stride leaves an odd number of zeros, the larger half is behind
    ("same" of TensorFlow), which the pretrained weights rely on.

    Args:
        filters: number of output channels C'.
        kernel_size: k, the edge of the cubic kernel.
        strides: along time, height and width.
        **kwargs: further arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, H, W, C].

    Returns:
        [B, ceil(T / s), ceil(H / s), ceil(W / s), C'] for strides s.
    """

    def __init__(
        self, filters: int, kernel_size: int, strides: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides

    def build(self, input_shape: tuple) -> None:
        shape = (*[self.kernel_size] * 3, input_shape[-1], self.filters)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer="zeros"
        )
        self.bias = self.add_weight(
            name="bias", shape=shape[-1:], initializer="zeros"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        strides = [1, *[self.strides] * 3, 1]
        outputs = tf.nn.conv3d(inputs, self.kernel, strides, "SAME")
        return tf.nn.relu(tf.nn.bias_add(outputs, self.bias))


class InceptionBlock(keras.layers.Layer):
    """Four branches on the same input, concatenated over the channels.

    Args:
        filters: six numbers, as in `_BLOCKS`.
        odd_name: whether the last convolution of branch 2 goes by the name
            that the checkpoint misspells in one block.
        **kwargs: further arguments of `keras.layers.Layer`.

    Attributes:
        units: the convolutions by their names in the checkpoint, below the
            name of the block.

    Call arguments:
        inputs: [B, T, H, W, C].

    Returns:
        [B, T, H, W, C'], C' the sum of filters 0, 2, 4 and 5.
    """

    def __init__(
        self, filters: Sequence[int], odd_name: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(trainable=False, **kwargs)

        def unit(branch, index, kernel_size):
            return Unit3D(
                filters[index],
                kernel_size,
                dtype=self.dtype_policy,
                name=f"branch_{branch}_{kernel_size}x{kernel_size}",
            )

        self.branches = [
            [unit(0, 0, 1)],
            [unit(1, 1, 1), unit(1, 2, 3)],
            [unit(2, 3, 1), unit(2, 4, 3)],
            [unit(3, 5, 1)],
        ]
        last = "Conv3d_0a_3x3" if odd_name else "Conv3d_0b_3x3"
        self.units = {
            "Branch_0/Conv3d_0a_1x1": self.branches[0][0],
            "Branch_1/Conv3d_0a_1x1": self.branches[1][0],
            "Branch_1/Conv3d_0b_3x3": self.branches[1][1],
            "Branch_2/Conv3d_0a_1x1": self.branches[2][0],
            f"Branch_2/{last}": self.branches[2][1],
            "Branch_3/Conv3d_0b_1x1": self.branches[3][0],
        }

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        pooled = max_pool(inputs, (3, 3, 3), (1, 1, 1))
        outputs = [inputs, inputs, inputs, pooled]
        for i, branch in enumerate(self.branches):
            for unit in branch:
                outputs[i] = unit(outputs[i])
        return tf.concat(outputs, -1)


class Head(keras.layers.Layer):
    """Average pool and classifier, both averaged over time, in float32.

    The reference applies the classifier at each time and averages then; it is
    linear, so the result is the same.

    Args:
        num_classes: K.
        **kwargs: further arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, 7, 7, C], T >= 2.

    Returns:
        {"logits": [B, K], "average_pool": [B, C]}, float32.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.num_classes = num_classes

    def build(self, input_shape: tuple) -> None:
        shape = (1, 1, 1, input_shape[-1], self.num_classes)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer="zeros"
        )
        self.bias = self.add_weight(
            name="bias", shape=shape[-1:], initializer="zeros"
        )

    def call(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        pooled = tf.nn.avg_pool3d(inputs, [1, 2, 7, 7, 1], [1] * 5, "VALID")
        features = tf.reduce_mean(pooled, [1, 2, 3])
        logits = tf.matmul(features, self.kernel[0, 0, 0]) + self.bias
        return {"logits": logits, "average_pool": features}


class I3D(keras.Model):
    """I3D for RGB, without optical flow, for inference.

    Args:
        num_classes: K, 400 or 600 for the two Kinetics.
        **kwargs: further arguments of `keras.Model`; `dtype="bfloat16"`
            computes everything but the head in bfloat16.

    Attributes:
        units: the layers with weights by their names in the checkpoint.

    Call arguments:
        inputs: videos in [-1, 1], [B, T, 224, 224, 3] with T >= 9.

    Returns:
        {"logits": [B, K], "average_pool": [B, 1024]}, float32, averages over
        time.

    Raises:
        ValueError: if the videos have another shape.
    """

    def __init__(self, num_classes: int = 400, **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        dtype = self.dtype_policy
        self.stem = Unit3D(64, 7, strides=2, dtype=dtype)
        self.conv_2b = Unit3D(64, 1, dtype=dtype)
        self.conv_2c = Unit3D(192, 3, dtype=dtype)
        self.blocks = {
            name: InceptionBlock(
                filters, odd_name=name == "Mixed_5b", dtype=dtype, name=name
            )
            for name, filters in _BLOCKS.items()
        }
        self.head = Head(num_classes)

    @property
    def units(self) -> dict[str, Unit3D]:
        units = {
            "Conv3d_1a_7x7": self.stem,
            "Conv3d_2b_1x1": self.conv_2b,
            "Conv3d_2c_3x3": self.conv_2c,
        }
        for name, block in self.blocks.items():
            units |= {f"{name}/{k}": unit for k, unit in block.units.items()}
        return units | {"Logits/Conv3d_0c_1x1": self.head}

    def call(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        check_shape(inputs.shape)
        if inputs.shape[1] is None:
            enough = tf.debugging.assert_greater_equal(
                tf.shape(inputs)[1], MIN_FRAMES, "I3D takes 9 frames or more."
            )
            with tf.control_dependencies([enough]):
                inputs = tf.identity(inputs)
        x = max_pool(self.stem(inputs), (1, 3, 3), (1, 2, 2))
        x = self.conv_2c(self.conv_2b(x))
        x = max_pool(x, (1, 3, 3), (1, 2, 2))
        for name, block in self.blocks.items():
            if name == "Mixed_4b":
                x = max_pool(x, (3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                x = max_pool(x, (2, 2, 2), (2, 2, 2))
            x = block(x)
        return self.head(x)


def max_pool(
    inputs: tf.Tensor, window: Sequence[int], strides: Sequence[int]
) -> tf.Tensor:
    """Max-pools [B, T, H, W, C] with TensorFlow's "same" padding.

    Args:
        inputs: [B, T, H, W, C].
        window: size of the window along time, height and width.
        strides: strides along time, height and width.
    """
    window, strides = [1, *window, 1], [1, *strides, 1]
    return tf.nn.max_pool3d(inputs, window, strides, "SAME")


def check_shape(shape: tf.TensorShape) -> None:
    """Raises ValueError unless I3D takes videos of this shape.

    Args:
        shape: static, [B, T, H, W, 3]; B and T may be unknown.
    """
    frame = (INPUT_SIZE, INPUT_SIZE, 3)
    if len(shape) != 5 or tuple(shape[2:]) != frame:
        raise ValueError(
            f"I3D takes videos [batch, frames, {INPUT_SIZE}, {INPUT_SIZE}, 3]; "
            f"received the shape {tuple(shape)}. Resize them first."
        )
    check_num_frames(shape[1])


def check_num_frames(num_frames: int | None) -> None:
    """Raises ValueError unless I3D takes that many; None is unknown."""
    if num_frames is not None and num_frames < MIN_FRAMES:
        raise ValueError(
            f"I3D takes {MIN_FRAMES} frames or more, since its last pool is "
            f"empty for fewer; received {num_frames}."
        )
