"""Which results inside a network are kept for gradients, and which not.

A network is a chain of segments: functions of nothing but their arguments.
What passes from one segment to the next is kept. What is inside is kept, too,
recomputed for the gradient, or exists for one part of the batch at a time.
None of this changes a result: batch norm takes its statistics between the
segments, of the whole batch, and weights are normalised outside of them.

A batch may also be in shards: a list of tensors [B / shards, ...], whose
segments depend on nothing of each other. On a CPU they run side by side, one
per thread, where the small operations of a narrow network gain little from
several threads each.
"""

import functools

import tensorflow as tf

# Into how many parts frames are divided at most where they are recomputed.
_MOST_PARTS = 8


def shard(x, shards):
    """Splits [B, ...] into a list of shards; with one, x stays as it is."""
    return tf.split(x, shards) if shards > 1 else x


def for_shards(function, *examples):
    """Calls a function with each shard of its arguments.

    Args:
        function: takes tensors [B, ...] and returns one.
        *examples: tensors, or lists of as many shards each.

    Returns:
        What `function` returns, or a list of it.
    """
    if not isinstance(examples[0], list):
        return function(*examples)
    return [function(*shards) for shards in zip(*examples, strict=True)]


def join(x):
    """[B, ...] from a tensor, or from its shards."""
    return tf.concat(x, 0) if isinstance(x, list) else x


def run_segment(function, examples, parameters, recompute=False, parts=1):
    """Returns `function(*examples, parameters)`.

    Args:
        function: of `examples` and `parameters` only; whatever it needs a
            gradient for must be among them. It returns one tensor [B, ...]
            of the type of the first example.
        examples: tensors [B, ...], where `parts` > 1 of static shape, or
            all of them in shards.
        parameters: tensors, nested as `function` takes them.
        recompute: whether the gradient evaluates `function` again instead of
            keeping what is inside.
        parts: number of equal parts of the batch that are evaluated one after
            the other; more than one implies `recompute`.

    Returns:
        A tensor [B, ...], or its shards.
    """
    if isinstance(examples[0], list):
        run = functools.partial(run_segment, recompute=recompute, parts=parts)
        return for_shards(lambda *x: run(function, x, parameters), *examples)
    if parts > 1:
        return _in_parts(function, examples, parameters, parts)
    if not recompute:
        return function(*examples, parameters)
    return _recomputed(function, examples, parameters)


