"""Words in pictures, in the font that Pillow brings along.

That font has the letters of English and little else. Accents are left out, so
that "é" becomes "e", and what it cannot draw at all becomes "?".
"""

import functools
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

# Pixels: the height of the letters and the distance of two lines.
_FONT_SIZE = 13
_LINE = 16

# Contrast with a white background: 13 and 5 to 1.
_NAME_COLOUR: Colour = (45, 45, 48)
_NOTE_COLOUR: Colour = (110, 110, 115)


class Label(NamedTuple):
    """What stands beside a row of pictures.

    Attributes:
        name: first line, in dark letters, wrapped at spaces where it is long.
        note: line below the name, in a lighter grey; "" for none.
    """

    name: str
    note: str = ""


def drawable(text: str) -> str:
    """Makes a text safe to draw: one line, of letters that the font has.

    Args:
        text: anything, control characters and lone surrogates included.

    Returns:
        The text without control and format characters, runs of blanks as one
        space; "" where not a single letter or digit can be drawn.
    """
    kept = []
    for character in unicodedata.normalize("NFKC", text):
        kind = unicodedata.category(character)
        if character.isspace():
            kept.append(" ")
        elif kind[0] != "C":  # control, format, surrogate, unassigned
            kept.append(_nearest(character))
    line = " ".join("".join(kept).split())
    return line if any(c.isalnum() for c in line) else ""


def labels_beside(
    labels: Sequence[Label],
    tops: Sequence[int],
    row_height: int,
    background: Colour,
    max_width: int = 132,
) -> np.ndarray:
    """Draws a column of labels to stand left of rows of pictures.

    Each label is centred on its row's height and ends at the right edge, next
    to the pictures. Names that do not fit are cut, with an ellipsis.

    Args:
        labels: one label for each row.
        tops: y of each row's upper edge in pixels.
        row_height: height of a row in pixels, at least that of a line, 16.
        background: RGB colour behind the words.
        max_width: the column's width in pixels at most; it is as narrow as
            the longest line.

    Returns:
        uint8 [tops[-1] + row_height, width, 3]
    """
    font = _font()
    columns = [
        _lines(label, row_height // _LINE, max_width) for label in labels
    ]
    longest = [font.getlength(text) for lines in columns for text, _ in lines]
    width = int(np.ceil(max(longest, default=0)))
    height = tops[-1] + row_height
    image = Image.new("RGB", (max(width, 1), height), background)
    draw = ImageDraw.Draw(image)
    for row_top, lines in zip(tops, columns, strict=True):
        top = row_top + row_height / 2 - _LINE * len(lines) / 2
        for number, (text, colour) in enumerate(lines):
            place = (width, top + _LINE * (number + 0.5))
            # "rm": the point is right of the text, at half of its height.
            draw.text(place, text, colour, font, anchor="rm")
    return np.asarray(image)


def headings_above(
    texts: Sequence[str], column_width: int, background: Colour
) -> np.ndarray:
    """Draws a line of headings to stand above columns of pictures.

    Args:
        texts: one text for each column, centred on it; cut where it is too
            long.
        column_width: width of a column in pixels.
        background: RGB colour behind the words.

    Returns:
        uint8 [18, len(texts) * column_width, 3]
    """
    size = (len(texts) * column_width, _LINE + 2)
    image = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(image)
    for column, text in enumerate(texts):
        place = ((column + 0.5) * column_width, _LINE / 2)
        text = _cut(drawable(text), column_width)
        draw.text(place, text, _NOTE_COLOUR, _font(), anchor="mm")
    return np.asarray(image)


@functools.cache
def _font():
    return ImageFont.load_default(_FONT_SIZE)


@functools.cache
def _is_drawn(character):
    # A font draws the same box for everything that it does not have.
    mask, missing = (bytes(_font().getmask(c)) for c in (character, "\uffff"))
    return mask != missing


def _nearest(character):
    if _is_drawn(character):
        return character
    base = unicodedata.normalize("NFD", character)[0]
    return base if _is_drawn(base) else "?"


def _lines(label, max_lines, width):
    """The lines of a label, (text, colour) each; at least one, if empty."""
    note = drawable(label.note)
    lines = _wrapped(
        drawable(label.name), max(1, max_lines - bool(note)), width
    )
    lines = [(line, _NAME_COLOUR) for line in lines]
    if note and len(lines) < max_lines:
        lines.append((_cut(note, width), _NOTE_COLOUR))
    return lines


def _wrapped(text, max_lines, width):
    lines, words = [], text.split()
    while words and len(lines) < max_lines - 1:
        count = 1
        while (
            count < len(words)
            and _font().getlength(" ".join(words[: count + 1])) <= width
        ):
            count += 1
        lines.append(_cut(" ".join(words[:count]), width))
        words = words[count:]
    return [*lines, _cut(" ".join(words), width)] if words else lines


def _cut(text, width):
    if _font().getlength(text) <= width:
        return text
    while text and _font().getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
