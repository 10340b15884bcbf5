"""Two logical CPUs, for tests with two replicas, and fixed random seeds."""

import ctypes
import gc
import os

import keras
import pytest
import tensorflow as tf

# XLA compiles for the tests in half the time; unlike a user's, their programs
# hardly run. Read when it compiles first.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true",
)

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


def pytest_collection_finish():
    """All that is imported stays: no garbage collection looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _kernels_are_kept():
    """TensorFlow's own seed is set by nobody.

    Setting it, as each new `Trainer` does, makes TensorFlow forget all kernels
    and traced programs, which costs seconds. What draws by Keras, NumPy or
    stateless operations does not depend on it.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(tf.random, "set_seed", lambda seed: None)
        yield


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _memory_is_given_back():
    """Or traced programs of all files of a process pile up to 10 GB.

    Below 2 GiB they stay: without them, what is shared between files begins
    anew.
    """
    yield
    if resident_bytes() < 2 * 2**30:
        return
    keras.utils.clear_session()
    gc.collect()
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)


def resident_bytes():
    """Memory that this process holds; infinite where Linux does not say it."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return float("inf")


def pytest_terminal_summary(terminalreporter):
    """Says where pictures are that tests have kept, also those of workers."""
    for report in terminalreporter.getreports(""):
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == "screenshot":
                    terminalreporter.line(f"Screenshot: {value}")
