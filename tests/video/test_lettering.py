"""Words in pictures: which are drawn, and where."""

import sys
import unicodedata

import numpy as np
import pytest

from dvdgan_tf.video import lettering
from dvdgan_tf.video.lettering import (
    Label,
    drawable,
    headings_above,
    labels_beside,
)

PAPER = (250, 250, 248)
TOPS = (0, 66, 132)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("play guitar", "play guitar"),
        ("  two\n\tlines\r\n", "two lines"),
        ("café Ünï", "cafe Uni"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("turn \u202eback", "turn back"),
        ("half \ud800 of a pair", "half of a pair"),
        ("東京 7", "?? 7"),
        ("東京", ""),
        ("\U0001f600", ""),
        ("", ""),
    ],
)
def test_drawable(text, expected):
    assert drawable(text) == expected


def test_any_character_can_be_drawn():
    # One of each script and kind, not all of a million.
    seen = {}
    for code in range(0, sys.maxunicode + 1, 7):
        character = chr(code)
        name = unicodedata.name(character, "").split(" ")[0]
        seen[unicodedata.category(character), name] = character
    assert len(seen) > 300
    text = "".join(seen.values())
    labels = [Label(text, text), Label(text[::-1], "note")]
    picture = labels_beside(labels, TOPS[: len(labels)], 64, PAPER)
    assert picture.shape[0] == 130 and picture.shape[1] <= 132


def ink(picture):
    """Rows and columns in which there is anything."""
    drawn = (picture != PAPER).any(-1)
    return np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))


def test_labels_are_centred_on_their_rows_and_end_at_the_right():
    labels = [Label("run"), Label(""), Label("walk", "sample 1")]
    picture = labels_beside(labels, TOPS[: len(labels)], 64, PAPER)
    assert picture.dtype == np.uint8 and picture.shape[0] == 3 * 66 - 2
    rows, columns = ink(picture[:64])
    assert abs(rows.mean() - 31.5) < 4 and picture.shape[1] - columns[-1] <= 2
    assert not ink(picture[64:130])[0].size
    rows, columns = ink(picture[132:])
    assert abs(rows.mean() - 31.5) < 4 and picture.shape[1] - columns[-1] <= 2
    # A label of one line is drawn as that of another row is.
    alone = labels_beside(labels[:1], [0], 64, PAPER)
    np.testing.assert_array_equal(picture[:64, -alone.shape[1] :], alone)


def test_long_names_are_wrapped_and_cut(monkeypatch):
    drawn = []
    real = lettering._cut

    def cut(text, width):
        drawn.append(real(text, width))
        return drawn[-1]

    monkeypatch.setattr(lettering, "_cut", cut)
    picture = labels_beside(
        [Label("massaging the head of another person " * 3, "real")],
        [0],
        64,
        PAPER,
        max_width=100,
    )
    assert picture.shape == (64, 100, 3) or picture.shape[1] < 100
    assert len(drawn) == 4 and drawn[-1] == "real"
    assert drawn[0] == "massaging the"
    assert drawn[2].endswith("…") and "…" not in drawn[0] + drawn[1]
    rows, _ = ink(picture)
    assert rows[0] >= 0 and rows[-1] < 64


def test_words_have_contrast():
    def luminance(colour):
        linear = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for c in np.array(colour) / 255
        ]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    picture = labels_beside(
        [Label("WWWW"), Label("", "WWWW")], TOPS[:2], 64, PAPER
    )
    for row, least in ((picture[:64], 7.0), (picture[66:], 4.5)):
        darkest = min(map(luminance, row.reshape(-1, 3)))
        assert (luminance(PAPER) + 0.05) / (darkest + 0.05) >= least


def test_headings_are_centred_above_their_columns():
    line = headings_above(["real", "", "a heading far too long"], 60, PAPER)
    assert line.shape == (18, 180, 3)
    _, columns = ink(line[:, :60])
    assert abs(columns.mean() - 29.5) < 3
    assert not ink(line[:, 60:120])[0].size
    # Cut, so that it stays above its own column.
    _, columns = ink(line[:, 120:])
    assert columns.size and abs(columns.mean() - 29.5) < 4
