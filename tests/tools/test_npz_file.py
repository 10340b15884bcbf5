import numpy as np
import pytest

from tools.jax import npz_file


def test_a_damaged_compressed_file_is_one_sentence(tmp_path):
    path = tmp_path / "state.npz"
    values = np.random.default_rng(0).normal(size=1000)
    np.savez_compressed(path, step=values)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF  # In the compressed bytes, behind the member's header.
    path.write_bytes(data)
    with pytest.raises(ValueError, match="no NPZ file of plain arrays"):
        npz_file.read_npz(str(path))
