"""Modules of frame prediction, by way of their files."""

import numpy as np
import pytest
import runs

import dvdgan_tf
from dvdgan_tf import config
from dvdgan_tf.exporting import saved_model
from dvdgan_tf.generation.from_run import generator_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The SavedModel of a run of frame prediction."""
    folder = tmp_path_factory.mktemp("prediction")
    bindings = ["NUM_FRAMES = 6", "SpatialDiscriminator.k = 2"]
    runs.make_run(folder / "run", "demo_prediction", (5,), bindings=bindings)
    with config.of_run(folder / "run") as run:
        module = generator_module(run, standing_batches=1)
    names = run.class_names
    saved_model.write(
        module, str(folder / "module"), names, module.facts, "", None
    )
    return folder / "module"


def test_predictions_of_a_saved_module(folder):
    model = dvdgan_tf.load(folder)
    given = model.facts["conditioning_frames"]
    assert given == 4 and model.facts["num_frames"] == 6
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, [3, given, 32, 32, 3], dtype=np.uint8)
    clips = model.predict(frames, num_frames=9, seed=2)
    assert clips.shape == (3, 9, 32, 32, 3)
    np.testing.assert_array_equal(clips[:, :given], frames)
    # A clip depends on its own frames only.
    frames[1] = 255 - frames[1]
    others = model.predict(frames, num_frames=9, seed=2)
    np.testing.assert_array_equal(others[[0, 2]], clips[[0, 2]])
    assert np.abs(others[1, given:] - clips[1, given:].astype(int)).max() > 2
    with pytest.raises(ValueError, match="use `predict`"):
        model.sample()
