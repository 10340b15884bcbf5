"""Names of classes are words on the page, whatever they are."""

import json
import re

import pytest
import tensorflow as tf
from fake_modules import Module
from hostile import NAMES
from page.conftest import LIMITS
from page.test_server import ask, request

from dvdgan_tf.page import recipe
from dvdgan_tf.page.answer import Answers
from dvdgan_tf.page.recipe import Source
from dvdgan_tf.page.settings import Settings
from dvdgan_tf.plain_text import shown
from dvdgan_tf.sampling.model import Model

# JSON of a module cannot hold a lone surrogate.
SENT = [name for name in NAMES if "\ud800" not in name]


class HostileModule(Module):
    """A module whose classes have hostile names."""

    def __init__(self, given=0):
        super().__init__(given)
        self.facts["num_classes"] = len(SENT)
        self.facts["model"] = f"DVD-GAN {SENT[0]}"

    def class_names(self):
        return tf.constant(json.dumps(SENT))

    def __call__(self, inputs):
        return super().__call__(inputs | {"y": inputs["y"][:, :3]})


def hostile(tmp_path, given=0):
    model = Model(HostileModule(given))
    return Answers(model, Source("made"), LIMITS, str(tmp_path))


@pytest.mark.parametrize("given", [0, 2])
def test_the_page_as_it_is_sent(tmp_path, serving, given):
    with serving(hostile(tmp_path, given=given)) as url:
        status, text = request(url)
        assert status == 200
        for name in SENT[:2]:
            assert name not in text
        config = json.loads(request(f"{url}config")[1])
        (controls,) = (
            part["props"]
            for part in config["components"]
            if part["props"].get("elem_id") == "classes"
        )
        assert [c[1] for c in controls["choices"]] == SENT
        assert [c[0] for c in controls["choices"]] == [*map(shown, SENT)]
        # The note below is Markdown to gradio.
        assert "<script>" not in controls["info"]


def test_a_request_for_each(tmp_path, serving):
    with serving(hostile(tmp_path)) as url:
        values = [SENT[:6], 0.7, 3, 6, "none"]
        success, output = ask(url, values, "s")
        assert success
        figures = json.loads(output)["data"][0]
        captions = re.findall(r"<figcaption>(.*?)</figcaption>", figures)
        assert len(captions) == 6 and "alert(1)" in captions[0]
        assert not any("<" in c or ">" in c for c in captions)
        tags = set(re.findall(r"<\s*/?\s*(\w+)", figures))
        assert tags == {"div", "figure", "img", "figcaption"}


@pytest.mark.parametrize("name", SENT)
def test_the_recipe_shows_all_that_it_does(name):
    settings = Settings(classes=(name,), count=1)
    facts = {"conditioning_frames": 0}
    python = recipe.python(Source("made"), settings, facts)
    assert all(line.isprintable() for line in python.split("\n"))
    compile(python, "recipe", "exec")
    command = recipe.command(Source("made"), settings)
    assert command is None or name == shown(name, 20_000)