def run_segment_of_frames(
    function, examples, parameters, recompute=False, parts=1
):
    """`run_segment` for functions that treat each frame alone.

    The gradient of a frame's up-sampled maps takes more memory than all that
    is kept of it between the segments. So frames are recomputed in parts, too.

    Args:
        function: as in `run_segment`, of [B T, ...]: of frames, whatever clip
            they are from.
        examples: tensors [B, T, ...], where `recompute` or `parts` > 1 of
            static shape, or all of them in shards.
        parameters: as in `run_segment`.
        recompute: as in `run_segment`.
        parts: as in `run_segment`.

    Returns:
        A tensor [B, T, ...], or its shards.
    """
    if isinstance(examples[0], list):
        run = functools.partial(
            run_segment_of_frames, recompute=recompute, parts=parts
        )
        return for_shards(lambda *x: run(function, x, parameters), *examples)
    batch, frames = examples[0].shape[:2]
    if recompute and batch is not None:
        parts *= _parts_of(batch * frames // parts)
    flat = [tf.reshape(x, [-1, *x.shape[2:]]) for x in examples]
    outputs = run_segment(function, flat, parameters, recompute, parts)
    return tf.reshape(outputs, [-1, frames, *outputs.shape[1:]])


def run_recurrence(function, inputs, state, parameters):
    """Runs a recurrence over time whose gradient recomputes it.

    Time is divided into parts. Kept are the inputs and the states, which are
    the result; the gradient evaluates one part after the other again, the
    last one first.

    Args:
        function: returns the states [B, n, ...] of n steps, given their
            inputs [B, n, ...], the state [B, ...] before them and
            `parameters`; of these arguments only.
        inputs: [B, T, ...], T static.
        state: before the first step, [B, ...].
        parameters: tensors, nested as `function` takes them.

    Returns:
        The states of all steps, [B, T, ...].
    """

    def call(inputs, state, flat):
        packed = tf.nest.pack_sequence_as(parameters, flat)
        return function(inputs, state, packed)

    @tf.custom_gradient
    def run(inputs, state, *flat):
        parts = _parts_of(inputs.shape[1])
        split = _split_time(inputs, parts)
        states = _states_in_parts(call, split, state, flat)

        def gradient(upstream):
            # The state before each part.
            ends = _split_time(states, parts)[:, :-1, -1]
            before = tf.concat([state[:, None], ends], 1)
            upstream = _split_time(upstream, parts)
            return _gradients_through_time(call, split, before, flat, upstream)

        return states, gradient

    return run(inputs, state, *tf.nest.flatten(parameters))


def _parts_of(frames):
    """The largest number of equal parts that frames are divided into."""
    most = range(_MOST_PARTS, 0, -1)
    return next(parts for parts in most if frames % parts == 0)


def _recomputed(function, examples, parameters):
    flat = tf.nest.flatten(parameters)

    # All arguments are passed in flat: a gradient reaches those only.
    @tf.recompute_grad
    def recomputed(*args):
        packed = tf.nest.pack_sequence_as(parameters, args[len(examples) :])
        return function(*args[: len(examples)], packed)

    return recomputed(*examples, *flat)


def _in_parts(function, examples, parameters, parts):
    """`run_segment` in parts, forward and backward.

    Loops of our own: those of `tf.map_fn` and of its gradient would keep
    second copies of all that goes into them.
    """

    def call(part, flat):
        packed = tf.nest.pack_sequence_as(parameters, flat)
        return function(*part, packed)

    @tf.custom_gradient
    def run(*args):
        split = [_split(x, parts) for x in args[: len(examples)]]
        flat = list(args[len(examples) :])

        def gradient(upstream):
            return _gradients_in_parts(call, split, flat, upstream, parts)

        return _outputs_in_parts(call, split, flat, parts), gradient

    return run(*examples, *tf.nest.flatten(parameters))


def _outputs_in_parts(call, split, flat, parts):
    """The result, [B, ...].

    Args:
        call: function of a list of examples and of the flat parameters.
        split: the examples, [parts, B / parts, ...].
        flat: the parameters.
        parts: number of parts.
    """

    def body(i, outputs):
        return i + 1, outputs.write(i, call([x[i] for x in split], flat))

    _, outputs = tf.while_loop(
        lambda i, _: i < parts,
        body,
        (0, tf.TensorArray(split[0].dtype, parts)),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return _join(outputs.stack())


def _gradients_in_parts(call, split, flat, upstream, parts):
    """Gradients for examples [B, ...], then for the flat parameters.

    Args:
        call: function of a list of examples and of the flat parameters.
        split: the examples, [parts, B / parts, ...].
        flat: the parameters.
        upstream: gradient for the result, [B, ...].
        parts: number of parts.
    """
    upstreams = _split(upstream, parts)

    def body(i, arrays, sums):
        part = [x[i] for x in split]
        with tf.GradientTape() as tape:
            tape.watch([part, flat])
            outputs = call(part, flat)
        d_part, d_flat = tape.gradient(
            outputs,
            [part, flat],
            output_gradients=upstreams[i],
            unconnected_gradients="zero",
        )
        pairs = zip(arrays, d_part, strict=True)
        arrays = [array.write(i, d) for array, d in pairs]
        return i + 1, arrays, _add(sums, d_flat)

    arrays = [
        tf.TensorArray(x.dtype, parts, element_shape=x.shape[1:]) for x in split
    ]
    _, arrays, sums = tf.while_loop(
        lambda i, *_: i < parts,
        body,
        (0, arrays, _zeros(flat)),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return [*(_join(array.stack()) for array in arrays), *_cast(sums, flat)]


def _states_in_parts(call, split, state, flat):
    """The states of all steps, [B, T, ...].

    Args:
        call: function of inputs [B, n, ...], state and the flat parameters.
        split: all inputs, [B, parts, n, ...].
        state: before the first step, [B, ...].
        flat: the parameters.
    """
    parts = split.shape[1]

    def body(i, state, states):
        new = call(split[:, i], state, flat)
        return i + 1, new[:, -1], states.write(i, new)

    _, _, states = tf.while_loop(
        lambda i, *_: i < parts,
        body,
        (0, state, tf.TensorArray(state.dtype, parts)),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return _join_time(states.stack())


def _gradients_through_time(call, split, before, flat, upstream):
    """Gradients for inputs [B, T, ...], first state and flat parameters.

    Args:
        call: function of inputs [B, n, ...], state and the flat parameters.
        split: all inputs, [B, parts, n, ...].
        before: the states before each part, [B, parts, ...].
        flat: the parameters.
        upstream: gradient for the states, [B, parts, n, ...].
    """
    parts = split.shape[1]

    def body(i, d_state, d_inputs, sums):
        inputs, state = split[:, i], before[:, i]
        with tf.GradientTape() as tape:
            tape.watch([inputs, state, flat])
            states = call(inputs, state, flat)
            outputs = [states, states[:, -1]]
        d_input, d_state, d_flat = tape.gradient(
            outputs,
            [inputs, state, flat],
            output_gradients=[upstream[:, i], d_state],
            unconnected_gradients="zero",
        )
        return i - 1, d_state, d_inputs.write(i, d_input), _add(sums, d_flat)

    _, d_state, d_inputs, sums = tf.while_loop(
        lambda i, *_: i >= 0,
        body,
        (
            parts - 1,
            tf.zeros_like(before[:, 0]),
            tf.TensorArray(split.dtype, parts),
            _zeros(flat),
        ),
        maximum_iterations=parts,
        parallel_iterations=1,
    )
    return [_join_time(d_inputs.stack()), d_state, *_cast(sums, flat)]


def _zeros(flat):
    """Sums of gradients, in float32 whatever the parameters are."""
    return [tf.zeros(x.shape, tf.float32) for x in flat]


def _add(sums, gradients):
    pairs = zip(sums, gradients, strict=True)
    return [s + tf.cast(d, tf.float32) for s, d in pairs]


def _cast(sums, flat):
    return [tf.cast(s, x.dtype) for s, x in zip(sums, flat, strict=True)]


def _split(x, parts):
    """[B, ...] -> [parts, B / parts, ...]."""
    return tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]])


def _join(x):
    """[parts, b, ...] -> [parts b, ...]."""
    return tf.reshape(x, [x.shape[0] * x.shape[1], *x.shape[2:]])


def _split_time(x, parts):
    """[B, T, ...] -> [B, parts, T / parts, ...]."""
    return tf.reshape(x, [-1, parts, x.shape[1] // parts, *x.shape[2:]])


def _join_time(x):
    """[parts, B, n, ...] -> [B, parts n, ...]."""
    x = tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2], *x.shape[3:]])
