"""The tables of docs/scaling.md, for any configurations, by arithmetic.

    python -m tools.flops.scaling_table gin/k600_64.gin gin/k600_64x48.gin

Nothing is trained and no weight gets a value: seconds, at any width. The
formulas are in docs/scaling.md.
"""

import itertools
import math
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import gin

from dvdgan_tf import config
from dvdgan_tf.frame_size import sides
from dvdgan_tf.training.summaries import count_parameters
from tools.benchmarks import classes
from tools.flops import flops, network_flops, shapes

GIB = 2**30
SECONDS_PER_DAY = 86_400
STEPS = 300_000
# Devices, and TFLOP/s that each is assumed to sustain.
CLUSTERS = ((8, 100), (64, 50))


class Configuration:
    """What a gin file describes, its networks without values.

    Args:
        gin_file: path of the gin file of a training configuration.
    """

    def __init__(self, gin_file):
        gin.clear_config()
        config.parse([gin_file], [])
        self.name = os.path.basename(gin_file).removesuffix(".gin")
        self.batch_size = gin.query_parameter("%BATCH_SIZE")
        self.d_steps = gin.get_bindings("Trainer")["d_steps"]
        self.generator, *self.discriminators = (
            shapes.network(
                gin.get_configurable(name),
                num_classes=classes.number(of_dataset=1),
            )
            for name in (
                "Generator",
                "SpatialDiscriminator",
                "TemporalDiscriminator",
            )
        )
        self.g_parameters = count_parameters(self.generator)
        self.d_parameters = sum(map(count_parameters, self.discriminators))
        self.count = flops.StepCount(
            self.generator,
            *self.discriminators,
            self.batch_size,
            self.d_steps,
        )

    def recomputed(self):
        """Share of the step that is evaluated again: N > 1, and RECOMPUTE."""
        g, *both = (_convolutions(n) for n in self.count.networks.values())
        # D's passes are of 2 batches in its updates, and of 1 in that of G.
        d = (self.d_steps + 0.5) * sum(both)
        return g / self.count.step, (g + d) / self.count.step

    def values(self):
        """Values that G's update keeps between segments, per video."""
        g = self.generator
        maps = sum(
            math.prod(size) * (3 * width + 8 * next_width)
            for size, width, next_width in self._groups()
        )
        return g.generated_frames * maps + self._encoder_values()

    def _groups(self):
        """Size, width that enters and width that leaves, for each group."""
        *sizes, _ = self.generator.group_sizes()
        pairs = itertools.pairwise(self.generator.widths)
        for size, pair in zip(sizes, pairs, strict=True):
            yield (size, *pair)

    def _encoder_values(self):
        """Blocks' outputs, those in use once more side by side, and states."""
        encoder = self.generator.frame_encoder
        if not encoder:
            return 0
        maps = [
            math.prod(block.pooled(size)) * block.channels
            for block, size, _ in network_flops.encoder_blocks(encoder)
        ]
        # Two blocks end at the seed's size, and the last one makes a state.
        used = [*maps[:-2], maps[-1]]
        states = sum(
            math.prod(size) * width for size, width, _ in self._groups()
        )
        return encoder.conditioning_frames * sum(maps + used) + states

    def video_gib(self, bytes_per_value):
        """GiB per video: the values, and the video in float32."""
        g = self.generator
        video = 4 * 3 * g.generated_frames * math.prod(sides(g.resolution))
        return (bytes_per_value * self.values() + video) / GIB

    def moments(self):
        """Bytes of batch norm's moments that a step reduces."""
        widths = self.generator.widths
        channels = sum(3 * c + after for _, c, after in self._groups())
        frames = self.generator.generated_frames
        return self._passes() * 2 * 4 * frames * (channels + widths[-1])

    def _passes(self):
        """Passes of G with batch statistics in a step, and the backward one."""
        return self.d_steps + 2

    def gradients(self):
        """Bytes of gradients that a step reduces."""
        return 4 * (self.g_parameters + self.d_steps * self.d_parameters)

    def reductions(self):
        """All-reduces of a step."""
        norms = len(self.generator.batch_norms())
        return self._passes() * norms + self.d_steps + 1

    def flop_per_byte(self, devices):
        """The step's FLOP per byte that is sent, each per device."""
        sent = 2 * (devices - 1) / devices * (self.gradients() + self.moments())
        return self.count.step / devices / sent


def _convolutions(network):
    """FLOP of a forward pass without dense layers and spectral norm."""
    return sum(p.forward for p in network.products if p.shape)


def _three_digits(value):
    return f"{float(f'{value:.3g}'):,.0f}"


def rows(configuration):
    """{table: cells} of one configuration."""
    c = configuration
    state = 16 * c.g_parameters + 12 * c.d_parameters
    days = []
    for devices, rate in CLUSTERS:
        seconds = c.count.step / (devices * rate * 1e12)
        days += [
            _three_digits(SECONDS_PER_DAY / seconds),
            f"{STEPS * seconds / SECONDS_PER_DAY:.1f}",
        ]
    return {
        "recomputation: N > 1, RECOMPUTE": [
            f"{100 * share:.0f} %" for share in c.recomputed()
        ],
        "memory: state GiB, values 1e6, GiB per video float32, bfloat16, "
        "64 videos bfloat16": [
            f"{state / GIB:.1f}",
            f"{c.values() / 1e6:.1f}",
            f"{c.video_gib(4):.3f}",
            f"{c.video_gib(2):.3f}",
            f"{64 * c.video_gib(2):.1f}",
        ],
        "communication: gradients GB, moments MB, reductions, "
        + ", ".join(f"FLOP per byte n = {n}" for n, _ in CLUSTERS): [
            f"{c.gradients() / 1e9:.2f}",
            f"{c.moments() / 1e6:.1f}",
            f"{c.reductions()}",
            *(_three_digits(c.flop_per_byte(n)) for n, _ in CLUSTERS),
        ],
        "steps: TFLOP per example, PFLOP per step, "
        + ", ".join(
            f"{n} devices at {rate}: steps per day, days for {STEPS:,}"
            for n, rate in CLUSTERS
        ): [
            f"{c.count.step / c.batch_size / 1e12:.1f}",
            f"{c.count.step / 1e15:.2f}",
            *days,
        ],
    }


def main(gin_files):
    """Prints the tables."""
    if not gin_files or gin_files[0].startswith("-"):
        sys.exit(__doc__)
    try:
        found = {c.name: rows(c) for c in map(Configuration, gin_files)}
    except ValueError as error:
        sys.exit(f"error: {config.one_line(error)}")
    for table in next(iter(found.values())):
        print(f"\n{table}")
        for name, cells in found.items():
            print("| " + " | ".join([f"`{name}`", *cells[table]]) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
