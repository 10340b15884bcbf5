"""The stream of training batches, a pure function of seed and position.

Every example depends on the seed and on its number in the stream, on nothing
else. A run therefore resumes from its step count alone, with no iterator to
save, and one replica or many see the same global batches.

Where the examples come from is a source, any object that has

    num_frames      int, T
    resolution      int, height and width of a clip in pixels, or the pair
    class_names     list of str
    prepare()       does what takes long, such as decoding; called once
    num_examples    int, N; this and what follows only once prepared
    label_counts    integer array [classes], the number of clips in each
    describe()      -> dict for JSON: all that the clips depend on
    load(index, seed) -> (uint8 [T, height, width, 3], int32 [])

and, where clips are to be held out (see `held_out`),

    other_split(split)  -> a source of another split; before it is prepared
    labels          integer array [N], the class of each clip
    files()         -> integer array [N]; clips of one file have one number

and, where clips may be damaged,

    skips_damaged   bool: whether `load` returns the label -1 for such a clip,
                    which the next clip of the epoch replaces
    replaced()      -> how many clips were replaced so far, and lines to print
                    about the damaged ones that no earlier call has told of

`load` runs inside `tf.data.Dataset.map`: `index` is an int64 scalar in
[0, N), `seed` is int32 [2] for the `tf.random.stateless_*` functions and all
the randomness that `load` may use, and the shapes it returns are static.
"""

from typing import Any

import tensorflow as tf

# One random stream for the order of the clips, another for what `load` draws.
_ORDER, _DRAWS = 0, 1
# Damaged clips in a row, after which the whole dataset is taken for damaged.
_TRIES = 100


def batches(
    source: Any,
    global_batch_size: int,
    seed: int,
    start_batch: int = 0,
    pipeline_id: int = 0,
    num_pipelines: int = 1,
    replicas_per_pipeline: int = 1,
) -> tf.data.Dataset:
    """Streams batches for ever.

    Global batch k holds the examples k B to (k + 1) B - 1 of the stream.
    Each pipeline (input host) takes one contiguous slice of it, cut into one
    batch for each of its replicas, in order.

    Args:
        source: gives the clips, as the top of this file describes.
        global_batch_size: B, examples over all replicas of all pipelines.
        seed: any integer; another seed gives another order and other draws.
        start_batch: number of the first global batch; those before it are
            not read.
        pipeline_id: number of this pipeline's slice, in [0, num_pipelines).
        num_pipelines: slices in a global batch.
        replicas_per_pipeline: batches in a slice.

    Returns:
        Infinite `tf.data.Dataset` of (uint8 [b, T, H, W, 3], int32 [b]), b =
        global_batch_size / (num_pipelines * replicas_per_pipeline). A global
        batch is `replicas_per_pipeline` elements of it.

    Raises:
        ValueError: the global batch does not divide among the replicas, or
            there is no such pipeline.
    """
    replicas = num_pipelines * replicas_per_pipeline
    if global_batch_size < 1 or global_batch_size % replicas:
        raise ValueError(
            "The global batch must be a positive multiple of the "
            f"{replicas} replicas. Received: "
            f"global_batch_size={global_batch_size}."
        )
    if not 0 <= pipeline_id < num_pipelines:
        raise ValueError(
            f"pipeline_id must be from 0 to {num_pipelines - 1}. Received: "
            f"pipeline_id={pipeline_id}."
        )
    slice_size = global_batch_size // num_pipelines

    def load(position):
        batch, offset = position // slice_size, position % slice_size
        return example(
            source,
            batch * global_batch_size + pipeline_id * slice_size + offset,
            seed,
        )

    positions = tf.data.Dataset.range(start_batch * slice_size, tf.int64.max)
    return (
        positions.map(load, tf.data.AUTOTUNE, deterministic=True)
        .batch(global_batch_size // replicas, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def example(
    source: Any, number: int | tf.Tensor, seed: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """One example of the stream.

    Every epoch of N examples holds each of the N clips once, in an order of
    its own. The clip that replaces a damaged one is a function of seed and
    number, too.

    Args:
        source: gives the clips, as the top of this file describes.
        number: int64 scalar, position in the stream, from 0.
        seed: any integer.

    Returns:
        What `source.load` returns: video, label.
    """
    size = tf.constant(source.num_examples, tf.int64)
    order = _fold(seed, _ORDER, number // size)
    draws = _fold(seed, _DRAWS, number)

    def load(later):
        index = tf.random.experimental.index_shuffle(
            (number + later) % size, order, size - 1
        )
        return source.load(index, draws)

    video, label = load(0)
    if getattr(source, "skips_damaged", False):
        video, label = _replace_damaged(load, video, label, size)
    return video, label


def _replace_damaged(load, video, label, size):
    """Takes the next clip of the epoch until one is not damaged.

    Args:
        load: function that loads the clip so many places later in the epoch.
        video: the clip whose place it is.
        label: the label of that clip, int32 scalar; -1 if it is damaged.
        size: number of clips in the epoch, int64 scalar.
    """
    tries = tf.minimum(size - 1, _TRIES)
    _, video, label = tf.while_loop(
        lambda later, _, label: (label < 0) & (later < tries),
        lambda later, *_: (later + 1, *load(later + 1)),
        [tf.constant(0, tf.int64), video, label],
    )
    message = tf.strings.join(
        [
            tf.strings.as_string(tries + 1),
            " clips in a row are damaged, more than others should replace; "
            "make the dataset again.",
        ]
    )
    found = tf.debugging.Assert(label >= 0, [message])
    with tf.control_dependencies([found]):
        return tf.identity(video), tf.identity(label)


def _fold(seed, stream, number):
    # Hashed to full-range numbers: near seeds must not give near draws.
    key = tf.constant([seed, stream], tf.int64)
    key = tf.random.fold_in(key, number)
    return tf.random.stateless_uniform([2], key, None, None, tf.int32)
