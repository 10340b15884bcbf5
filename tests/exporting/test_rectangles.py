"""Frames that are not square, from a run's folder to files and pages."""

import json

import numpy as np
import pytest
import runs
import tensorflow as tf
from PIL import Image

import dvdgan_tf
from dvdgan_tf import config, export
from dvdgan_tf.exporting import discriminator_module, saved_model
from dvdgan_tf.generation.from_run import generator_module
from dvdgan_tf.publishing.card import Card
from dvdgan_tf.publishing.pages import hub_page, model_card
from dvdgan_tf.sampling.clip_writer import ClipWriter

SIZE = (32, 56)
BINDING = f"RESOLUTION = {SIZE}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of synthesis, and beside it its SavedModel with D_S and D_T."""
    folder = tmp_path_factory.mktemp("synthesis")
    runs.make_run(
        folder / "run", steps=(5,), label_counts=[1] * 10, bindings=[BINDING]
    )
    with config.of_run(folder / "run") as run:
        module = generator_module(run, standing_batches=1)
        saved_model.write(
            module,
            str(folder / "module"),
            run.class_names,
            module.facts,
            "",
            discriminator_module.of_run(run),
        )
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return dvdgan_tf.load(folder / "module")


def test_samples_of_a_saved_module(folder, model):
    assert model.facts["resolution"] == list(SIZE)
    clips = model.sample(count=3, seed=2)
    assert clips.shape == (3, 8, *SIZE, 3)
    assert np.std(clips) > 1
    again = dvdgan_tf.load(folder / "run").sample(count=3, seed=2)
    # Both have statistics of their own, over other batches.
    assert again.shape == clips.shape
    loaded = tf.saved_model.load(folder / "module")
    assert json.loads(loaded.metadata().numpy())["resolution"] == [32, 56]


def test_discriminators_of_a_saved_module(folder):
    module = tf.saved_model.load(folder / "module")
    scores = module.discriminators(
        {
            "videos": tf.zeros([2, 8, *SIZE, 3]),
            "y": tf.constant([0, 1]),
            "seed": tf.constant([1, 2]),
        }
    )
    assert scores["temporal"].shape == (2,)


def test_files_have_the_shape_of_the_clips(model, tmp_path):
    writer = ClipWriter(str(tmp_path / "clips"), ["npz"], 8)
    clips = model.sample(count=2)
    for i, clip in enumerate(clips):
        writer.write(clip, i, "a")
    still, _ = writer.close()
    with Image.open(still) as image:
        width, height = image.size
    # Two rows of eight frames at twice their size, and names beside them.
    assert width > 8 * 2 * 56 and 2 * 2 * 32 < height < 3 * 2 * 32


def test_what_is_said_of_the_size(model, capsys):
    export.describe(model.facts)
    assert "8 frames of 56x32 pixels" in capsys.readouterr().out
    card = Card(
        *("jane", "digits", 1, "Wide.", "MIT", "Digits.", "digits"),
        *("MIT", "Small.", "Jane"),
    )
    text = model_card(card, model.facts, model.class_names, "", [])
    assert "Frames have 56x32 pixels." in text
    assert "# [4, 8, 32, 56, 3] in [-1, 1]" in text
    assert "8 frames of 56x32 pixels in all" in hub_page(card, model.facts)


def test_prediction_takes_and_gives_frames_of_that_shape(tmp_path):
    runs.make_run(
        tmp_path / "run", "demo_prediction", steps=(5,), bindings=[BINDING]
    )
    with config.of_run(tmp_path / "run") as run:
        module = generator_module(run, standing_batches=1)
        names, facts = run.class_names, module.facts
        saved_model.write(
            module, str(tmp_path / "module"), names, facts, "", None
        )
    model = dvdgan_tf.load(tmp_path / "module")
    frames = np.full([1, 4, *SIZE, 3], 128, np.uint8)
    assert model.predict(frames, num_frames=13).shape == (1, 13, *SIZE, 3)
    with pytest.raises(ValueError, match=r"must be \[B, 4, 32, 56, 3\]"):
        model.predict(frames.swapaxes(2, 3))
