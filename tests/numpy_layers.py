"""Oracles of the layers and networks: the paper's equations in float64 NumPy.

Written from the paper, not from the code, and literally: no commuted
operations, no shared convolutions, one frame and one gate at a time.
"""

import itertools

import numpy as np


class Weights:
    """The values of a built layer's variables, by path below the layer.

    Args:
        layer: a built Keras layer, or a dict of values.
        iterations: power iterations that `normalized` runs.
    """

    def __init__(self, layer, iterations=0):
        if not isinstance(layer, dict):
            prefix = layer.path + "/"
            assert all(v.path.startswith(prefix) for v in layer.variables)
            layer = {
                v.path.removeprefix(prefix): v.numpy().astype("float64")
                for v in layer.variables
            }
        self.values = layer
        self.iterations = iterations

    def __getitem__(self, name):
        return self.values[name]

    def __contains__(self, prefix):
        return any(f"{k}/".startswith(f"{prefix}/") for k in self.values)

    def below(self, prefix):
        prefix += "/"
        values = {
            k.removeprefix(prefix): v
            for k, v in self.values.items()
            if k.startswith(prefix)
        }
        assert values, f"no variable below {prefix}"
        return Weights(values, self.iterations)

    def normalized(self, name):
        return spectral_normalize(
            self[name], self[f"{name}_u"], self.iterations
        )[0]


def randomize(layer, seed=0, noise=None):
    """Sets all variables but `momentum` to random values.

    Args:
        layer: a built Keras layer.
        seed: of the values.
        noise: if given, every u is the top singular vector plus this much
            noise, instead of any vector, as deep networks need: with random
            u, sigma is too small, and layer by layer activations explode.
    """
    rng = np.random.default_rng(seed)
    weights = {v.path: v for v in layer.variables}
    for variable in layer.variables:
        value = rng.normal(size=variable.shape)
        if variable.name == "momentum":
            continue
        if variable.name == "moving_variance":
            value = rng.uniform(0.5, 2.0, size=variable.shape)
        if variable.name.endswith("_u") and noise is not None:
            weight = weights[variable.path.removesuffix("_u")].numpy()
            weight = weight.reshape(-1, weight.shape[-1])
            top = np.linalg.svd(weight, full_matrices=False)[2][0]
            value = top + noise * value / np.linalg.norm(value)
        variable.assign(value)


def values(layer):
    """Copies of all variables' values, by path."""
    return {v.path: v.numpy().copy() for v in layer.variables}


def assert_unchanged(layer, before):
    for variable in layer.variables:
        np.testing.assert_array_equal(variable.numpy(), before[variable.path])


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0.0)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def one_hot(labels, num_classes):
    return np.eye(num_classes)[labels]


def spectral_normalize(weight, u, iterations):
    """W / sigma and u: Miyato et al. 2018, algorithm 1, W as [rest, C_out]."""
    matrix = weight.reshape(-1, weight.shape[-1])
    v = matrix @ u / np.linalg.norm(matrix @ u)
    for _ in range(iterations):
        v = matrix @ u / np.linalg.norm(matrix @ u)
        u = matrix.T @ v / np.linalg.norm(matrix.T @ v)
    return weight / (v @ matrix @ u), u


