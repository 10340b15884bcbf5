"""Predictions longer than trained: the output is given as frames again."""

import tensorflow as tf


def num_passes(num_frames, conditioning_frames, generated_frames):
    """How often `roll_out` predicts.

    Args:
        num_frames: frames of the whole clip, more than `conditioning_frames`.
        conditioning_frames: C.
        generated_frames: T - C, of one pass.
    """
    return -(-(num_frames - conditioning_frames) // generated_frames)


def roll_out(predict, z, y, frames, num_frames):
    """Continues frames to any length.

    The last C frames so far are the conditioning frames of the next pass,
    with z of its own. So every pass is of the time steps 0 to T - C - 1, and
    there are batch norm statistics for each: that is how statistics of time
    steps that were never trained are avoided. Those of the generator are taken
    over real conditioning frames; from the second pass on they are its own.

    Args:
        predict: function of (z [B, z_dim], y, frames [B, C, H, W, 3]), giving
            [B, T - C, H, W, 3].
        z: [B, passes, z_dim]; see `num_passes`.
        y: labels [B], or whatever `predict` takes.
        frames: [B, C, H, W, 3], the given frames.
        num_frames: int, of the whole clip; what is predicted beyond is cut.

    Returns:
        [B, num_frames, H, W, 3]: the given frames and their continuation.

    Raises:
        ValueError: the passes do not reach `num_frames`.
    """
    given, passes = frames.shape[1], z.shape[1]
    clip = frames
    for i in range(passes):
        clip = tf.concat([clip, predict(z[:, i], y, clip[:, -given:])], 1)
    if clip.shape[1] < num_frames:
        raise ValueError(
            f"z must be of more passes to continue {given} frames to "
            f"{num_frames}. Received: {passes}, which end at {clip.shape[1]}."
        )
    return clip[:, :num_frames]
