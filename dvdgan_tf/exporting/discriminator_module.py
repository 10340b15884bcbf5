"""D_S and D_T as a module that no longer needs this package, once saved."""

from collections.abc import Callable

import keras
import tensorflow as tf

from dvdgan_tf import named_variables
from dvdgan_tf.frame_size import sides
from dvdgan_tf.generation.input_checks import checked
from dvdgan_tf.layers.spectral_norm import spectral_weights
from dvdgan_tf.run_folder import RunConfig


class DiscriminatorModule(tf.Module):
    """Scores videos as in training, for fine-tuning and for choosing samples.

    Args:
        d_spatial: a built `SpatialDiscriminator` with folded weights (see
            `SpectralWeight.fold`); read, not kept.
        d_temporal: a built `TemporalDiscriminator`, likewise.
        generator: the `Generator` that they judge.
    """

    def __init__(
        self,
        d_spatial: keras.Model,
        d_temporal: keras.Model,
        generator: keras.Model,
    ) -> None:
        super().__init__(name="dvdgan_discriminators")
        trainable = [
            *d_spatial.trainable_variables,
            *d_temporal.trainable_variables,
        ]
        self._weights = [
            tf.Variable(v.numpy(), name=v.path.replace("/", "_"))
            for v in trainable
        ]
        given, generated = (
            generator.conditioning_frames,
            generator.generated_frames,
        )

        # In a closure: attributes would put Keras objects into the file.
        def run(weights, inputs):
            videos, y = inputs["videos"], inputs["y"]
            noise = tf.random.stateless_uniform(
                [tf.shape(videos)[0], generated + 2], inputs["seed"]
            )
            scope = keras.StatelessScope(
                list(zip(trainable, weights, strict=True))
            )
            with scope:
                frames = d_spatial.draw_frames(videos[:, given:], noise[:, :-2])
                crops = d_temporal.draw_crop(videos, noise[:, -2:])
                return {
                    "spatial": d_spatial(frames, y),
                    "temporal": d_temporal(crops, y),
                }

        self._run = run
        self._num_classes = generator.num_classes
        size = sides(generator.resolution)
        self._specs = {
            "videos": tf.TensorSpec(
                [None, generator.num_frames, *size, 3],
                tf.float32,
                "videos",
            ),
            "y": tf.TensorSpec([None], tf.int32, "y"),
            "seed": tf.TensorSpec([2], tf.int32, "seed"),
        }

    @tf.function
    def __call__(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Scores videos: the higher, the more real.

        Args:
            inputs: dict of

                videos  float32 [B, T, H, W, 3] in [-1, 1]; in prediction the
                        conditioning frames are part of them
                y       int32 [B], class ids
                seed    int32 [2], of the frames that D_S draws

        Returns:
            {"spatial": [B], "temporal": [B]}, float32.
        """
        inputs = checked(inputs, self._specs, self._num_classes)
        weights = [tf.convert_to_tensor(v) for v in self._weights]
        return self._run(weights, inputs)

    def concrete(self) -> Callable:
        """`__call__` for any batch size."""
        return self.__call__.get_concrete_function(dict(self._specs))


def of_run(run: RunConfig) -> DiscriminatorModule:
    """Makes a module of both discriminators of a run.

    Args:
        run: what `config.of_run` yields, inside of its context.

    Raises:
        ValueError: the checkpoint does not fit.
    """
    count = len(run.class_names)
    d_spatial = run.bindings["spatial_discriminator"](num_classes=count)
    d_temporal = run.bindings["temporal_discriminator"](num_classes=count)
    for network in (d_spatial, d_temporal):
        network.build()
        variables = {v.path: v for v in network.variables}
        checkpoint = named_variables.checkpoint_of(variables)
        named_variables.restore(
            checkpoint, variables, run.checkpoint, all_of_it=False
        )
        for weight in spectral_weights(network):
            # As in training: u is that of the last step.
            weight.fold(power_iterations=0)
    generator = run.bindings["generator"](num_classes=count)
    return DiscriminatorModule(d_spatial, d_temporal, generator)
