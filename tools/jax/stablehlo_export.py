"""Writes a train step and the sampler as StableHLO, with all that it needs.

What is in the folder: docs/scaling.md, "Any PJRT device".
"""

import hashlib
import json
import os
import re

import keras
import numpy as np
import tensorflow as tf
from tensorflow.compiler.mlir.stablehlo import stablehlo

import dvdgan_tf
from dvdgan_tf.data import pipeline
from dvdgan_tf.exporting.stablehlo import only_stablehlo
from dvdgan_tf.frame_size import sides
from tools.flops import flops

# The oldest that StableHLO still reads: any JAX of today runs the modules.
STABLEHLO_VERSION = stablehlo.get_minimum_version()

_ELEMENT_TYPES = {
    "bfloat16": "bf16",
    "bool": "i1",
    "float32": "f32",
    "int32": "i32",
    "int64": "i64",
    "uint8": "ui8",
}


def export(trainer, output, fresh, sample_batch=2):
    """Writes step.mlir, sampler.mlir and state.npz.

    Args:
        trainer: a `Trainer` on one device.
        output: folder; created if missing.
        fresh: what `describe_fresh` returned.
        sample_batch: videos per call of the sampler.

    Returns:
        The manifest, a dict for `write_manifest`.

    Raises:
        ValueError: a module is not what the manifest would say.
    """
    os.makedirs(output, exist_ok=True)
    variables = trainer.variables()
    step = export_module(
        trainer.step_on,
        _step_data(trainer),
        "metrics",
        variables,
        os.path.join(output, "step.mlir"),
    )
    sampler = export_module(
        lambda z, y, *frames: trainer.ema_generator(
            z, y, training=False, frames=frames[0] if frames else None
        ),
        _sampler_data(trainer.generator, sample_batch),
        "videos",
        variables,
        os.path.join(output, "sampler.mlir"),
    )
    values = {name: v.numpy() for name, v in variables.items()}
    np.savez(os.path.join(output, "state.npz"), **values)
    return {
        "format": 1,
        "metrics": list(trainer.metrics),
        "num_classes": trainer.generator.num_classes,
        "flop_per_step": flops.count(trainer).step,
        "state": [
            {**_spec(name, value), "fresh": fresh[name]}
            for name, value in values.items()
        ],
        "step": step,
        "sampler": sampler,
        "versions": {
            "dvdgan_tf": dvdgan_tf.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "stablehlo": STABLEHLO_VERSION,
        },
    }


def _step_data(trainer):
    """{name: spec} of what `Trainer.step_on` takes."""
    generator = trainer.generator
    batch = [trainer.batches_per_step, trainer.batch_size]
    shape = [generator.num_frames, *sides(generator.resolution), 3]
    return {
        "videos": tf.TensorSpec([*batch, *shape], tf.uint8),
        "labels": tf.TensorSpec(batch, tf.int32),
    }


def _sampler_data(generator, batch):
    """{name: spec} of what the sampler takes: frames in prediction only."""
    data = {
        "z": tf.TensorSpec([batch, generator.z_dim], tf.float32),
        "y": tf.TensorSpec([batch], tf.int32),
    }
    if generator.conditioning_frames:
        shape = [batch, *generator.given_shape()]
        data["frames"] = tf.TensorSpec(shape, tf.float32)
    return data


def export_module(function, data, result, variables, path):
    """Writes a function of data and variables as a StableHLO artifact.

    Its inputs are the data, then each captured variable in the order of
    capture; its outputs the result, then each variable that it assigns.

    Args:
        function: called with tensors in the order of `data`.
        data: {name: tf.TensorSpec}.
        result: name of what the function returns, one tensor.
        variables: {name: variable}, the state of the run.
        path: file to write.

    Returns:
        Its entry of the manifest.
    """
    function = tf.function(function, jit_compile=True)
    concrete = function.get_concrete_function(*data.values())
    lower = function.experimental_get_compiler_ir(*data.values())
    text = lower(stage="stablehlo", platform_name="CPU")
    state = {
        id(_value(v).handle): (name, _value(v)) for name, v in variables.items()
    }
    inputs = [{**_spec(*item), "role": "data"} for item in data.items()]
    inputs += [_captured(concrete, x, state) for x in concrete.captured_inputs]
    outputs = [_spec(result, concrete.structured_outputs) | {"role": "result"}]
    # TensorFlow aliases each variable it assigns: the pairs say which output
    # is the new value of which input.
    pairs = re.findall(
        r"parameter_number = (\d+) : i64\}, output_index = array<i64: (\d+)>",
        text,
    )
    for output, parameter in sorted((int(o), int(p)) for p, o in pairs):
        if output != len(outputs) or inputs[parameter]["role"] != "state":
            raise ValueError(
                f"Output {output} of {path} is no assigned state of the run."
            )
        outputs.append(dict(inputs[parameter]))
    _check_signature(text, inputs, outputs, path)
    artifact = stablehlo.serialize_portable_artifact_str(
        only_stablehlo(text), STABLEHLO_VERSION
    )
    with open(path, "wb") as file:
        file.write(artifact)
    return {
        "file": os.path.basename(path),
        "sha256": hashlib.sha256(artifact).hexdigest(),
        "inputs": inputs,
        "outputs": outputs,
    }


