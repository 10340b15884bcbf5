"""The header of a model card on Hugging Face: YAML above the Markdown."""

import json

from dvdgan_tf.publishing.card import Card

# The licences from the hub's list that are usual for weights.
_LICENSES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "openrail"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"),
    *("cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
    *("gpl-3.0", "lgpl-3.0", "agpl-3.0", "unlicense"),
}


def with_header(page: str, card: Card) -> str:
    """Puts the header above a page.

    Args:
        page: the model card, Markdown.
        card: what the author says of the model.

    Returns:
        The page as Hugging Face reads it: licence, library and tags come from
        the header. A licence that the hub does not know is "other", with its
        name beside it.
    """
    name = "-".join(card.license.lower().split())
    if name in _LICENSES:
        license_lines = [f"license: {name}"]
    else:
        # JSON is YAML, and quotes whatever the author has written.
        quoted = json.dumps(" ".join(card.license.split()))
        license_lines = ["license: other", f"license_name: {quoted}"]
    return "\n".join(
        [
            "---",
            *license_lines,
            "library_name: tensorflow",
            "tags:",
            "- video-generation",
            "- gan",
            "- dvd-gan",
            f"- {card.dataset}",
            "- arxiv:1907.06571",
            "---",
            "",
            page,
        ]
    )
