"""Trains on any device of JAX: runs what tools/export_step.py wrote.

    python run_step.py --export_dir=export --batches=export/batches.npz \
        --steps=100 --save=state.npz --log=metrics.jsonl

Needs JAX and NumPy only, no TensorFlow and nothing else of this project. The
last line of its output is one JSON object of measurements.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import sys
import time
import zipfile

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

SAMPLER_CALLS = 10


def main():
    """Runs what the flags ask for."""
    args = _parse_arguments()
    # The counters of the state are int64.
    jax.config.update("jax_enable_x64", True)
    device = jax.devices()[0]
    report = {"device": device.device_kind, "platform": device.platform}
    try:
        if args.export_dir:
            manifest = read_manifest(args.export_dir)
            state = load_state(args, manifest)
            if args.steps:
                batches = read_npz(args.batches)
                step = Module(manifest, "step", args.export_dir)
                train(step, state, batches, args, manifest, report)
                report.update(memory(device, step))
            if args.samples:
                sample(manifest, args, state, report)
            if args.save:
                save(args.save, state)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    if args.measure_matmul:
        import matmul_rate  # The file beside this one.

        report["matmul"] = matmul_rate.measure(args.measure_matmul)
    print(json.dumps(report))


def _parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--export_dir", help="Folder that export_step wrote.")
    add("--state", help="NPZ to start from; state.npz of the folder if none.")
    add(
        "--fresh",
        type=int,
        metavar="SEED",
        help="Draw fresh weights instead of reading a state.",
    )
    add("--batches", help="NPZ of clips; used again from the start if short.")
    add("--steps", type=int, default=0, help="Steps to run.")
    add("--save", help="NPZ to write the state to.")
    add("--log", help="File to append a JSON line of metrics per step to.")
    add("--samples", help="NPZ to write samples to; also times the sampler.")
    add(
        "--measure_matmul",
        type=int,
        nargs="?",
        const=8192,
        metavar="N",
        help="Also measure the rate of N x N matrix products, in TFLOP/s.",
    )
    args = parser.parse_args()
    if not args.export_dir and not args.measure_matmul:
        parser.error("name a folder, --export_dir")
    if args.steps and not args.batches:
        parser.error("--steps needs clips, --batches")
    return args


class Module:
    """A module of the manifest as a function of state and data.

    Args:
        manifest: as `read_manifest` returns.
        key: "step" or "sampler".
        directory: of the module's file.
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
        self.call = _as_function(artifact, self.inputs, self.outputs)
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


def _as_function(artifact, inputs, outputs):
    """A StableHLO artifact as a function that `jax.jit` can call.

    JAX has a public way to call the modules that it exported itself. So it
    exports a function of the same types, whose module is then replaced.
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
            f"There is no {path}; --export_dir is what tools/export_step.py "
            "wrote with --output."
        ) from error
    if manifest.get("format") != 1:
        raise ValueError(
            f"{path} has the format {manifest.get('format')}, this program "
            "reads 1; export with the same version of the project."
        )
    return manifest


def read_npz(path):
    """Reads all arrays of an NPZ file, {name: array}."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise ValueError(f"There is no file {path}.") from error
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is no NPZ file of plain arrays ({error})."
        ) from error


def load_state(args, manifest):
    """The state to start from, {name: array on the device}."""
    if args.fresh is not None:
        return jax.device_put(draw_fresh(manifest["state"], args.fresh))
    path = args.state or os.path.join(args.export_dir, "state.npz")
    state = read_npz(path)
    specs = {spec["name"]: spec for spec in manifest["state"]}
    for name in sorted(specs.keys() | state.keys()):
        if name not in state:
            raise ValueError(f"{path} has no {name}, which manifest.json has.")
        if name not in specs:
            raise ValueError(
                f"{path} has {name}, which is not in manifest.json."
            )
        check_array(path, name, state[name], specs[name])
    return jax.device_put(state)


def check_array(path, name, array, spec):
    """Raises ValueError unless an array has the manifest's shape and type."""
    shape, dtype = list(array.shape), str(array.dtype)
    if shape != spec["shape"] or dtype != spec["dtype"]:
        raise ValueError(
            f"{name} in {path} is {dtype} {shape}; the export needs "
            f"{spec['dtype']} {spec['shape']}."
        )


def draw_fresh(specs, seed):
    """Draws the state of a new run, as the manifest describes it."""
    rng = np.random.default_rng(seed)
    state = {}
    for spec in specs:
        (kind, value), shape = *spec["fresh"].items(), spec["shape"]
        if kind == "constant":
            array = np.full(shape, value)
        elif kind == "copy":
            array = state[value]
        elif kind == "normal":
            array = value * rng.standard_normal(shape)
        elif kind == "orthogonal":
            array = value * _orthogonal(rng, shape)
        else:
            raise ValueError(f"The manifest has an unknown start: {kind}.")
        state[spec["name"]] = np.asarray(array, spec["dtype"])
    return state


