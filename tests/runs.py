"""Folders of runs as training leaves them, of networks that cost nothing."""

import json
import os
import pathlib

import gin
import numpy as np

from dvdgan_tf import config
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


def make_run(folder, name="demo", steps=(10, 20)):
    """Makes a folder of a run of `gin/{name}.gin`, in tiny.

    Its weights are not those of the initialiser, the average is not the live
    generator, and the weights' vectors u are not converged.

    Returns:
        The `Trainer`, as it was at the last step.
    """
    gin.clear_config()
    config.parse([str(GIN / f"{name}.gin")], TINY)
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
    checkpoints = Checkpoints(trainer, os.path.join(folder, "ckpt"), 3)
    for step in steps:
        trainer.step.assign(step)
        checkpoints.save(step)
    (pathlib.Path(folder) / "operative_config.gin").write_text(gin.config_str())
    names = [str(digit) for digit in range(10)]
    (pathlib.Path(folder) / "classes.json").write_text(json.dumps(names))
    gin.clear_config()
    return trainer
