"""Writes modules as a SavedModel: signatures, assets, archive."""

import json
import os
import tempfile

import tensorflow as tf

from dvdgan_tf import files
from dvdgan_tf.exporting.discriminator_module import DiscriminatorModule
from dvdgan_tf.exporting.public_config import without_paths
from dvdgan_tf.generation.generator_module import GeneratorModule

ASSETS = ("classes.json", "module.json", "operative_config.gin")


def write(
    module: GeneratorModule,
    folder: str,
    class_names: list[str],
    metadata: dict,
    config: str,
    discriminators: DiscriminatorModule | None = None,
) -> None:
    """Writes a SavedModel that TensorFlow alone can load.

    Signatures: `default` and `serving_default` (z, y soft labels, truncation
    [, frames] -> videos), `ids` (the same, y class ids), and `discriminate`
    where there are discriminators, which are also in the loaded module's
    attribute of that name.

    Args:
        module: `GeneratorModule`.
        folder: path of the folder to make; it must not exist yet.
        class_names: written as the asset classes.json.
        metadata: written as the asset module.json.
        config: the run's gin configuration, written as an asset, without the
            paths of this machine.
        discriminators: `DiscriminatorModule`, or None.

    Raises:
        FileExistsError: there is something at `folder`.
    """
    soft, ids = (
        module.named.get_concrete_function(module.specs(ids=ids))
        for ids in (False, True)
    )
    signatures = {"default": soft, "serving_default": soft, "ids": ids}
    root = _reusable(module)
    if discriminators is not None:
        root.discriminators = discriminators
        signatures["discriminate"] = discriminators.concrete()
    texts = (
        json.dumps(class_names),
        json.dumps(metadata, indent=1),
        without_paths(config),
    )
    with (
        files.new_folder(folder) as temporary,
        # Not inside of the folder: the writer copies assets.
        tempfile.TemporaryDirectory() as assets,
    ):
        root.assets = []
        for name, text in zip(ASSETS, texts, strict=True):
            path = os.path.join(assets, name)
            with open(path, "w") as file:
                file.write(text)
            root.assets.append(tf.saved_model.Asset(path))
        tf.saved_model.save(root, temporary, signatures=signatures)


def _reusable(module):
    """The module in TF-Hub's interface for fine-tuning.

    A `tf.Module` has `trainable_variables` as a property, which is not saved.
    """
    root = tf.train.Checkpoint()
    for name in ("__call__", "class_names", "metadata"):
        setattr(root, name, getattr(module, name))
    root.statistics = module.statistics
    root.variables = list(module.variables)
    root.trainable_variables = list(module.trainable_variables)
    root.regularization_losses = []
    return root