def _value(variable):
    return variable if isinstance(variable, tf.Variable) else variable.value


def _spec(name, value):
    dtype = tf.as_dtype(value.dtype).name
    return {"name": name, "shape": list(value.shape), "dtype": dtype}


def _captured(concrete, tensor, state):
    """The manifest's entry of what a function has captured.

    What is not state of the run, such as a learning rate, is a constant.
    """
    if id(tensor) in state:
        return {**_spec(*state[id(tensor)]), "role": "state"}
    name, value = "constant", tensor
    for variable in concrete.graph.variables:
        if variable.handle is tensor:
            name, value = variable.name, variable.read_value()
    value = value.numpy()
    return {**_spec(name, value), "role": "constant", "value": value.tolist()}


def _check_signature(text, inputs, outputs, path):
    """Raises ValueError unless the module's types are the manifest's."""
    main = re.search(r"func\.func @main\((.*)", text)
    if main is None:
        # Modules that break a rule of StableHLO are printed otherwise.
        raise ValueError(
            f"TensorFlow {tf.__version__} compiles {path} to no valid module; "
            "an operation mixes types, as XLA lets it."
        )
    sides = main.group(1).split("->")
    for specs, types in zip((inputs, outputs), sides, strict=True):
        expected = [
            "x".join([*map(str, s["shape"]), _ELEMENT_TYPES[s["dtype"]]])
            for s in specs
        ]
        if re.findall(r"tensor<(\w+)>", types) != expected:
            raise ValueError(
                f"The types of {path} are not those of the captured "
                f"variables; TensorFlow {tf.__version__} orders them "
                "otherwise than this tool knows."
            )
    if "__elided__" in text:
        raise ValueError(f"TensorFlow left constants out of {path}.")


def describe_fresh(trainer):
    """How run_step draws a fresh state, where copying one takes too long.

    Args:
        trainer: a new `Trainer`.

    Returns:
        {name of the variable: dict with one of the keys "constant" (value),
        "copy" (name of an earlier variable), "orthogonal" (scale, of the
        matrix [-1, last axis]) and "normal" (standard deviation)}.
    """
    described, seen = {}, {}
    for name, variable in trainer.variables().items():
        value = variable.numpy()
        if np.all(value == value.flat[0]):
            described[name] = {"constant": value.flat[0].item()}
            continue
        key = hashlib.sha256(value.tobytes()).digest(), value.shape
        if key in seen:
            described[name] = {"copy": seen[key]}
            continue
        seen[key] = name
        scale = _orthogonal_scale(value)
        described[name] = (
            {"orthogonal": scale} if scale else {"normal": float(value.std())}
        )
    return described


def _orthogonal_scale(value):
    """c if a weight's matrix, or its transpose, has W^T W = c^2 I, or None."""
    if value.ndim < 2:
        return None
    matrix = value.reshape(-1, value.shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    v = np.random.default_rng(0).standard_normal((matrix.shape[1], 4))
    ratios = np.linalg.norm(matrix @ v, axis=0) / np.linalg.norm(v, axis=0)
    return float(ratios.mean()) if np.ptp(ratios) < 1e-4 else None


def write_batches(trainer, source, num_batches, output):
    """Writes the clips that training would see next to batches.npz."""
    batches = pipeline.batches(
        source,
        trainer.batch_size,
        trainer.training_seed,
        start_batch=int(trainer.step.numpy()) * trainer.batches_per_step,
    )
    batches = batches.batch(trainer.batches_per_step).take(num_batches)
    videos, labels = zip(*batches.as_numpy_iterator(), strict=True)
    np.savez_compressed(
        os.path.join(output, "batches.npz"),
        videos=np.stack(videos),
        labels=np.stack(labels).astype(np.int32),
    )


def write_manifest(manifest, output):
    """Writes manifest.json."""
    with open(os.path.join(output, "manifest.json"), "w") as file:
        json.dump(manifest, file, indent=1)
