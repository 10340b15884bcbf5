"""A small classifier of clips, trained in seconds on a data set's own clips."""

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers


class ClipClassifier:
    """Tells the class of a clip.

    Three convolutions per frame, the maximum over space, so that it does not
    matter where in the frame something is; a convolution over time, the mean
    over time, and a linear layer. Everything random is a function of the seed.

    Args:
        num_classes: number of classes.
        shape: (T, H, W, 3), of a clip.
        width: channels after the first convolution; the others have 2, 4 and
            4 times as many.
        seed: int, of the initial weights.
    """

    def __init__(self, num_classes, shape, width=16, seed=0):
        self._seeds = iter(range(5 * seed, 5 * seed + 5))
        clips = keras.Input(shape)
        x = layers.Rescaling(1 / 127.5, -1.0)(clips)
        for factor, stride in ((1, 2), (2, 2), (4, 1)):
            x = self._convolution(x, factor * width, (1, 3, 3), stride)
        x = layers.MaxPooling3D((1, *x.shape[2:4]))(x)
        x = layers.Add()([x, self._convolution(x, 4 * width, (3, 1, 1), 1)])
        x = layers.GlobalAveragePooling3D()(x)
        initializer = keras.initializers.GlorotUniform(next(self._seeds))
        x = layers.Dense(num_classes, kernel_initializer=initializer)(x)
        self._network = keras.Model(clips, x)

    def _convolution(self, x, channels, kernel, stride):
        x = layers.Conv3D(
            channels,
            kernel,
            (1, stride, stride),
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(next(self._seeds)),
        )(x)
        # Its running averages must keep up with some hundred steps.
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    def train(self, batches, steps, learning_rate=1e-2):
        """Minimises the cross-entropy by Adam.

        Args:
            batches: `tf.data.Dataset` of (uint8 [b, T, H, W, 3], labels [b]).
            steps: number of updates.
            learning_rate: the first one; it falls to 0 along half a cosine.
        """
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        self._network.compile(
            keras.optimizers.Adam(rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self._network.fit(batches.take(steps), shuffle=False, verbose=0)

    def classes(self, videos):
        """Returns the most likely classes, integer [b].

        Args:
            videos: uint8 [b, T, H, W, 3].
        """
        logits = self._network(tf.convert_to_tensor(videos), training=False)
        return np.argmax(logits, -1)