def _orthogonal(rng, shape):
    rows, columns = np.prod(shape[:-1], dtype=int), shape[-1]
    size = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(rng.standard_normal(size))
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def train(step, state, batches, args, manifest, report):
    """Runs steps; `state` and `report` are updated in place.

    Args:
        step: a `Module`.
        state: {name: array on the device}.
        batches: {"videos": uint8 [n, d_steps, B, T, H, W, 3],
            "labels": int32 [n, d_steps, B]}.
        args: the flags.
        manifest: as `read_manifest` returns.
        report: gets the measurements.
    """
    data = [clips(args.batches, batches, spec) for spec in step.data]
    report["compile_seconds"] = step.compile()
    first, pending = int(state["step"]), None
    start = time.monotonic()
    with open(args.log or os.devnull, "a") as log:
        for i in range(args.steps):
            batch = [array[i % len(array)] for array in data]
            metrics = step(state, *jax.device_put(batch))
            # Looks at a step only when the next is on its way.
            if pending is not None:
                _log(log, manifest["metrics"], first + i, pending)
            pending = metrics
            if i == 0:
                jax.block_until_ready(state)
                report["first_step_seconds"] = time.monotonic() - start
                start = time.monotonic()
        jax.block_until_ready(state)
        seconds = time.monotonic() - start
        _log(log, manifest["metrics"], first + args.steps, pending)
    report["steps"] = args.steps
    if args.steps > 1:
        rate = (args.steps - 1) / seconds
        report["steps_per_second"] = rate
        report["real_clips_per_second"] = rate * data[1][0].size
        if manifest.get("flop_per_step"):
            report["tflops"] = rate * manifest["flop_per_step"] / 1e12


def clips(path, batches, spec):
    """One array of the batches, checked."""
    name = spec["name"]
    if name not in batches:
        raise ValueError(f"{path} has no {name}.")
    array = batches[name]
    if not len(array):
        raise ValueError(f"{path} has no batches.")
    check_array(path, f"A batch of {name}", array[0], spec)
    return array


def _log(file, names, step, metrics):
    """Writes a line, if the metrics are finite."""
    values = dict(zip(names, np.asarray(metrics).tolist(), strict=True))
    for name, value in values.items():
        if not np.isfinite(value):
            raise ValueError(
                f"{name} is {value} at step {step}; nothing was saved."
            )
    line = {name: float(f"{value:.7g}") for name, value in values.items()}
    file.write(json.dumps({"step": step} | line) + "\n")
    file.flush()


def memory(device, module):
    """Peak memory of the device, if it tells, and of the module by XLA."""
    found = {}
    statistics = device.memory_stats() or {}
    if "peak_bytes_in_use" in statistics:
        found["peak_bytes"] = statistics["peak_bytes_in_use"]
    analysis = module.compiled.memory_analysis()
    if analysis is not None:
        aliased = analysis.alias_size_in_bytes
        found["donated_bytes"] = aliased
        found["step_bytes"] = (
            analysis.argument_size_in_bytes
            + analysis.output_size_in_bytes
            + analysis.temp_size_in_bytes
            - aliased
        )
    return found


def sample(manifest, args, state, report):
    """Writes videos of the averaged generator; times the sampler."""
    sampler = Module(manifest, "sampler", args.export_dir)
    report["sampler_compile_seconds"] = sampler.compile()
    z, y = sampler.data
    rng = np.random.default_rng(args.fresh or 0)
    data = jax.device_put(
        [
            rng.standard_normal(z["shape"]).astype(z["dtype"]),
            (np.arange(*y["shape"]) % manifest["num_classes"]).astype(
                y["dtype"]
            ),
        ]
    )
    seconds = []
    for _ in range(SAMPLER_CALLS):
        start = time.monotonic()
        videos = sampler(state, *data).block_until_ready()
        seconds.append(time.monotonic() - start)
    report["sampler_videos"] = len(videos)
    report["sampler_seconds"] = float(np.median(seconds))
    videos = np.round((np.asarray(videos) + 1.0) * 127.5).astype(np.uint8)
    np.savez_compressed(args.samples, videos=videos, labels=data[1])


def save(path, state):
    """Writes the state, whole or not at all."""
    with open(f"{path}.tmp", "wb") as file:
        np.savez(file, **jax.device_get(state))
    os.replace(f"{path}.tmp", path)


if __name__ == "__main__":
    main()
