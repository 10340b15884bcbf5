import pytest
from training import tiny


@pytest.fixture(scope="session")
def trainer():
    return tiny.trainer()
