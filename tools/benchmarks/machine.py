"""What a benchmark ran on, and how much memory it took."""

import os
import platform
import resource

import keras
import tensorflow as tf


def describe():
    """Versions, processor and devices."""
    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "gpus": [details(gpu).get("device_name", gpu.name) for gpu in gpus],
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
    }


def _cpu_model():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def peak_memory():
    """Peak so far, GiB: of the process, and of each GPU if there is one."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result = {"peak_memory_gib": peak}
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        result["peak_gpu_memory_gib"] = max(
            tf.config.experimental.get_memory_info(f"GPU:{i}")["peak"] / 2**30
            for i in range(len(gpus))
        )
    return result


def devices(replicas):
    """Names of as many GPUs, or logical CPUs where there is no GPU.

    Raises:
        ValueError: there are fewer GPUs.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < replicas:
        raise ValueError(
            f"--replicas must be at most the number of GPUs, {len(gpus)}. "
            f"Received: --replicas={replicas}"
        )
    if not gpus:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * replicas,
        )
    kind = "GPU" if gpus else "CPU"
    return [f"{kind}:{i}" for i in range(replicas)]
