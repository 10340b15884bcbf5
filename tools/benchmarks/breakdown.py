"""Where a step's time goes: each layer of the networks, called alone."""

import itertools

import tensorflow as tf

from dvdgan_tf.frame_size import sides
from dvdgan_tf.layers.attention import SelfAttention
from tools.benchmarks.ceiling import seconds
from tools.flops.network_flops import encoder_blocks, encoder_fusions


def measure(trainer, step_count):
    """Times forward and backward of every layer on noise of its own shape.

    The gradients are those for inputs and weights, except that the first
    blocks of D have none for the video. G's layers see `batch_size` examples,
    those of D twice as many, as in an update of G, and of D.

    Args:
        trainer: a `Trainer` on one device.
        step_count: the `flops.StepCount` of that trainer.

    Returns:
        [{"layer", "ms", "gflop", "gflops"}]: milliseconds, FLOP in 1e9 of
        the layer's own arithmetic (spectral norm included) and FLOP/s in
        1e9, in the order of the networks.
    """
    calls = (
        ("G", _generator_calls(trainer)),
        ("D_S", _discriminator_calls(trainer, trainer.d_spatial)),
        ("D_T", _discriminator_calls(trainer, trainer.d_temporal)),
    )
    rows = []
    for name, layers in calls:
        for layer_name, layer, inputs, call in layers:
            flop = _flop(step_count.networks[name], layer_name)
            run = _forward_and_backward(trainer, layer, inputs, call)
            elapsed = seconds(run, repeats=3)
            rows.append(
                {
                    "layer": f"{name}/{layer_name}",
                    "ms": 1e3 * elapsed,
                    "gflop": flop / 1e9,
                    "gflops": flop / elapsed / 1e9,
                }
            )
    return rows


def _flop(network, layer):
    return sum(
        p.forward + p.weights + (not p.reads_video) * p.inputs
        for p in network.products
        if p.layer == layer
    )


def _forward_and_backward(trainer, layer, inputs, call):
    """A function without arguments that runs a layer and its gradients."""
    weights = [v.value for v in layer.trainable_variables]
    reads_video = getattr(layer, "first", False)

    @tf.function(jit_compile=trainer.jit_compile)
    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = call(layer, *inputs)
        sources = [*weights, *([] if reads_video else inputs)]
        # As large as the outputs: sums would let constant gradients fold.
        return tape.gradient(outputs, sources, output_gradients=outputs)

    return lambda: run(inputs)


def _noise(layer, *shape):
    return tf.cast(tf.random.normal(shape), layer.compute_dtype)


def _generator_calls(trainer):
    """(name, layer, inputs, how to call it) of each layer of G but seed."""
    g, batch = trainer.generator, trainer.batch_size
    if g.frame_encoder:
        yield from _encoder_calls(g.frame_encoder, batch)
    condition = _noise(g, batch, g.z_dim + g.embedding_dim)

    def video(size, width, frames=g.generated_frames):
        return _noise(g, batch, frames, *size, width)

    def recurrent(layer, x, state=None):
        steps = dict(num_frames=g.generated_frames, initial_state=state)
        return layer(x, **steps, training=True)

    def block(layer, x, c):
        return layer(x, c, training=True)

    def head(_, x, c):
        x = tf.nn.relu(g.head_norm(x, c, training=True))
        return g.head(x, training=True)

    for group, (size, next_size), (width, next_width) in zip(
        g.groups,
        itertools.pairwise(g.group_sizes()),
        itertools.pairwise(g.widths),
        strict=True,
    ):
        unit, *blocks = group[:3]
        x = video(size, width)
        first = video(size, width, 1) if group is g.groups[0] else x
        state = _noise(g, batch, *size, width)
        inputs = [first, state] if g.frame_encoder else [first]
        yield unit.name, unit, inputs, recurrent
        for layer in blocks:
            yield layer.name, layer, [x, condition], block
        for layer in group[3:]:
            yield layer.name, layer, [video(next_size, next_width)], _call
    # Two layers, whose weights are taken together.
    both = _Layers(g.head_norm, g.head)
    frames = video(sides(g.resolution), g.widths[-1])
    yield "head", both, [frames, condition], head


def _encoder_calls(encoder, batch):
    """(name, layer, inputs, how to call it) of each layer of the encoder."""
    frames = encoder.conditioning_frames
    for block, size, width in encoder_blocks(encoder):
        inputs = [_noise(encoder, batch, frames, *size, width)]
        yield f"frame_encoder/{block.name}", block, inputs, _call
    for fusion, size, width in encoder_fusions(encoder):
        inputs = [_noise(encoder, batch, *size, frames * width)]
        yield f"frame_encoder/{fusion.name}", fusion, inputs, _call


def _discriminator_calls(trainer, d):
    """(name, layer, inputs, how to call it) of each block of D_S or D_T."""
    spatial = d is trainer.d_spatial
    frames = d.k if spatial else trainer.generator.num_frames
    width = 3
    for layer, size in d.sized_blocks():
        shape = (2 * trainer.batch_size, frames, *size, width)
        yield layer.name, layer, [_noise(d, *shape)], _call
        if not isinstance(layer, SelfAttention):
            frames //= layer.time_pool
            width = layer.channels


def _call(layer, x):
    return layer(x, training=True)


class _Layers:
    def __init__(self, *layers):
        self.trainable_variables = [
            v for layer in layers for v in layer.trainable_variables
        ]
