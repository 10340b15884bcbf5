"""The code that the page shows makes the clips that it shows."""

import os
import shlex

import numpy as np
import pytest
import videos

import dvdgan_tf
from dvdgan_tf import sample
from dvdgan_tf.page import clips, recipe
from dvdgan_tf.page.recipe import Source
from dvdgan_tf.page.settings import Settings
from dvdgan_tf.sampling.conditions import first_frames

RUN = Source("my runs/it's", 600, (1.0, 0.5))
CHOICES = [
    Settings(count=5),
    Settings(("wave", "run"), 4, 3, 0.7),
    Settings(("wave",), 3, 2, 0.5, "latent"),
    Settings(("wave", "run"), 3, 2, 0.5, "class"),
]


def options(text):
    """As the command line reads a shell's words."""
    words = shlex.split(text.replace("\\\n", " "))
    assert words[:3] == ["python", "-m", "dvdgan_tf.sample"]
    return sample.parse(words[3:])


@pytest.mark.parametrize("chosen", CHOICES)
def test_of_synthesis(answers, chosen, monkeypatch):
    model = answers.model
    expected = clips.make(model, chosen)
    read = options(recipe.command(Source("made"), chosen))
    assert (read.module, read.workdir, read.step) == ("made", None, None)
    shown = [clip for clip, _ in sample.chosen(model, read)]
    np.testing.assert_array_equal(shown, expected)
    monkeypatch.setattr(dvdgan_tf, "load", {"made": model}.get)
    names = {}
    exec(recipe.python(Source("made"), chosen, model.facts), names)
    np.testing.assert_array_equal(names["clips"], expected)


@pytest.mark.parametrize("classes", [(), ("walk",)])
def test_of_prediction(predictions, classes, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    videos.write("a b.mkv", videos.moving_square())
    model = predictions.model
    chosen = Settings(classes, 5, 3, 0.7, num_frames=9)
    frames = first_frames("a b.mkv", 2, 4, "crop", 2)
    expected = clips.make(model, chosen, frames)
    read = options(recipe.command(Source("made"), chosen, "a b.mkv"))
    shown = [clip for clip, _ in sample.chosen(model, read)]
    np.testing.assert_array_equal(shown, expected)
    monkeypatch.setattr(dvdgan_tf, "load", {"made": model}.get)
    names = {}
    exec(recipe.python(Source("made"), chosen, model.facts, "a b.mkv"), names)
    np.testing.assert_array_equal(names["clips"], expected)


def test_of_a_run(answers, monkeypatch):
    read = options(recipe.command(RUN, CHOICES[0]))
    workdir = os.path.abspath(RUN.name)
    assert (read.module, read.workdir, read.step) == (None, workdir, 600)
    # The command would take statistics of 0.7; the page's lie between two.
    assert recipe.command(RUN, CHOICES[1]) is None
    loaded = []

    def load(*args, **kwargs):
        loaded.append((args, kwargs))
        return answers.model

    monkeypatch.setattr(dvdgan_tf, "load", load)
    exec(recipe.python(RUN, CHOICES[1], answers.model.facts), {})
    expected = dict(step=600, truncations=(1.0, 0.5))
    assert loaded == [((RUN.name,), expected)]


@pytest.mark.parametrize("name", ["a,b", " a", "a "])
def test_what_the_command_line_cannot_say(name):
    assert recipe.command(Source("made"), Settings((name,))) is None


def test_words_of_strangers_are_not_for_the_shell():
    text = recipe.command(Source("made"), Settings(num_frames=9), "$(x); '.mp4")
    assert options(text).frames == "$(x); '.mp4"
    text = recipe.command(Source("made"), Settings(("`a` & b",)))
    assert options(text).classes == "`a` & b"
