"""Whether a protocol fits the replicas, the clips and the generator."""


def check_batches(protocol, replicas):
    """Raises ValueError unless batches can be divided among the replicas."""
    for name in ("batch_size", "standing_statistics_batch_size"):
        value = getattr(protocol, name)
        if value % replicas:
            raise ValueError(
                f"Protocol.{name} must be a multiple of the {replicas} "
                f"replicas. Received: {value}."
            )


def check_frames(protocol, num_frames, available, what):
    """Raises ValueError unless there are as many frames as are measured.

    Args:
        protocol: a `Protocol`.
        num_frames: of each clip that are measured.
        available: how many there are.
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


def check_generator(protocol, num_frames, generator):
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
