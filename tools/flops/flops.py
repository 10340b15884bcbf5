"""The arithmetic of one train step, counted from the architecture.

Two FLOP per multiply-add of convolutions, dense layers and other matrix
products (attention; the power iterations of the spectral norm). Element-wise
work is left out: activations, batch norm, resampling, optimizers, EMA. So is
the orthogonal regularisation, and everything computed twice: recomputed
activations, and whatever a program does more often than needed.

Two counts of the same model:

- done once, as little as the equations allow: 1x1 skips run on the small map;
  a 3x3 convolution followed by average pooling by 2 is one 4x4 convolution
  with stride 2 (in time likewise); the first recurrent unit's input, the same
  for all t, is convolved once; a first state of zeros is not convolved.
- as drawn: everything as the paper's figures have it, which is what other
  implementations do.

Backward, the gradient for a layer's inputs costs as much as its forward pass,
and so does that for its weights. An update of D runs G forward only, and needs
no gradient for the videos; that of G needs none for D's weights, and none for
the frames that are given to it in prediction.
"""

from tools.flops.network_flops import DiscriminatorCount, GeneratorCount


class StepCount:
    """FLOP of a train step: `d_steps` updates of D and one of G.

    Args:
        generator: a `Generator`.
        d_spatial: a `SpatialDiscriminator`.
        d_temporal: a `TemporalDiscriminator`.
        batch_size: examples per update.
        d_steps: updates of D.
        drawn: whether to count as drawn, instead of done once.
        padding: whether taps that meet zero padding count (see `Network`).

    Attributes:
        d_update: FLOP of one update of D.
        g_update: FLOP of the update of G.
        step: FLOP of a step.
        networks: {"G": its count at batch_size, "D_S": and "D_T": theirs at
            2 batch_size, real and fake}.
    """

    def __init__(
        self,
        generator,
        d_spatial,
        d_temporal,
        batch_size,
        d_steps=2,
        drawn=False,
        padding=True,
    ):
        how = dict(drawn=drawn, padding=padding)
        g = GeneratorCount(generator, batch_size, **how)

        def discriminators(size):
            return (
                DiscriminatorCount(d_spatial, d_spatial.k, size, **how),
                DiscriminatorCount(
                    d_temporal, generator.num_frames, size, **how
                ),
            )

        both = discriminators(2 * batch_size)
        self.d_update = g.forward() + sum(
            d.forward() + d.backward(videos=False) for d in both
        )
        self.g_update = g.forward() + g.backward(videos=False)
        self.g_update += sum(
            d.forward() + d.backward(weights=False)
            for d in discriminators(batch_size)
        )
        self.step = d_steps * self.d_update + self.g_update
        self.networks = dict(zip(("G", "D_S", "D_T"), (g, *both), strict=True))

    def by_layer(self):
        """FLOP of forward passes, such as {"G/4x4_block": ...}."""
        return {
            f"{name}/{layer}": flop
            for name, network in self.networks.items()
            for layer, flop in network.by_layer().items()
        }


def count(trainer, **how):
    """Returns the `StepCount` of a `Trainer`, over all its replicas."""
    return StepCount(
        trainer.generator,
        trainer.d_spatial,
        trainer.d_temporal,
        trainer.batch_size,
        trainer.d_steps,
        **how,
    )
