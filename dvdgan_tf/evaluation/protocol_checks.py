"""Whether a protocol fits the replicas, the clips and the generator."""

from dvdgan_tf.evaluation.protocol import Protocol


def check_batches(protocol: Protocol, replicas: int) -> None:
    """Raises ValueError unless batches can be divided among the replicas."""
    for name in ("batch_size", "standing_statistics_batch_size"):
        value = getattr(protocol, name)
        if value % replicas:
            raise ValueError(
                f"Protocol.{name} must be a multiple of the {replicas} "
                f"replicas. Received: {value}."
            )


def check_frames(
    protocol: Protocol, num_frames: int, available: int, what: str
) -> None:
    """Raises ValueError unless there are as many frames as are measured.

    Args:
        protocol: a `Protocol`.
        num_frames: frames of each clip that are measured.
        available: number of frames that there are.
        what: name of that number.
    """
    if available < num_frames:
        raise ValueError(
            f"The protocol {protocol.name!r} measures {num_frames} frames, and "
            f"{what} is {available}; use a protocol for as many, such as that "
            "of gin/fvd.gin."
        )
    given = protocol.conditioning_frames
    if num_frames <= given:
        raise ValueError(
            f"The protocol {protocol.name!r} measures {num_frames} frames, of "
            f"which {given} are given; at least one more must be predicted."
        )


def check_generator(protocol: Protocol, num_frames: int, generator) -> None:
    """Raises ValueError unless it makes, or predicts, what is measured."""
    given = protocol.conditioning_frames
    if generator.conditioning_frames != given:
        raise ValueError(
            f"The protocol {protocol.name!r} gives {given} conditioning "
            "frames, and the generator takes "
            f"{generator.conditioning_frames}; gin/prediction_fvd.gin is for "
            "all runs of frame prediction, gin/fvd.gin for all others."
        )
    if not given:
        check_frames(
            protocol, num_frames, generator.num_frames, "Generator.num_frames"
        )


def check_best(metric: str, protocol: Protocol) -> None:
    """Whether the best checkpoint can be found by a metric.

    Args:
        metric: "protocol/name".
        protocol: the `Protocol` to be measured.

    Raises:
        ValueError: the protocol has no such metric, or not without truncation.
    """
    names = [getattr(m, "names", None) for m in protocol.measures]
    # Somebody's own measures need not say what they report.
    known = [f"{protocol.name}/{n}" for found in names for n in found or ()]
    if None not in names and metric not in known:
        raise ValueError(
            f"The protocol has no metric {metric!r} to find the best "
            f"checkpoint by; it has {', '.join(known)}."
        )
    if 1.0 not in protocol.truncations:
        raise ValueError(
            "The best checkpoint is found at truncation 1.0, which is not in "
            f"Protocol.truncations. Received: {protocol.truncations}."
        )
