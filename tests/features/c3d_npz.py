"""Small C3D networks in files, in the layout that Chainer saves."""

import numpy as np

# All differ from their neighbours, so that a swapped axis cannot fit.
WIDTHS = {
    "conv1a": 2,
    "conv2a": 3,
    "conv3a": 4,
    "conv3b": 5,
    "conv4a": 3,
    "conv4b": 4,
    "conv5a": 5,
    "conv5b": 6,
    "fc6": 7,
    "fc7": 8,
    "fc8": 101,
}


def random_arrays(widths=WIDTHS, seed=0):
    """Channels-first arrays by key; activations keep about their size."""
    generator = np.random.default_rng(seed)
    arrays, inputs = {}, 3
    for layer, outputs in widths.items():
        shape = (outputs, inputs)
        if layer.startswith("conv"):
            shape += (3, 3, 3)
        scale = np.sqrt(2 / np.prod(shape[1:]))
        arrays[f"{layer}/W"] = generator.normal(size=shape) * scale
        arrays[f"{layer}/b"] = generator.uniform(0, 0.3, outputs)
        inputs = 16 * outputs if layer == "conv5b" else outputs
    return {key: array.astype(np.float32) for key, array in arrays.items()}


def random_mean(seed=1):
    generator = np.random.default_rng(seed)
    mean = generator.uniform(80, 120, (3, 16, 128, 171))
    return mean.astype(np.float32)


def save(folder, arrays=None, mean=None):
    """Writes both files; returns their paths."""
    weights_path, mean_path = folder / "weights.npz", folder / "mean.npz"
    np.savez(weights_path, **(random_arrays() if arrays is None else arrays))
    np.savez(mean_path, mean=random_mean() if mean is None else mean)
    return str(weights_path), str(mean_path)
