"""What determines a number, but for the clips measured."""

import dataclasses

import gin


@gin.register
@dataclasses.dataclass(frozen=True)
class Protocol:
    """All that determines a number, but for the clips measured.

    Attributes:
        name: name that the results bear.
        network: factory of the feature network (see `features`).
        measures: functions of `measures`.
        num_clips: number of generated clips; for predictions, of all samples
            together.
        num_real_clips: number of clips of the reference; None takes each clip
            of the dataset once.
        num_frames: number of frames of each clip that are measured, counted
            from the first; None measures all that the dataset is configured to
            have.
        conditioning_frames: C of frame prediction: number of real frames at the
            start that the generator continues; 0 for synthesis.
        samples_per_condition: number of continuations of each clip's first
            frames.
        quantize: whether generated clips are rounded to 256 values first.
        truncations: factors of z, above 0 and at most 1; each gives a result of
            its own.
        repeats: number of times that it is measured, each with clips generated
            anew.
        standing_statistics_batches: number of batches that the averaged
            generator's standing statistics are taken over.
        standing_statistics_batch_size: number of samples in each of these
            batches. It moves the variances, and with them all metrics.
        batch_size: number of clips per batch over all replicas.
        seed: seed of the choice of clips; repeats take those that follow.
        keep_features: number of clips whose features are kept in memory, for
            measures that need more than mean and covariance.
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
