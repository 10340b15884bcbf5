"""C3D fine-tuned on UCF-101, the network of that set's Inception Score."""

import gin
import keras
import numpy as np
import tensorflow as tf

from dvdgan_tf.features import c3d_weights

# Convolutions and the window and stride of the pool behind them.
_STAGES = (
    (("conv1a",), (1, 2, 2)),
    (("conv2a",), (2, 2, 2)),
    (("conv3a", "conv3b"), (2, 2, 2)),
    (("conv4a", "conv4b"), (2, 2, 2)),
    (("conv5a", "conv5b"), (2, 2, 2)),
)

# Where the crop of 112x112 begins in the mean clip's 128x171, or in frames of
# 128x128: rows, columns of the mean.
_CORNERS = {"tgan2": (8, 8), "tgan": (8, 29)}
_TGAN_SIZE = 128


@gin.register
class C3D(keras.layers.Layer):
    """Class logits of 16 frames, by the network that the field shares.

    Eight 3x3x3 convolutions, each with a ReLU; max pools of 1x2x2 behind
    conv1a and of 2x2x2 behind conv2a, conv3b, conv4b and conv5b; three dense
    layers, ReLU between them. The last pool turns 2x7x7 into 1x4x4: its
    windows begin at 0, 2, 4 and 6, and the last ones reach over the edge.
    (Chainer's `cover_all`, Caffe's rounding up, TensorFlow's "same"; ports to
    PyTorch that pad before and behind place them at -1, 1, 3 and 5.) Dropout
    is off, so it is left out.

    What is published differs in how frames become its input:

    - "tgan2", the default: squashed to 112x112, bilinear with corners
      aligned (Chainer's `resize_images`), less rows and columns 8 to 119 of
      the mean clip, which are not its centre. TGANv2's class
      `C3DVersion1UCF101`; StyleGAN-V's weights are converted from it and
      MAGVIT's evaluation does the same.
    - "tgan": squashed to 128x128, bicubic (OpenCV's, with A = -0.75 and no
      anti-aliasing), less the mean clip's centre, cropped to the central
      112x112. TGAN's `calc_inception.py`; MoCoGAN used that code. There,
      dropout stays on while scoring, since `with a and b` enters only b;
      here it is off, as in TGANv2.

    Pixels are the decoded values, 0 to 255, as both take real videos. Their
    generated ones, in [-1, 1], become 128 x + 128, up to 256: 0.4 % more than
    127.5 x + 127.5. Neither rounds.

    How many samples are scored differs too: 9,984 at once in TGAN (10,000 in
    whole batches of 48), the mean and standard deviation of 10 sets of 2,048
    in TGANv2, of 2,048 in 10 parts in StyleGAN-V, of 4 sets of 10,000 in
    MAGVIT.

    On GPUs TensorFlow multiplies in TF32 unless
    `tf.config.experimental.enable_tensor_float_32_execution(False)` is
    called first.

    Args:
        weights: path of `conv3d_deepnetA_ucf.npz`; the layers are as wide as
            its arrays, see `read_weights`.
        mean: path of `mean2.npz`, see `read_mean`. Both are published at
            https://github.com/rezoo/tgan2/releases/tag/v1.0 and do not come
            with this package.
        preprocessing: "tgan2" or "tgan", as above.

    Attributes:
        checksum: sha256 of the weights and the mean, see
            `c3d_weights.checksum`.
        preprocessing: the argument.
        num_frames: 16, of each clip.
        input_size: 112, height and width of the input in pixels.
        outputs: the keys of what a call returns.

    Call arguments:
        inputs: what `preprocess` returned, float32 [B, 16, 112, 112, 3].

    Returns:
        {"logits": float32 [B, 101]}, before the softmax.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file does not hold what it should.

    References:
        Tran et al., "Learning Spatiotemporal Features with 3D Convolutional
        Networks", 2015; the weights are theirs, trained on Sports-1M and then
        on UCF-101's train split 1, converted from Caffe by TGAN's authors.
        Saito, Matsumoto, Saito, "Temporal Generative Adversarial Nets with
        Singular Value Clipping" (TGAN), 2017; github.com/pfnet-research/tgan
        and /tgan2, commits d6e01a2 and d83018c.
    """

    num_frames = 16
    input_size = 112
    outputs = ("logits",)

    def __init__(self, weights, mean, preprocessing="tgan2"):
        if preprocessing not in _CORNERS:
            raise ValueError(
                'preprocessing must be "tgan2" or "tgan". Received: '
                f"{preprocessing!r}."
            )
        super().__init__(name="c3d-ucf101", dtype="float32", trainable=False)
        arrays = c3d_weights.read_weights(weights)
        mean = c3d_weights.read_mean(mean)
        self.checksum = c3d_weights.checksum(arrays, mean)
        self.preprocessing = preprocessing
        self._layers_in_order = _layers(arrays)
        self._load(arrays)
        top, left = _CORNERS[preprocessing]
        crop = mean[:, :, top : top + 112, left : left + 112]
        self._mean = self.add_weight(
            shape=(16, 112, 112, 3), initializer="zeros", name="mean"
        )
        self._mean.assign(crop.transpose(1, 2, 3, 0))

    def preprocess(self, frames):
        """Turns frames into the network's input.

        Args:
            frames: uint8 or float RGB in [0, 255], [B, 16, H, W, 3] with H
                and W known.

        Returns:
            float32 [B, 16, 112, 112, 3]: BGR, less the mean clip.

        Raises:
            ValueError: the shape or type is another.
        """
        frames = tf.convert_to_tensor(frames)
        _check_frames(frames)
        frames = tf.cast(frames, tf.float32)
        if self.preprocessing == "tgan2":
            frames = _resize(frames, self.input_size, _bilinear_taps)
        else:
            frames = _resize(frames, _TGAN_SIZE, _bicubic_taps)
            first = (_TGAN_SIZE - self.input_size) // 2
            central = slice(first, first + self.input_size)
            frames = frames[:, :, central, central]
        return frames[..., ::-1] - self._mean

    def call(self, inputs):
        outputs = inputs
        for layer in self._layers_in_order:
            outputs = layer(outputs)
        return {"logits": outputs}

    def _load(self, arrays):
        shape = (None, self.num_frames, self.input_size, self.input_size, 3)
        for layer in self._layers_in_order:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
            if layer.name in (
                *c3d_weights.CONVOLUTIONS,
                *c3d_weights.DENSE_LAYERS,
            ):
                kernel = _kernel(layer.name, arrays[f"{layer.name}/W"])
                layer.set_weights([kernel, arrays[f"{layer.name}/b"]])


