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


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _memory_is_given_back():
    """Or traced programs of all files of a process pile up to 10 GB."""
    yield
    keras.utils.clear_session()
    gc.collect()
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)


def pytest_terminal_summary(terminalreporter):
    """Says where pictures are that tests have kept, also those of workers."""
    for report in terminalreporter.getreports(""):
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == "screenshot":
                    terminalreporter.line(f"Screenshot: {value}")
