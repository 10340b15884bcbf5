import numpy as np
import pytest
import run_step
import state_file


@pytest.mark.parametrize("module", [run_step, state_file])
def test_a_damaged_compressed_file_is_one_sentence(tmp_path, module):
    path = tmp_path / "state.npz"
    values = np.random.default_rng(0).normal(size=1000)
    np.savez_compressed(path, step=values)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF  # In the compressed bytes, behind the member's header.
    path.write_bytes(data)
    with pytest.raises(ValueError, match="no NPZ file of plain arrays"):
        module.read_npz(str(path))
