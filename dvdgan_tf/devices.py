"""Says on which devices a command runs, and why not on a GPU."""

import ctypes
import importlib.util
import os
import sys
from typing import Any


def report(strategy: Any) -> None:
    """Prints the devices of a strategy, and what is odd about them.

    Args:
        strategy: a `tf.distribute.Strategy`.
    """
    import tensorflow as tf

    print(describe(strategy), flush=True)
    mirrored = isinstance(strategy, tf.distribute.MirroredStrategy)
    if mirrored and strategy.num_replicas_in_sync == 1:
        warn(
            "--strategy=mirrored has one device only; --strategy=one_device "
            "does the same with less overhead."
        )
    on_cpu = "CPU" in strategy.extended.worker_devices[0]
    if on_cpu and not tf.config.list_physical_devices("GPU"):
        reason = why_no_gpu(tf.test.is_built_with_cuda())
        if reason:
            warn(f"No GPU is used: {reason}")


def describe(strategy: Any) -> str:
    """A line such as "Devices: 8 GPUs, mirrored"."""
    import tensorflow as tf

    devices = strategy.extended.worker_devices
    count, kind = len(devices), devices[0].rpartition("device:")[2][:3]
    kinds = {"CPU": "CPU", "GPU": "GPU", "TPU": "TPU core"}
    logical = "logical " if kind == "CPU" and count > 1 else ""
    text = f"{count} {logical}{kinds.get(kind, kind)}{'s' * (count > 1)}"
    if kind == "CPU":
        threads = len(os.sched_getaffinity(0))
        text += f" ({threads} thread{'s' * (threads > 1)})"
    replicas = strategy.num_replicas_in_sync
    resolver = strategy.cluster_resolver
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        workers = len(resolver.cluster_spec().job_tasks(resolver.task_type))
        how = (
            f"worker {resolver.task_id} of 0 to {workers - 1}, {replicas} "
            "replicas over all"
        )
    elif isinstance(strategy, tf.distribute.TPUStrategy):
        how = f"{replicas} replicas"
    elif isinstance(strategy, tf.distribute.MirroredStrategy):
        how = "mirrored"
    else:
        how = "one replica"
    return f"Devices: {text}, {how}"


def why_no_gpu(built_with_cuda: bool, root: str = "/") -> str | None:
    """Why TensorFlow sees no GPU.

    Args:
        built_with_cuda: whether TensorFlow could use one.
        root: folder of the file system to look at.

    Returns:
        A sentence, or None where that is as it should be: this TensorFlow
        is for CPUs, and so is the machine.
    """
    has_device = os.path.exists(os.path.join(root, "dev/nvidia0"))
    install = "pip install 'dvdgan_tf[gpu]'"
    if not built_with_cuda:
        if has_device:
            return f"this TensorFlow is built without CUDA; {install}."
        return None
    if not has_device:
        return (
            "TensorFlow is built with CUDA, but this machine has no NVIDIA "
            "device (there is no /dev/nvidia0)."
        )
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES={hidden} hides the GPUs."
    if not _loads("libcuda.so.1"):
        return "the NVIDIA driver is not installed (there is no libcuda.so.1)."
    if importlib.util.find_spec("nvidia") is None:
        return f"CUDA's libraries may be missing; {install}."
    return (
        "TensorFlow cannot use the NVIDIA device; TF_CPP_MIN_LOG_LEVEL=0 in "
        "the environment shows why."
    )


def warn(sentence: str) -> None:
    """Prints a warning."""
    print(f"warning: {sentence}", file=sys.stderr, flush=True)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