def _layers(arrays):
    options = {"dtype": "float32", "kernel_initializer": "zeros"}
    layers = []
    for number, (names, window) in enumerate(_STAGES, start=1):
        for name in names:
            layers.append(
                keras.layers.Conv3D(
                    len(arrays[f"{name}/b"]),
                    3,
                    padding="same",
                    activation="relu",
                    name=name,
                    **options,
                )
            )
        layers.append(
            keras.layers.MaxPooling3D(
                window, padding="same", dtype="float32", name=f"pool{number}"
            )
        )
    layers.append(keras.layers.Flatten(dtype="float32"))
    for name in c3d_weights.DENSE_LAYERS:
        activation = None if name == "fc8" else "relu"
        units = len(arrays[f"{name}/b"])
        layers.append(
            keras.layers.Dense(
                units, activation=activation, name=name, **options
            )
        )
    return layers


def _kernel(name, array):
    """A kernel of Chainer's layout, channels first, in TensorFlow's."""
    if name in c3d_weights.CONVOLUTIONS:
        return array.transpose(2, 3, 4, 1, 0)
    if name == "fc6":
        # Its rows follow the flattened [C, T, H, W]; here it is [T, H, W, C].
        array = array.reshape(len(array), -1, *c3d_weights.LAST_SIZE)
        return array.transpose(2, 3, 4, 1, 0).reshape(-1, len(array))
    return array.T


def _check_frames(frames):
    shape = frames.shape
    if shape.rank != 5 or shape[1] != 16 or shape[-1] != 3:
        raise ValueError(
            "C3D takes RGB clips of 16 frames, [batch, 16, height, width, 3]. "
            f"Received: {shape}."
        )
    if None in shape[2:4]:
        raise ValueError(
            "C3D needs to know the frames' height and width; set them with "
            f"tf.ensure_shape. Received: {shape}."
        )
    if not (frames.dtype.is_floating or frames.dtype == tf.uint8):
        raise ValueError(
            "C3D takes frames as uint8 or float in [0, 255]. Received: "
            f"{frames.dtype.name}."
        )


def _resize(frames, size, taps):
    # By taps and not by matrices, which GPUs would multiply in TF32.
    for axis in (2, 3):
        indices, weights = taps(frames.shape[axis], size)
        frames = tf.add_n(
            [
                tf.gather(frames, indices[:, k], axis=axis)
                * weights[:, k].reshape((size,) + (1,) * (4 - axis))
                for k in range(indices.shape[1])
            ]
        )
    return frames


def _bilinear_taps(source, size):
    """Pixels to read, and their weights, [size, 2]; corners are aligned."""
    positions = np.linspace(0, source - 1, size)[:, None]
    indices = np.floor(positions) + np.arange(2)
    weights = 1 - np.abs(positions - indices)
    return _inside(indices, source), weights.astype(np.float32)


def _bicubic_taps(source, size):
    """Pixels to read, and their weights, [size, 4]: OpenCV's INTER_CUBIC."""
    positions = ((np.arange(size) + 0.5) * source / size - 0.5)[:, None]
    indices = np.floor(positions) + np.arange(-1, 3)
    x, a = np.abs(positions - indices), -0.75
    weights = np.where(
        x <= 1,
        ((a + 2) * x - (a + 3)) * x**2 + 1,
        a * (((x - 5) * x + 8) * x - 4),
    )
    return _inside(indices, source), weights.astype(np.float32)


def _inside(indices, source):
    return np.clip(indices, 0, source - 1).astype(np.int32)
