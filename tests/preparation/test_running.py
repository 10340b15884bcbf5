import types

import pytest

from dvdgan_tf.preparation import running


def test_an_error_without_a_message_is_called_by_its_type(tmp_path):
    def fail(**kwargs):
        raise RuntimeError

    builder = types.SimpleNamespace(
        work_dir=str(tmp_path), download_and_prepare=fail
    )
    with pytest.raises(OSError, match="RuntimeError"):
        running.run_beam(builder, "log.txt")
