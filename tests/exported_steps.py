"""Tiny steps exported, and run by JAX in a process without TensorFlow."""

import os
import pathlib
import subprocess
import sys

from training import tiny

from tools.jax import stablehlo_export

ROOT = pathlib.Path(__file__).parents[1]

# Any import of TensorFlow or of this project fails.
ALONE = """
import runpy, sys
sys.modules["tensorflow"] = sys.modules["dvdgan_tf"] = None
runpy.run_module("tools.jax.run_step", run_name="__main__")
"""


def run_alone(*args, **environment):
    """Runs tools/jax/run_step.py; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        # Compiles faster, and computes the same.
        env=os.environ
        | {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        }
        | environment,
    )


def make_trainer(**changes):
    trainer = tiny.trainer(
        learning_rate_g=1e-3,
        learning_rate_d=5e-3,
        ema_decay=0.75,
        ema_start_step=2,
        # Biases before a batch norm have gradients of rounding errors alone.
        adam_epsilon=1e-3,
        **changes,
    )
    trainer.randomness.follow_labels(tiny.Source.label_counts)
    return trainer


def export(trainer, folder, num_batches):
    fresh = stablehlo_export.describe_fresh(trainer)
    manifest = stablehlo_export.export(trainer, str(folder), fresh)
    stablehlo_export.write_manifest(manifest, folder)
    stablehlo_export.write_batches(trainer, tiny.Source(), num_batches, folder)
    return manifest