def convolve(x, kernel):
    """ "same" convolution, zeros outside; kernel [*edges, C_in, C_out].

    Axes of `x` before the last len(edges) + 1 are independent.
    """
    edges = kernel.shape[:-2]
    sizes = x.shape[-1 - len(edges) : -1]
    pads = [(0, 0)] * (x.ndim - 1 - len(edges))
    pads += [(e // 2, e // 2) for e in edges] + [(0, 0)]
    padded = np.pad(x, pads)
    out = 0.0
    for offsets in itertools.product(*map(range, edges)):
        window = tuple(
            slice(o, o + s) for o, s in zip(offsets, sizes, strict=True)
        )
        out = out + padded[(..., *window, slice(None))] @ kernel[offsets]
    return out


def conv(x, w):
    out = convolve(x, w.normalized("kernel"))
    return out + w["bias"] if "bias" in w else out


def dense(x, w):
    out = x @ w.normalized("kernel")
    return out + w["bias"] if "bias" in w else out


def up_bilinear(x):
    """Linear interpolation at half-pixel centres, coordinates clamped."""
    for axis in (-3, -2):
        size = x.shape[axis]
        at = np.clip((np.arange(2 * size) + 0.5) / 2 - 0.5, 0, size - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, size - 1)
        fraction = (at - low).reshape(-1, *[1] * (-1 - axis))
        x = (1 - fraction) * x.take(low, axis) + fraction * x.take(high, axis)
    return x


def up_nearest(x):
    return x.repeat(2, axis=-3).repeat(2, axis=-2)


UP = {"bilinear": up_bilinear, "nearest": up_nearest, None: lambda x: x}


def pool_up(x, spatial=2, time=1, reduce=np.mean):
    """As `pool`, but rows and columns that are left have smaller windows."""
    b, t, h, w, c = x.shape
    t, h, w = t // time, -(-h // spatial), -(-w // spatial)
    out = np.empty((b, t, h, w, c))
    for k, i, j in np.ndindex(t, h, w):
        window = x[
            :,
            k * time : (k + 1) * time,
            i * spatial : (i + 1) * spatial,
            j * spatial : (j + 1) * spatial,
        ]
        out[:, k, i, j] = reduce(window, axis=(1, 2, 3))
    return out


def pool(x, spatial=2, time=1, reduce=np.mean):
    """Windows without overlap of [B, T, H, W, C], remainders dropped."""
    b, t, h, w, c = x.shape
    t, h, w = t // time, h // spatial, w // spatial
    x = x[:, : t * time, : h * spatial, : w * spatial]
    x = x.reshape(b, t, time, h, spatial, w, spatial, c)
    return reduce(x, axis=(2, 4, 6))


def batch_norm(x, c, w, training, epsilon=1e-4):
    """Class-conditional, statistics per frame; loops over frames."""
    gain = 1.0 + dense(c, w.below("gain"))
    bias = dense(c, w.below("bias"))
    out = np.empty_like(x)
    for t in range(x.shape[1]):
        frame = x[:, t]
        mean, variance = w["moving_mean"][t], w["moving_variance"][t]
        if training:
            mean, variance = frame.mean((0, 1, 2)), frame.var((0, 1, 2))
        frame = (frame - mean) / np.sqrt(variance + epsilon)
        out[:, t] = gain[:, None, None] * frame + bias[:, None, None]
    return out


def conv_gru(xs, w, h=None):
    """The paper's four lines, frame by frame; w["bias"] is b_r, b_u, b_c."""
    b_r, b_u, b_c = np.split(w["bias"], 3)
    w_r, w_u, w_c = (
        w.normalized(f"{gate}_kernel")
        for gate in ("reset", "update", "candidate")
    )
    if h is None:
        h = np.zeros_like(xs[:, 0])
    states = []
    for x in np.moveaxis(xs, 1, 0):
        r = sigmoid(convolve(np.concatenate([h, x], -1), w_r) + b_r)
        u = sigmoid(convolve(np.concatenate([h, x], -1), w_u) + b_u)
        c = relu(convolve(np.concatenate([x, r * h], -1), w_c) + b_c)
        h = u * h + (1 - u) * c
        states.append(h)
    return np.stack(states, 1)


def attention(x, w):
    """BigGAN's non-local block, frame by frame."""
    theta = conv(x, w.below("theta"))
    phi = pool_up(conv(x, w.below("phi")), reduce=np.max)
    g = pool_up(conv(x, w.below("g")), reduce=np.max)
    out = np.empty_like(x)
    for b, t in np.ndindex(x.shape[:2]):
        queries, keys, v = (
            a[b, t].reshape(-1, a.shape[-1]) for a in (theta, phi, g)
        )
        o = softmax(queries @ keys.T) @ v
        o = (
            o.reshape(*x.shape[2:4], -1)
            @ w.below("o").normalized("kernel")[0, 0]
        )
        out[b, t] = x[b, t] + w["gamma"] * o
    return out


def g_block(x, c, w, up=None, training=False):
    """v2: CBN, ReLU, up, conv3x3, CBN, ReLU, conv3x3; skip: up, conv1x1."""
    main = relu(batch_norm(x, c, w.below("norm1"), training))
    main = conv(UP[up](main), w.below("conv1"))
    main = relu(batch_norm(main, c, w.below("norm2"), training))
    main = conv(main, w.below("conv2"))
    skip = conv(UP[up](x), w.below("skip")) if "skip" in w else x
    return main + skip


def d_block(x, w, spatial=2, time=1, first=False, pool=pool):
    """v2: ReLU, conv, ReLU, conv, pool; skip: conv1x1, pool."""
    main = conv(x if first else relu(x), w.below("conv1"))
    main = pool(conv(relu(main), w.below("conv2")), spatial, time)
    skip = pool(conv(x, w.below("skip")), spatial, time) if "skip" in w else x
    return main + skip


def map_size(x):
    """Height and width of [B, T, H, W, C], as names of layers have them."""
    return f"{x.shape[2]}x{x.shape[3]}"


def generator(
    z,
    y,
    w,
    num_frames,
    num_groups,
    up="bilinear",
    training=False,
    states=None,
    seed=(4, 4),
):
    """G; y is one-hot."""
    c = np.concatenate([z, y @ w["class_embedding"]], -1)
    seed = dense(c, w.below("seed")).reshape(len(z), *seed, -1)
    x = np.stack([seed] * num_frames, 1)
    for i in range(num_groups):
        h = None if states is None else states[i]
        s = map_size(x)
        x = conv_gru(x, w.below(f"{s}_recurrent"), h)
        x = g_block(x, c, w.below(f"{s}_block"), None, training)
        x = g_block(x, c, w.below(f"{s}_block_up"), up, training)
        if f"{map_size(x)}_attention" in w:
            x = attention(x, w.below(f"{map_size(x)}_attention"))
    x = relu(batch_norm(x, c, w.below("head_norm"), training))
    return np.tanh(conv(x, w.below("head")))


def projection_head(x, y, w):
    """score = sum over frames of w.h + b + <E_y, h>, h the sum over space."""
    h = relu(x).sum((2, 3))
    linear = dense(h, w.below("linear"))[..., 0]
    e_y = y @ w.below("class_embedding").normalized("embeddings")
    return (linear + np.einsum("btc,bc->bt", h, e_y)).sum(1)


def discriminator(x, y, w, num_blocks, num_3d_blocks=0, time_pool=1, pool=pool):
    """D_S or D_T after its input; y is one-hot. The last block keeps size."""
    for i in range(num_blocks):
        last = i == num_blocks - 1
        block = w.below(f"{map_size(x)}_block{i}")
        is_3d = i < num_3d_blocks
        kernel = (3, 3, 3) if is_3d else (3, 3)
        assert block["conv1/kernel"].shape[:-2] == kernel
        assert block["conv2/kernel"].shape[:-2] == kernel
        x = d_block(
            x, block, 1 if last else 2, time_pool if is_3d else 1, i == 0, pool
        )
        if f"{map_size(x)}_attention" in w and not last:
            x = attention(x, w.below(f"{map_size(x)}_attention"))
    return projection_head(x, y, w)


def frame_encoder(frames, w, num_blocks):
    """h0 of each unit, small to large: the maps of a size, conv, ReLU."""
    x, maps = frames, {}
    for i in range(num_blocks):
        last = i == num_blocks - 1
        block = w.below(f"{map_size(x)}_block{i}")
        x = d_block(x, block, 1 if last else 2, first=i == 0)
        maps[map_size(x)] = x  # The last of two of the seed's size stays.
    states = []
    for size in sorted(maps, key=lambda size: maps[size].shape[2]):
        joined = np.concatenate(list(np.moveaxis(maps[size], 1, 0)), -1)
        states.append(relu(conv(joined, w.below(f"{size}_state"))))
    return states
