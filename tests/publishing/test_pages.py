"""The model card as text: what is escaped, and what it says."""

import html
import re

import hostile
import pytest

from dvdgan_tf.plain_text import fenced, in_markdown
from dvdgan_tf.publishing.card import Card
from dvdgan_tf.publishing.huggingface import with_header
from dvdgan_tf.publishing.markdown import metrics_table
from dvdgan_tf.publishing.pages import hub_page, model_card

CARD = Card(
    publisher="jane-doe",
    name="moving-digits",
    version=3,
    summary="Digits that move.",
    license="Apache 2.0",
    data="Handwritten digits.",
    dataset="moving-digits",
    data_license="CC BY 4.0",
    limits="Small.",
    contact="Jane",
)
FACTS = {
    "model": "DVD-GAN",
    "step": 12000,
    "resolution": 32,
    "num_frames": 8,
    "conditioning_frames": 0,
    "z_dim": 60,
    "num_classes": 3,
    "truncation_levels": [0.5, 1.0],
    "parameters": 704131,
}
NAMES = ["person's head", "<script>alert(1)</script>", "[a](http://b.c) | `d`"]


def rendered(line):
    """What a reader of Markdown sees of an escaped line."""
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", line))


@pytest.mark.parametrize(
    "text",
    [
        *NAMES,
        "*bold* _it_ ~~gone~~ $x$",
        "a & b &amp; c",
        r"back\slash",
        "https://example.org www.example.org @jane #7 !",
        "東京 é",
    ],
)
def test_escaped_text_reads_as_itself(text):
    line = in_markdown(text)
    assert rendered(line) == text
    assert "<" not in line and ">" not in line
    # Not one of these stands without its backslash.
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|~$:@#!.]", line)


def test_control_characters_and_lines_are_gone():
    assert in_markdown("a\nb\r\n# c\x00\x1b\u202e\ud800d") == r"a b \# cd"


def test_plain_names_stay_plain():
    assert in_markdown("playing american football, (indoor)") == (
        "playing american football, (indoor)"
    )


def test_code_cannot_end_its_fence():
    assert fenced("x = 1\n") == "```\nx = 1\n```"
    text = "a\n```\n# Title\n````\n"
    lines = fenced(text, "sh").splitlines()
    assert lines[0] == "`````sh" and lines[-1] == "`````"


def test_the_card():
    text = model_card(CARD, FACTS, NAMES, "a = '```'", [])
    titles = re.findall("^## (.*)$", text, re.M)
    assert titles == [
        *("Use", "Model", "Data", "Metrics", "Limits", "Licence and contact"),
        *("Citation", "Training configuration"),
    ]
    assert "3 classes: person's head, &lt;script&gt;alert(1)" in text
    assert "<script>" not in text and "[a](http" not in text
    assert "tar -xzf moving-digits-3.tar.gz -C moving-digits-3" in text
    assert "eprint = {1907.06571}" in text and "```bibtex" in text
    assert "````\na = '```'\n````" in text
    assert "It makes clips of 8 frames. Frames have 32x32 pixels." in text
    many = model_card(CARD, FACTS, [f"c{i}" for i in range(23)], "", [])
    assert "23 classes: c0, c1," in many and "c19 and 3 more." in many


@pytest.mark.parametrize("name", hostile.NAMES)
def test_hostile_names_do_nothing_in_the_card(name):
    plain = model_card(CARD, FACTS, ["a", "b"], "", [])
    row = {"metric": name, "value": 1.0, "truncation": 1.0, "dataset": name}
    text = model_card(CARD, {**FACTS, "model": name}, [name, "b"], name, [row])
    for mark in (r"^#+ .*$", r"^```+\w+$", r"<[^>]*>", r"(?<!\\)\]\([^)]*\)"):
        body = text.partition("## Training configuration")[0]
        kept = plain.partition("## Training configuration")[0]
        assert re.findall(mark, body, re.M) == re.findall(mark, kept, re.M)
    cells = [line for line in body.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in cells] == [8] * 3
    assert len(text) < len(plain) + len(name) + 2_000


def test_the_card_of_prediction():
    facts = {**FACTS, "conditioning_frames": 2, "num_classes": 1}
    text = model_card(CARD, facts, ["all"], "", [])
    assert "of 8 frames, the first 2 are given." in text
    assert "1 class: all." in text
    assert "frames=frames,  # [4, 2, ...]" in text
    assert "clips = model.predict(frames)" in text
    assert "continues 2 frames" in hub_page(CARD, facts)


def test_cells_of_the_table_stay_in_their_columns():
    row = {"metric": "fvd", "value": 1.0, "truncation": 1.0, "dataset": "a|b"}
    line = metrics_table([row]).splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", line)) == 8


@pytest.mark.parametrize(
    ("license_of_weights", "lines"),
    [
        ("Apache 2.0", ["license: apache-2.0"]),
        ("CC BY-NC 4.0", ["license: cc-by-nc-4.0"]),
        (
            'Ours: "ask"\nfirst',
            ["license: other", r'license_name: "Ours: \"ask\" first"'],
        ),
    ],
)
def test_the_header(license_of_weights, lines):
    card = CARD._replace(license=license_of_weights)
    head = with_header("# Page", card).splitlines()
    assert head[0] == "---" and head[1 : 1 + len(lines)] == lines
    assert head[-3:] == ["---", "", "# Page"]
    assert "- arxiv:1907.06571" in head
