"""Random weights of I3D, and the forms in which they are stored."""

import os

import numpy as np
import tensorflow as tf

# The convolutions of an Inception block, by branch.
BRANCHES = (
    "Branch_0/Conv3d_0a_1x1",
    "Branch_1/Conv3d_0a_1x1",
    "Branch_1/Conv3d_0b_3x3",
    "Branch_2/Conv3d_0a_1x1",
    "Branch_2/Conv3d_0b_3x3",
    "Branch_3/Conv3d_0b_1x1",
)
# Input channels and filters of the blocks, from table 1 of GoogLeNet (arXiv
# 1409.4842), whose 3x3 and 5x5 are 3x3x3 here.
BLOCKS = {
    "3b": (192, 64, 96, 128, 16, 32, 32),
    "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64),
    "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64),
    "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128),
    "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}


def kernel_shapes(num_classes):
    """{unit's name in the port to Flax: shape of its kernel}."""
    shapes = {
        "Conv3d_1a_7x7": (7, 7, 7, 3, 64),
        "Conv3d_2b_1x1": (1, 1, 1, 64, 64),
        "Conv3d_2c_3x3": (3, 3, 3, 64, 192),
    }
    for block, (c, b0, b1, b1b, b2, b2b, b3) in BLOCKS.items():
        ends = [(c, b0), (c, b1), (b1, b1b), (c, b2), (b2, b2b), (c, b3)]
        for branch, end in zip(BRANCHES, ends, strict=True):
            edge = int(branch[-1])
            shapes[f"Mixed_{block}/{branch}"] = (edge, edge, edge, *end)
    return shapes | {"Logits/Conv3d_0c_1x1": (1, 1, 1, 1024, num_classes)}


def flax_tree(num_classes=5, seed=0):
    """The weights as the port to Flax stores them, in nested dicts."""
    rng = np.random.default_rng(seed)
    tree = {"params": {}, "batch_stats": {}}
    for unit, shape in kernel_shapes(num_classes).items():
        scale = (2 / np.prod(shape[:-1])) ** 0.5
        layers = {"Conv_0": {"kernel": rng.normal(0, scale, shape)}}
        bias = {"bias": rng.normal(0, 0.1, shape[-1])}
        if unit.startswith("Logits"):
            layers["Conv_0"] |= bias
        else:
            layers["BatchNorm_0"] = bias
            statistics = (1, 1, 1, 1, shape[-1])
            moments = {
                "mean": rng.normal(0, 0.1, statistics),
                "var": rng.uniform(0.5, 1.5, statistics),
            }
            _put(tree["batch_stats"], unit, {"BatchNorm_0": moments})
        _put(tree["params"], unit, layers)
    return tf.nest.map_structure(lambda x: x.astype("<f4"), tree)


def _put(tree, unit, layers):
    """Blocks are dicts of branches; other names are one key, with slash."""
    block, _, branch = unit.partition("/")
    if block.startswith("Mixed"):
        tree.setdefault(block, {})[branch] = layers
    else:
        tree[unit] = layers


def tf_weights(num_classes=5, seed=0):
    """{TF name: array} of the same weights."""
    tree = flax_tree(num_classes, seed)
    weights = {}
    for unit in kernel_shapes(num_classes):
        block, _, branch = unit.partition("/")
        path = [block, branch] if block.startswith("Mixed") else [unit]
        params, statistics = tree["params"], tree["batch_stats"]
        for key in path:
            params, statistics = params[key], statistics.get(key, {})
        if unit == "Mixed_5b/Branch_2/Conv3d_0b_3x3":
            unit = "Mixed_5b/Branch_2/Conv3d_0a_3x3"
        name = f"RGB/inception_i3d/{unit}"
        weights[f"{name}/conv_3d/w"] = params["Conv_0"]["kernel"]
        if not statistics:
            weights[f"{name}/conv_3d/b"] = params["Conv_0"]["bias"]
            continue
        moments = statistics["BatchNorm_0"]
        name += "/batch_norm"
        weights[f"{name}/beta"] = params["BatchNorm_0"]["bias"]
        weights[f"{name}/moving_mean"] = moments["mean"].reshape(-1)
        weights[f"{name}/moving_variance"] = moments["var"].reshape(-1)
    return weights


def write_tf1(folder, weights):
    """Writes the variables of a SavedModel of TensorFlow 1."""
    os.makedirs(os.path.join(folder, "variables"))
    tf.raw_ops.SaveV2(
        prefix=os.path.join(folder, "variables", "variables"),
        tensor_names=list(weights),
        shape_and_slices=[""] * len(weights),
        tensors=list(weights.values()),
    )


def videos(frames=9, batch=1, seed=0):
    """Random videos in [-1, 1], smooth enough to excite the network."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-1, 1, (batch, frames, 14, 14, 3))
    return coarse.repeat(16, 2).repeat(16, 3).astype("float32")
