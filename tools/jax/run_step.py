"""Trains on any device of JAX: runs what tools/jax/export_step.py wrote.

    python -m tools.jax.run_step --export_dir=export \
        --batches=export/batches.npz --steps=100 --save=state.npz \
        --log=metrics.jsonl

Needs JAX, NumPy and the files jax_module.py, matmul_rate.py and npz_file.py
beside it, in a folder tools/jax; no TensorFlow and nothing else of this
project. The last line of
its output is one JSON object of measurements.
"""

import argparse
import json
import os
import sys
import time

import jax
import numpy as np

from tools.jax.jax_module import Module, read_manifest
from tools.jax.npz_file import read_npz

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
            run(args, device, report)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    if args.measure_matmul:
        from tools.jax import matmul_rate

        report["matmul"] = matmul_rate.measure(args.measure_matmul)
    print(json.dumps(report))


def run(args, device, report):
    """Runs what the flags ask of an exported folder; fills the report."""
    manifest = read_manifest(args.export_dir)
    if args.memory and not args.steps:
        step = Module(manifest, "step", args.export_dir)
        report["compile_seconds"] = step.compile()
        report.update(memory(device, step))
    if not (args.steps or args.samples or args.save):
        return
    state = load_state(args, manifest)
    batches = read_npz(args.batches) if args.batches else {}
    if args.steps:
        step = Module(manifest, "step", args.export_dir)
        train(step, state, batches, args, manifest, report)
        report.update(memory(device, step))
    if args.samples:
        sample(manifest, args, state, batches, report)
    if args.save:
        save(args.save, state)


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
    add(
        "--batches",
        help="NPZ of clips; used again from the start if short. In frame "
        "prediction samples continue the first of them.",
    )
    add("--steps", type=int, default=0, help="Steps to run.")
    add(
        "--memory",
        action="store_true",
        help="Compile the step and report its memory by XLA; runs nothing.",
    )
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
        batches: {"videos": uint8 [n, batches per step, B, T, H, W, 3],
            "labels": int32 [n, batches per step, B]}.
        args: the flags.
        manifest: what `read_manifest` returned.
        report: dict that the measurements are added to.
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


def sample(manifest, args, state, batches, report):
    """Writes videos of the averaged generator; times the sampler.

    Args:
        manifest: what `read_manifest` returned.
        args: the flags.
        state: {name: array on the device}.
        batches: batches as `train` takes them. Only frame prediction needs
            them; its videos are written with the frames that were given.
        report: dict that the measurements are added to.
    """
    sampler = Module(manifest, "sampler", args.export_dir)
    z, y, *frames = sampler.data
    if frames:
        given, labels = conditions(args.batches, batches, *frames)
    else:
        given, labels = [], np.arange(*y["shape"])
    report["sampler_compile_seconds"] = sampler.compile()
    rng = np.random.default_rng(args.fresh or 0)
    data = jax.device_put(
        [
            rng.standard_normal(z["shape"]).astype(z["dtype"]),
            (labels % manifest["num_classes"]).astype(y["dtype"]),
            *given,
        ]
    )
    seconds = []
    for _ in range(SAMPLER_CALLS):
        start = time.monotonic()
        videos = sampler(state, *data).block_until_ready()
        seconds.append(time.monotonic() - start)
    report["sampler_videos"] = len(videos)
    report["sampler_seconds"] = float(np.median(seconds))
    videos = np.concatenate([*given, np.asarray(videos)], 1)
    videos = np.round((videos + 1.0) * 127.5).astype(np.uint8)
    np.savez_compressed(args.samples, videos=videos, labels=data[1])


def conditions(path, batches, spec):
    """The frames that samples continue, and the labels of their clips.

    Args:
        path: path of the batches, or None.
        batches: batches as `train` takes them.
        spec: the manifest's entry of the sampler's frames, [B, C, H, W, 3].

    Returns:
        A list of the frames in [-1, 1], and labels [B].
    """
    if "videos" not in batches or "labels" not in batches:
        raise ValueError(
            "Samples of frame prediction continue clips: name a file of "
            f"videos and labels with --batches. Received: {path}"
        )
    if not batches["videos"].size:
        raise ValueError(f"{path} has no batches.")
    # Of all steps and updates, in their order.
    videos = batches["videos"].reshape(-1, *batches["videos"].shape[3:])
    size, num_frames = spec["shape"][:2]
    chosen = np.arange(size) % len(videos)
    frames = videos[chosen, :num_frames].astype(spec["dtype"]) / 127.5 - 1.0
    check_array(path, "The first frames of videos", frames, spec)
    return [frames], batches["labels"].reshape(-1)[chosen]


def save(path, state):
    """Writes the state, whole or not at all."""
    with open(f"{path}.tmp", "wb") as file:
        np.savez(file, **jax.device_get(state))
    os.replace(f"{path}.tmp", path)


if __name__ == "__main__":
    main()
