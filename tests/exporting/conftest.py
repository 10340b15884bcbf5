import gin
import pytest
import runs


@pytest.fixture(autouse=True)
def _clean():
    yield
    gin.clear_config()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A run of synthesis, and its Trainer."""
    folder = tmp_path_factory.mktemp("run")
    return str(folder), runs.make_run(folder, label_counts=runs.COUNTS)
