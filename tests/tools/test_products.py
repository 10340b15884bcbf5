import numpy as np
import pytest

from tools.flops import xla_cost
from tools.flops.products import Network


def taps(size, kernel, stride=1):
    """Taps of a kernel padded by one that meet a line of `size` pixels."""
    starts = np.arange(0, size - stride + 1, stride)[:, None] - (kernel > 1)
    positions = starts + np.arange(kernel)
    return int(((positions >= 0) & (positions < size)).sum())


@pytest.mark.parametrize("padding", [True, False])
def test_convolution(padding):
    net = Network(1, 1, drawn=False, padding=padding)
    net.conv("a", 5, (4, 6), (2, 7))
    net.conv("b", 5, (4, 6), (2, 7), pools=(2, 2))
    net.conv("c", 5, (3, 4, 4), (2, 7), pools=(2, 2, 2))
    net.conv("d", 5, (4, 6), (2, 7), kernel=1)
    macs = 5 * 2 * 7 * 2
    if padding:
        expected = [9 * 24, 16 * 6, 64 * 4, 24]
    else:
        # 3x3 on 4 pixels: 2 + 3 + 3 + 2; 4x4, stride 2: 3 + 3.
        assert (taps(4, 3), taps(4, 4, 2)) == (10, 6)
        # The third frame has no partner: the pool drops it, the taps do not.
        expected = [10 * 16, 6 * 10, 3 * 6 * 6, 24]
    assert list(net.by_layer().values()) == [macs * n for n in expected]


def test_spectral_norm():
    net = Network(1, 3, drawn=False, padding=True)
    net.norm("a", 18, 4)
    # Three times W u and W^T v; backward one outer product.
    assert net.by_layer() == {"spectral_norm": 6 * 2 * 18 * 4}
    assert net.backward() == 2 * 18 * 4
    assert net.backward(weights=False) == 0


def test_attention():
    net = Network(1, 1, drawn=False, padding=True)
    net.attention("a", 3, (4, 4), 16)
    convs = 16 * (16 * 2 + 16 * 2 + 16 * 8 + 8 * 16)
    products = 16 * 4 * (2 + 8)
    layers = net.by_layer()
    assert layers["a"] == 2 * 3 * (convs + products)
    weights = 2 * 3 * convs + layers["spectral_norm"] // 2
    assert net.backward(inputs=False) == weights
    assert net.backward(weights=False) == 2 * 3 * (convs + 2 * products)


def test_products_as_xla_counts_them():
    jax = pytest.importorskip("jax")

    def run(x, kernel, matrix):
        y = jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(2, 1),
            padding=((1, 2), (0, 1)),
            lhs_dilation=(2, 3),
            rhs_dilation=(1, 2),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jax.numpy.tensordot(y, matrix, 1)

    lowered = jax.jit(run).lower(
        np.zeros([2, 5, 7, 3], np.float32),
        np.zeros([3, 2, 3, 4], np.float32),
        np.zeros([4, 5], np.float32),
    )
    text = lowered.as_text("hlo", debug_info=False)
    assert xla_cost.products(text) == lowered.cost_analysis()["flops"]
