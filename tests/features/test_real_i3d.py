"""The published weights; skipped unless their archive is named."""

import i3d_weights_made as made
import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.features.hub import HubI3D
from dvdgan_tf.features.native import NativeI3D

CHECKSUM = "40cda3a73eba49c7cec1b125cf2197c122a1c4e08a50031b91889e9be252d1ac"


@pytest.fixture(scope="module", params=[HubI3D, NativeI3D])
def network(request, real_saved_model):
    return request.param(real_saved_model)


def test_checksum(network):
    assert network.checksum == CHECKSUM


def test_saved_model_equals_native_network(real_saved_model):
    videos = tf.constant(made.videos(frames=12))
    expected = HubI3D(real_saved_model)(videos)["logits"].numpy()
    logits = NativeI3D(real_saved_model)(videos)["logits"]
    assert expected.shape == (1, 400)
    assert expected.std() > 0.5
    np.testing.assert_allclose(logits, expected, atol=2e-4)


# Float64 values of the official graph for clips of 64 x 64.
@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (10, 569.770745),
        (15, 133.908165),
        (16, 152.901833),
        (30, 151.392472),
    ],
)
def test_distance_of_black_and_white_clips(network, frames, expected):
    """Of sets without variance, it is that of the means, squared."""
    logits = []
    for value in (0.0, 255.0):
        clip = tf.fill([frames, 64, 64, 3], value)
        resized = tf.compat.v1.image.resize_bilinear(
            clip, [224, 224], half_pixel_centers=False
        )
        logits.append(network(2 * resized[None] / 255 - 1)["logits"].numpy())
    difference = logits[0].astype("float64") - logits[1]
    assert np.sum(difference**2) == pytest.approx(expected, abs=3e-3)
