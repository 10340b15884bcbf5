import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.metrics import frame_similarity


def frames(seed=0, shape=(2, 3, 16, 20, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def psnr_oracle(a, b):
    error = (a.astype(np.float64) - b.astype(np.float64)) ** 2
    return 10 * np.log10(255.0**2 / error.mean(axis=(-3, -2, -1)))


def ssim_oracle(a, b):
    """Of two grey images, position by position."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p = a[y : y + 11, x : x + 11].astype(np.float64)
            q = b[y : y + 11, x : x + 11].astype(np.float64)
            mean_p, mean_q = (window * p).sum(), (window * q).sum()
            var_p = (window * (p - mean_p) ** 2).sum()
            var_q = (window * (q - mean_q) ** 2).sum()
            cov = (window * (p - mean_p) * (q - mean_q)).sum()
            values.append(
                (2 * mean_p * mean_q + c1)
                * (2 * cov + c2)
                / ((mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2))
            )
    return np.mean(values)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_psnr_is_its_definition(dtype):
    a, b = frames(), frames(1)
    found = frame_similarity.psnr(a.astype(dtype), b.astype(dtype))
    np.testing.assert_allclose(found, psnr_oracle(a, b), rtol=1e-5)


def test_psnr_of_equal_frames_is_finite_and_above_all_others():
    a = frames()
    b = a.copy()
    b[0, 0, 0, 0, 0] ^= 1
    b[0, 1] ^= 1
    found = frame_similarity.psnr(a, b).numpy()
    assert np.all(found[1] == frame_similarity.LARGEST_PSNR)
    assert found[0, 1] == pytest.approx(20 * np.log10(255), rel=1e-5)
    assert found[0, 1] < found[0, 0] < found[0, 2]


def test_ssim_is_the_mean_over_windows_and_channels():
    a = frames(shape=(1, 14, 13, 3))
    # Alike, so that the covariance matters, and more so in one channel.
    b = (a // 2 + 40 + frames(1, a.shape) // [4, 8, 16]).astype(np.uint8)
    expected = np.mean(
        [ssim_oracle(a[0, ..., c], b[0, ..., c]) for c in range(3)]
    )
    found = frame_similarity.ssim(a, b)
    assert found.shape == [1]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)
    np.testing.assert_allclose(frame_similarity.ssim(a, a), [1.0], rtol=1e-6)
    half = frame_similarity.ssim(a.astype(np.float32), b.astype(np.float32))
    np.testing.assert_allclose(half, found, rtol=1e-6)


def test_the_best_sample_is_that_of_the_best_mean_over_frames():
    scores = np.zeros([2, 3, 2])
    # The best single frame is of sample 0, the best mean of sample 1.
    scores[0] = [[9.0, 1.0], [6.0, 6.0], [0.0, 0.0]]
    scores[1] = [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]
    expected, best = frame_similarity.of_samples(scores)
    np.testing.assert_allclose(expected, [11 / 3, 2.5])
    np.testing.assert_allclose(best, [6.0, 3.5])


def test_frames_that_cannot_be_compared():
    a = frames()
    with pytest.raises(ValueError, match="one shape"):
        frame_similarity.psnr(a, a[:, :2])
    small = a[:, :, :10]
    with pytest.raises(ValueError, match=r"11x11 pixels.*10x20"):
        frame_similarity.ssim(small, small)


def test_in_a_graph():
    a, b = frames(), frames(1)

    @tf.function
    def both(a, b):
        return frame_similarity.psnr(a, b), frame_similarity.ssim(a, b)

    for found, expected in zip(
        both(a, b),
        (frame_similarity.psnr(a, b), frame_similarity.ssim(a, b)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        assert found.shape == (2, 3)
