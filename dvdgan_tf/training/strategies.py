"""The `tf.distribute` strategies by the names of the command line."""

import functools
import json
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


def make_strategy(name: str = "auto", tpu: str = "") -> tf.distribute.Strategy:
    """Creates a strategy.

    Args:
        name: "one_device", "mirrored" (all GPUs of this machine, or all
            logical CPUs if it has none), "multi_worker" (TF_CONFIG names the
            workers), "tpu", or "auto": multi_worker if TF_CONFIG is set,
            mirrored on more than one GPU, else one_device.
        tpu: name or address of the TPU, for "tpu".

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: there is no such device, or TF_CONFIG is missing.
    """
    if name == "auto" and os.environ.get("TF_CONFIG"):
        name = "multi_worker"
    # These two come before anything that looks at the devices, which starts
    # TensorFlow's runtime: multi_worker is then no longer possible.
    if name == "multi_worker":
        strategy = _multi_worker()
        if not tf.config.list_physical_devices("GPU"):
            _leave_graphs_as_they_are()
        return strategy
    if name == "tpu":
        return _tpu(tpu)
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        _leave_graphs_as_they_are()
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one_device"
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")
    if name == "mirrored":
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    raise ValueError(f"There is no strategy {name!r}.")


def share_cores(shards: int) -> None:
    """Gives each of the shards that run side by side its share of the cores.

    Where a batch is in one shard, or there is a GPU, TensorFlow's own
    settings stay. It is called before anything starts TensorFlow's runtime.

    Args:
        shards: number of shards that the trainer computes side by side.
    """
    if shards == 1 or tf.config.list_physical_devices("GPU"):
        return
    cores = len(os.sched_getaffinity(0))
    try:
        tf.config.threading.set_inter_op_parallelism_threads(min(shards, cores))
        tf.config.threading.set_intra_op_parallelism_threads(
            max(cores // shards, 1)
        )
    except RuntimeError:
        # The runtime has started, in a program that trains for the second
        # time: it keeps its threads, which costs time and changes no result.
        return


def _multi_worker():
    try:
        json.loads(os.environ.get("TF_CONFIG") or "{}")
    except ValueError as error:
        raise ValueError(
            f"The environment variable TF_CONFIG is not JSON: {error}."
        ) from error
    if not os.environ.get("TF_CONFIG"):
        raise ValueError(
            "--strategy=multi_worker needs the environment variable "
            'TF_CONFIG, such as {"cluster": {"worker": ["host1:2222", '
            '"host2:2222"]}, "task": {"type": "worker", "index": 0}}.'
        )
    # TensorFlow waits for an hour, deaf to signals.
    print("Waiting until all workers of TF_CONFIG have started ...", flush=True)
    return tf.distribute.MultiWorkerMirroredStrategy()


def _leave_graphs_as_they_are():
    """Turns TensorFlow's graph optimizer off, for CPUs.

    It takes ten seconds for a step's graph, and makes no step faster there.
    """
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )


def _tpu(address):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(address)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"No TPU was found at --tpu={address!r} ({reason}); give the "
            "TPU's name or its grpc:// address, or 'local' on a TPU VM."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def check_same_on_all_workers(
    strategy: tf.distribute.Strategy, name: str, value: float
) -> None:
    """Raises ValueError unless all workers have the same value.

    Workers that do not agree would wait for each other for ever.

    Args:
        strategy: a `tf.distribute.Strategy`.
        name: what the value is, for the error.
        value: a number.
    """
    total, count = sum_over_replicas(strategy, [value, 1])
    average = float(total / count)
    if average != value:
        raise ValueError(
            f"The workers differ in their {name}: {value} here, {average:g} "
            "on average; --workdir must be on a file system that they share, "
            "and their data the same."
        )


def from_chief(strategy: tf.distribute.Strategy, value: float) -> float:
    """Tells all workers a number of the chief's.

    Args:
        strategy: a `tf.distribute.Strategy`; all of its workers call this.
        value: the number; that of the chief counts.
    """
    chief = float(strategy.extended.should_checkpoint)
    total, count = sum_over_replicas(strategy, [chief * value, chief])
    return float(total / count)


def sum_over_replicas(
    strategy: tf.distribute.Strategy, values: Sequence[float]
) -> np.ndarray:
    """Adds up numbers of several workers, each as often as it has replicas.

    Args:
        strategy: a `tf.distribute.Strategy`; all of its workers call this.
        values: numbers; those of a strategy of one process are its sums.

    Returns:
        The sums, float64.
    """
    if not is_multi_worker(strategy):
        return np.asarray(values, np.float64)
    return _summing(strategy)(tf.constant(values, tf.float64)).numpy()


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether a strategy is one of several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


@functools.lru_cache(maxsize=1)  # One cluster a process, traced once.
def _summing(strategy: tf.distribute.Strategy) -> Callable[..., tf.Tensor]:
    @tf.function(reduce_retracing=True)
    def summing(values):
        everyones = strategy.run(tf.identity, args=(values,))
        return strategy.reduce("SUM", everyones, axis=None)

    return summing
