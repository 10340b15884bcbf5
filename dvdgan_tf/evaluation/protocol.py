"""What determines a number, but for the clips measured."""

import dataclasses

import gin


@gin.register
@dataclasses.dataclass(frozen=True)
class Protocol:
    """All that determines a number, but for the clips measured.

    Attributes:
        name: what its results are called.
        network: factory of the feature network (see `features`).
        measures: functions of `measures`.
        num_clips: generated clips; of predictions, all samples.
        num_real_clips: clips of the reference; None: each clip of the dataset
            once.
        num_frames: the first that many frames of each clip are measured;
            None: all that the dataset is configured to have.
        conditioning_frames: C of frame prediction: the first frames of real
            clips, which the generator continues; 0 for synthesis.
        samples_per_condition: continuations of each clip's first frames.
        quantize: whether generated clips are rounded to 256 values first.
        truncations: what z is multiplied by, each a result of its own.
        repeats: with how many draws of generated clips it is repeated.
        standing_statistics_batches: for the averaged generator's batch norm.
        standing_statistics_batch_size: samples in each of them; moves the
            variances, and with them all metrics.
        batch_size: clips at a time over all replicas.
        seed: seed of the choice of clips; repeats take those that follow.
        keep_features: clips whose features are kept in memory, for measures
            that need more than mean and covariance.
    """

    name: str
    network: object
    measures: tuple
    num_clips: int
    num_real_clips: int | None = None
    num_frames: int | None = None
    conditioning_frames: int = 0
    samples_per_condition: int = 1
    quantize: bool = True
    truncations: tuple = (1.0,)
    repeats: int = 1
    standing_statistics_batches: int = 16
    standing_statistics_batch_size: int = 64
    batch_size: int = 8
    seed: int = 0
    keep_features: int = 10_000

    def __post_init__(self):
        for name in (
            "num_clips",
            "num_real_clips",
            "num_frames",
            "samples_per_condition",
            "repeats",
            "batch_size",
            "standing_statistics_batches",
            "standing_statistics_batch_size",
            "keep_features",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(
                    f"Protocol.{name} must be at least 1. Received: {value}."
                )
        levels = self.truncations
        if not levels or not all(0 < level <= 1 for level in levels):
            raise ValueError(
                "Protocol.truncations must be one or more, above 0 and at most "
                f"1. Received: {levels}."
            )
        self._check_prediction()

    def _check_prediction(self):
        if self.conditioning_frames < 0:
            raise ValueError(
                "Protocol.conditioning_frames must be at least 0. Received: "
                f"{self.conditioning_frames}."
            )
        if self.samples_per_condition > 1 and not self.conditioning_frames:
            raise ValueError(
                "Protocol.samples_per_condition is of frame prediction; set "
                "Protocol.conditioning_frames, too. Received: "
                f"{self.samples_per_condition}."
            )
        if self.num_clips % self.samples_per_condition:
            raise ValueError(
                "Protocol.num_clips must be a multiple of its "
                f"samples_per_condition, {self.samples_per_condition}. "
                f"Received: {self.num_clips}."
            )
