"""Hostile names of classes stay words wherever they are shown or written."""

import html
import os
import re
import unicodedata

import numpy as np
import pytest
from hostile import NAMES

from dvdgan_tf.plain_text import fenced, in_file_name, in_markdown, shown
from dvdgan_tf.sampling.classes import class_ids
from dvdgan_tf.sampling.clip_writer import ClipWriter


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_one_short_line(name):
    text = shown(name)
    assert len(text) <= 100
    assert all(unicodedata.category(c)[0] != "C" for c in text)
    assert text.splitlines() in ([text], [])
    text.encode()
    # What is in order is left alone, and so is what has been through here.
    assert shown(text) == text


def test_what_is_cut_says_so():
    assert shown("x" * 100) == "x" * 100
    assert shown("x" * 101) == "x" * 99 + "…"
    assert shown("a" + " " * 10_000 + "b", 20) == "a…"
    assert shown("  long jump\t(pole)  ") == "long jump (pole)"


@pytest.mark.parametrize("name", NAMES)
def test_in_markdown_it_is_words(name):
    line = in_markdown(name)
    assert "<" not in line and ">" not in line and "\n" not in line
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|~$:@#!.]", line)
    back = html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", line))
    assert back == shown(name)


@pytest.mark.parametrize("name", NAMES)
def test_it_cannot_end_a_block_of_code(name):
    first, *middle, last = fenced(name).split("\n")
    assert first == last and set(first) == {"`"}
    assert all(first not in line for line in middle)


@pytest.mark.parametrize("name", NAMES)
def test_in_a_file_name_it_leads_nowhere(name):
    part = in_file_name(name)
    assert re.fullmatch(r"[\w-]{0,40}", part)
    assert len(os.fsencode(part)) <= 160


def test_clips_of_hostile_classes(tmp_path):
    writer = ClipWriter(str(tmp_path / "clips"), ["png"], 12)
    for label, name in enumerate(NAMES):
        writer.write(np.zeros([2, 32, 32, 3], np.uint8), label, name)
    writer.close()
    found = sorted(os.listdir(tmp_path / "clips"))
    assert len(found) == len(NAMES) + 2
    assert os.listdir(tmp_path) == ["clips"]


def test_messages_about_hostile_classes():
    for names in (NAMES, NAMES[6:], NAMES[9:]):
        with pytest.raises(ValueError) as error:
            class_ids("no such", names)
        text = str(error.value)
        assert len(text) < 800
        assert all(unicodedata.category(c)[0] != "C" for c in text)
