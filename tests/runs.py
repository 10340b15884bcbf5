"""Folders of runs as training leaves them, of networks that cost nothing."""

import pathlib

import gin
import numpy as np

from dvdgan_tf import config, files
from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training.checkpoints import Checkpoints

GIN = pathlib.Path(__file__).parents[1] / "gin"
TINY = [
    "CH = 2",
    "BATCH_SIZE = 2",
    "Generator.channel_multipliers = (2, 2, 1, 1)",
    "Generator.z_dim = 6",
    "Generator.embedding_dim = 4",
    "SpatialDiscriminator.channel_multipliers = (1, 1, 2, 2)",
    "TemporalDiscriminator.channel_multipliers = (1, 1, 2, 2)",
]


# How many clips of each digit a run may have; so unlike that it matters.
COUNTS = [0, 0, 0, 9, 0, 0, 0, 0, 0, 1]


def make_run(
    folder,
    name="demo",
    steps=(10, 20),
    label_counts=None,
    bindings=("NUM_FRAMES = 4", "SpatialDiscriminator.k = 2"),
):
    """Makes a folder of a run of `gin/{name}.gin`, in tiny.

    Its weights are not those of the initialiser, the average is not the live
    generator, and the weights' vectors u are not converged.

    Returns:
        The `Trainer`, as it was at the last step.
    """
    gin.clear_config()
    config.parse([str(GIN / f"{name}.gin")], [*TINY, *bindings])
    conditional = gin.get_bindings("train")["class_conditional"]
    trainer = gin.get_bindings("train")["trainer"](
        num_classes=10 if conditional else 1
    )
    random = np.random.default_rng(0)
    for path, variable in trainer.variables().items():
        if path.startswith(("optimizer", "step")) or "moving" in path:
            continue
        if path.endswith("momentum"):
            continue
        noise = 0.1 * random.standard_normal(variable.shape)
        variable.assign(variable + noise.astype("float32"))
    run = RunFolder(folder)
    checkpoints = Checkpoints(trainer, run.checkpoints, 3)
    for step in steps:
        trainer.step.assign(step)
        checkpoints.save(step)
    files.write_text(run.config, gin.config_str())
    files.write_json(run.classes, [str(digit) for digit in range(10)])
    if label_counts:
        files.write_json(run.label_counts, label_counts)
    gin.clear_config()
    return trainer
