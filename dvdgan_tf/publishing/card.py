"""What only its author knows of a model, read from a TOML file."""

import re
import tomllib
from typing import NamedTuple

TEMPLATE = """\
# What the model card says that no program can know.
publisher = ""       # On the hub, such as "jane-doe".
name = ""            # Of the model, such as "dvd-gan-digits".
version = 1
summary = ""         # One sentence.
license = ""         # Of the weights, such as "Apache 2.0".
data = ""            # What it was trained on, and where that comes from.
dataset = ""         # Its name on the hub, such as "kinetics-600".
data_license = ""    # May models of this data be published?
limits = ""          # What it cannot do, what it must not be used for.
contact = ""         # Who answers questions.
"""

# Hubs build URLs and paths of these.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{2,48}[a-z0-9]")


class Card(NamedTuple):
    """The fields of `TEMPLATE`."""

    publisher: str
    name: str
    version: int
    summary: str
    license: str
    data: str
    dataset: str
    data_license: str
    limits: str
    contact: str


def read_card(path: str) -> Card:
    """Reads and checks a card.

    Args:
        path: TOML file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: something is missing, unknown or impossible.
    """
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML file ({error}).") from error
    unknown = sorted(set(values) - set(Card._fields))
    if unknown:
        raise ValueError(
            f"{path} has fields that no card has: {', '.join(unknown)}."
        )
    missing = [
        name
        for name in Card._fields
        if name != "version"
        and (not isinstance(values.get(name), str) or not values[name].strip())
    ]
    if missing:
        raise ValueError(
            f"The card {path} is incomplete; say also: {', '.join(missing)}."
        )
    card = Card(**{"version": 1, **values})
    for name in ("publisher", "name", "dataset"):
        if not _NAME.fullmatch(getattr(card, name)):
            raise ValueError(
                f"The card's {name} must be 4 to 50 of a-z, 0-9 and -. "
                f"Received: {getattr(card, name)!r}"
            )
    if type(card.version) is not int or card.version < 1:
        raise ValueError(
            "The card's version must be a whole number above 0. "
            f"Received: {card.version!r}"
        )
    return card
