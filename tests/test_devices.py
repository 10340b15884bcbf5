"""What a command says of its devices, on machines that are made up."""

import os
from unittest import mock

import pytest
import tensorflow as tf

from dvdgan_tf import devices

THREADS = len(os.sched_getaffinity(0))


def strategy(kind, names):
    made = mock.Mock(spec=kind)
    made.extended = mock.Mock(worker_devices=names)
    made.num_replicas_in_sync = len(names)
    return made


def test_of_real_strategies():
    one = tf.distribute.OneDeviceStrategy("CPU:0")
    words = f"1 CPU ({THREADS} thread{'s' * (THREADS > 1)})"
    assert devices.describe(one) == f"Devices: {words}, one replica"
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert devices.describe(two).startswith("Devices: 2 logical CPUs (")
    assert devices.describe(two).endswith(", mirrored")


def test_of_others():
    prefix = "/job:worker/replica:0/task:1/device:"
    gpus = [f"{prefix}GPU:{i}" for i in range(8)]
    mirrored = strategy(tf.distribute.MirroredStrategy, gpus)
    assert devices.describe(mirrored) == "Devices: 8 GPUs, mirrored"
    one = strategy(tf.distribute.OneDeviceStrategy, gpus[:1])
    assert devices.describe(one) == "Devices: 1 GPU, one replica"
    tpu = strategy(
        tf.distribute.TPUStrategy, [f"{prefix}TPU:0", f"{prefix}TPU:1"]
    )
    assert devices.describe(tpu) == "Devices: 2 TPU cores, 2 replicas"
    workers = strategy(tf.distribute.MultiWorkerMirroredStrategy, gpus)
    workers.num_replicas_in_sync = 16
    workers.cluster_resolver = (
        tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({"worker": ["a:1", "b:1"]}),
            task_type="worker",
            task_id=1,
        )
    )
    assert devices.describe(workers) == (
        "Devices: 8 GPUs, worker 1 of 0 to 1, 16 replicas over all"
    )


def test_warnings(capsys, monkeypatch):
    monkeypatch.setattr(devices, "why_no_gpu", lambda built: "No driver.")
    devices.report(tf.distribute.MirroredStrategy(["CPU:0"]))
    first, second = capsys.readouterr().err.splitlines()
    assert "--strategy=mirrored has one device only" in first
    assert second == "warning: No GPU is used: No driver."


@pytest.mark.parametrize(
    ("with_cuda", "device", "hidden", "driver", "words"),
    [
        (False, False, None, False, None),
        (False, True, None, True, "built without CUDA; pip install"),
        (True, False, None, False, "there is no /dev/nvidia0"),
        (True, True, "-1", True, "CUDA_VISIBLE_DEVICES=-1 hides the GPUs"),
        (True, True, None, False, "there is no libcuda.so.1"),
        (True, True, None, True, "CUDA"),
    ],
)
def test_why_there_is_no_gpu(
    tmp_path, monkeypatch, with_cuda, device, hidden, driver, words
):
    monkeypatch.setattr(devices, "_loads", lambda library: driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    (tmp_path / "dev").mkdir()
    if device:
        (tmp_path / "dev" / "nvidia0").write_text("")
    reason = devices.why_no_gpu(with_cuda, str(tmp_path))
    assert reason is None if words is None else words in reason
