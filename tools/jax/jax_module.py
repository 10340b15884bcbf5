"""Modules that tools/jax/export_step.py wrote, as functions of JAX."""

import dataclasses
import hashlib
import json
import os
import time

import jax
import jax.export
import jax.numpy as jnp
import numpy as np


class Module:
    """A module of the manifest as a function of state and data.

    Args:
        manifest: what `read_manifest` returned.
        key: "step" or "sampler".
        directory: folder of the module's file.
    """

    def __init__(self, manifest, key, directory):
        entry = manifest[key]
        self.inputs, self.outputs = entry["inputs"], entry["outputs"]
        self.data = [x for x in self.inputs if x["role"] == "data"]
        with open(os.path.join(directory, entry["file"]), "rb") as file:
            artifact = file.read()
        if hashlib.sha256(artifact).hexdigest() != entry["sha256"]:
            raise ValueError(
                f"{entry['file']} is not the one of manifest.json; export "
                "again, or copy the whole folder."
            )
        self.call = as_function(artifact, self.inputs, self.outputs)
        # The state by what becomes of it: replaced by an output, or only
        # read. Those replaced are in the order of the outputs: JAX pairs
        # donated inputs and outputs of a type in their orders.
        self.updated = [x["name"] for x in self.outputs[1:]]
        self.read = [
            x["name"]
            for x in self.inputs
            if x["role"] == "state" and x["name"] not in set(self.updated)
        ]
        self.compiled = None

    def compile(self):
        """Compiles for the default device; returns the seconds it took."""
        specs = {x["name"]: _struct(x) for x in self.inputs}
        start = time.monotonic()
        self.compiled = (
            jax.jit(self._run, donate_argnums=0)
            .lower(
                [specs[name] for name in self.updated],
                [specs[name] for name in self.read],
                [_struct(x) for x in self.data],
            )
            .compile()
        )
        return time.monotonic() - start

    def __call__(self, state, *data):
        """Runs the module.

        Args:
            state: {name: array}; the arrays of updated state are donated to
                the call and replaced.
            data: arrays, in the order of the manifest.

        Returns:
            The module's result, an array.
        """
        result, updated = self.compiled(
            [state[name] for name in self.updated],
            [state[name] for name in self.read],
            list(data),
        )
        state.update(zip(self.updated, updated, strict=True))
        return result

    def _run(self, updated, read, data):
        values = dict(zip(self.updated, updated, strict=True))
        values.update(zip(self.read, read, strict=True))
        data = iter(data)
        arguments = [
            next(data)
            if x["role"] == "data"
            else values[x["name"]]
            if x["role"] == "state"
            else np.asarray(x["value"], x["dtype"])
            for x in self.inputs
        ]
        result, *updated = self.call(*arguments)
        return result, updated


def as_function(artifact, inputs, outputs):
    """A StableHLO artifact as a function that `jax.jit` can call.

    JAX has a public way to call the modules that it exported itself. So it
    exports a function of the same types, whose module is then replaced.

    Args:
        artifact: bytes of a portable artifact.
        inputs: dicts with `shape` and `dtype`, in the artifact's order.
        outputs: dicts with `shape` and `dtype`, in the artifact's order.
    """

    def zeros(*_):
        return [jnp.zeros(x["shape"], x["dtype"]) for x in outputs]

    exported = jax.export.export(jax.jit(zeros, keep_unused=True))(
        *map(_struct, inputs)
    )
    return dataclasses.replace(exported, mlir_module_serialized=artifact).call


def _struct(spec):
    return jax.ShapeDtypeStruct(spec["shape"], spec["dtype"])


def read_manifest(directory):
    """Reads manifest.json of an exported folder."""
    path = os.path.join(directory, "manifest.json")
    try:
        with open(path) as file:
            manifest = json.load(file)
    except FileNotFoundError as error:
        raise ValueError(
            f"There is no {path}; --export_dir is what "
            "tools/jax/export_step.py wrote with --output."
        ) from error
    if manifest.get("format") != 1:
        raise ValueError(
            f"{path} has the format {manifest.get('format')}, this program "
            "reads 1; export with the same version of the project."
        )
    return manifest
