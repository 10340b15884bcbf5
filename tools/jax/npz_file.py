"""Reads NPZ files that may be damaged; needs NumPy only."""

import zipfile
import zlib

import numpy as np


def read_npz(path):
    """Reads all arrays of an NPZ file, {name: array}.

    Raises:
        ValueError: there is no such file, or it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise ValueError(f"There is no file {path}.") from error
    except (
        ValueError,
        EOFError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"{path} is no NPZ file of plain arrays ({error})."
        ) from error
