"""Writes a sampler as versioned StableHLO, for any runtime that reads it."""

import json
import os
import re

import keras
import numpy as np
import tensorflow as tf

from dvdgan_tf import files
from dvdgan_tf.generation.generator_module import GeneratorModule


def write(
    module: GeneratorModule, folder: str, metadata: dict, batch_size: int
) -> None:
    """Writes sampler.mlir, weights.npz and sampler.json.

    Shapes are static in StableHLO: the batch size is fixed. The artifact's
    inputs are those of `sampler.json`, in that order: z, y (soft labels),
    truncation [, frames], then the arrays of `weights.npz` named there. An
    impossible truncation is not refused: StableHLO has no assertions.

    Args:
        module: `GeneratorModule`.
        folder: path of the folder to make; it must not exist yet.
        metadata: what the module says of itself; part of sampler.json.
        batch_size: videos per call.

    Raises:
        FileExistsError: there is something at `folder`.
    """
    # Part of TensorFlow, and slow to import.
    from tensorflow.compiler.mlir.stablehlo import stablehlo

    signature = module.specs(ids=False)
    names = sorted(signature)
    specs = [
        tf.TensorSpec(
            [batch_size if size is None else size for size in s.shape], s.dtype
        )
        for s in (signature[name] for name in names)
    ]
    sample = tf.function(
        lambda *inputs: module(dict(zip(names, inputs, strict=True))),
        jit_compile=True,
    )
    concrete = sample.get_concrete_function(*specs)
    lower = sample.experimental_get_compiler_ir(*specs)
    text = lower(stage="stablehlo", platform_name="CPU")
    values = [_value(x, module) for x in concrete.captured_inputs]
    weights = {f"w{i:04d}": value for i, value in enumerate(values)}
    version = stablehlo.get_minimum_version()
    artifact = stablehlo.serialize_portable_artifact_str(
        only_stablehlo(text), version
    )
    inputs = [
        {"name": n, "shape": s.shape.as_list(), "dtype": s.dtype.name}
        for n, s in zip(names, specs, strict=True)
    ]
    output = concrete.structured_outputs
    facts = {
        "inputs": inputs + [{"weights": name} for name in weights],
        "outputs": [
            {
                "name": "videos",
                "shape": output.shape.as_list(),
                "dtype": output.dtype.name,
            }
        ],
        "module": metadata,
        "versions": {
            "stablehlo": version,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
    with files.new_folder(folder) as temporary:
        os.makedirs(temporary)
        with open(os.path.join(temporary, "sampler.mlir"), "wb") as file:
            file.write(artifact)
        np.savez(os.path.join(temporary, "weights.npz"), **weights)
        with open(os.path.join(temporary, "sampler.json"), "w") as file:
            json.dump(facts, file, indent=1)


def only_stablehlo(text: str) -> str:
    """Drops attributes and copies of mhlo, which JAX does not read."""
    text = re.sub(
        r"= mhlo\.copy (%\S+) : (\S+)",
        r"= stablehlo.reshape \1 : (\2) -> \2",
        text,
    )
    text = re.sub(r" \{mhlo\.frontend_attributes = \{[^}]*\}\}", "", text)
    return re.sub(
        r"^module @\S+ attributes .*\{( loc\(.*)?$",
        "module @jit_main {",
        text,
        flags=re.MULTILINE,
    )


def _value(tensor, module):
    """What a captured input is: a variable's value, or a constant."""
    if tensor.dtype != tf.resource:
        return tensor.numpy()
    for variable in module.variables:
        if variable.handle is tensor:
            return variable.numpy()
    raise ValueError(f"The sampler reads what is not its own: {tensor}")
