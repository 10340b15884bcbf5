"""Lays out what is published: module, archive, card, page, preview."""

import json
import os
import shutil

import numpy as np

from dvdgan_tf import archives, files
from dvdgan_tf.exporting.public_config import without_paths
from dvdgan_tf.publishing.card import Card
from dvdgan_tf.publishing.huggingface import with_header
from dvdgan_tf.publishing.pages import hub_page, model_card
from dvdgan_tf.sampling.model import Model
from dvdgan_tf.video import pictures, writing

_CLIPS = 16
_CONFIG = "operative_config.gin"


def make(
    folder: str,
    module: str,
    model: Model,
    card: Card,
    rows: list[dict],
    frames: np.ndarray | None = None,
) -> None:
    """Makes the folder of a publication.

        model/                        the SavedModel, the card as README.md
        NAME-VERSION.tar.gz           TF-Hub's archive of the SavedModel
        README.md, preview.gif        the card and what it shows
        huggingface/README.md         the card with Hugging Face's header
        assets/docs/PUBLISHER/models/NAME/VERSION.md   tfhub.dev's page

    Args:
        folder: folder to make; it must not exist.
        module: folder of the SavedModel.
        model: the same module, loaded.
        card: what the author says of the model.
        rows: results of `evaluations.jsonl` that are of this model.
        frames: uint8 [C, H, W, 3], continued in the preview of a module for
            prediction.

    Raises:
        FileExistsError: there is something at `folder`.
        ValueError: the module lacks an asset, or needs `frames`.
    """
    # Modules of older versions have paths of their machine in it.
    config = without_paths(_asset(module, _CONFIG))
    facts = _facts(module)
    text = model_card(card, facts, model.class_names, config, rows)
    preview = _preview(model, frames)
    with files.new_folder(folder) as temporary:
        target = os.path.join(temporary, "model")
        shutil.copytree(module, target)
        with open(os.path.join(target, "assets", _CONFIG), "w") as file:
            file.write(config)
        archive = f"{card.name}-{card.version}.tar.gz"
        archives.pack(target, os.path.join(temporary, archive))
        page = os.path.join(
            temporary, "assets", "docs", card.publisher, "models", card.name
        )
        os.makedirs(page)
        with open(os.path.join(page, f"{card.version}.md"), "w") as file:
            file.write(hub_page(card, facts))
        hugging_face = os.path.join(temporary, "huggingface")
        os.makedirs(hugging_face)
        with open(os.path.join(hugging_face, "README.md"), "w") as file:
            file.write(with_header(text, card))
        for place in (temporary, target):
            with open(os.path.join(place, "README.md"), "w") as file:
                file.write(text)
            writing.write_gif(
                os.path.join(place, "preview.gif"), preview, facts["fps"]
            )


def _preview(model, frames):
    """Makes a grid of clips, uint8 [T, H, W, 3]."""
    if not model.facts["conditioning_frames"]:
        return pictures.grid(model.sample(count=_CLIPS), columns=4)
    if frames is None:
        raise ValueError(
            "The preview of a module for prediction continues a video; name "
            "one that may be published with --frames."
        )
    given = np.repeat(frames[None], _CLIPS, 0)
    return pictures.grid(model.predict(given), columns=4)


def _asset(module, name):
    path = os.path.join(module, "assets", name)
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise ValueError(
            f"{module} is no module of dvdgan_tf.export: it has no "
            f"assets/{name}."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is no text; export the module again."
        ) from error


def _facts(module):
    try:
        return json.loads(_asset(module, "module.json"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{os.path.join(module, 'assets', 'module.json')} is no JSON "
            f"({error}); export the module again."
        ) from error


def copy(folder: str, destination: str) -> None:
    """Copies a publication to a folder or bucket that TensorFlow can write.

    Args:
        folder: folder of the publication.
        destination: path or URL of `tf.io.gfile`; it must not exist.

    Raises:
        FileExistsError: there is something at the destination.
    """
    import tensorflow as tf

    if tf.io.gfile.exists(destination):
        raise FileExistsError(
            f"{destination} exists already; choose another destination."
        )
    for root, _, names in os.walk(folder):
        inside = os.path.relpath(root, folder)
        target = tf.io.gfile.join(destination, *inside.split(os.sep))
        target = destination if inside == "." else target
        tf.io.gfile.makedirs(target)
        for name in names:
            tf.io.gfile.copy(
                os.path.join(root, name), tf.io.gfile.join(target, name)
            )
