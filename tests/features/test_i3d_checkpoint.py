"""The restricted reader, against pickles that are up to something."""

import os
import pickle

import i3d_weights_made as made
import numpy as np
import pytest

from dvdgan_tf.features.i3d_checkpoint import read_checkpoint


class Calls:
    """Its pickle calls a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def dumps(tree):
    return pickle.dumps(tree, protocol=4)


def conv(kernel):
    """A tree with one array, and its pickle's only unit."""
    return {"params": {"Conv3d_2b_1x1": {"Conv_0": {"kernel": kernel}}}}


def test_reads_what_the_port_to_flax_stores():
    expected = made.tf_weights()
    weights = read_checkpoint(dumps(made.flax_tree()))
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value, strict=True)


def test_numpy_1_named_its_module_otherwise():
    def module(name):
        return b"\x8c" + bytes([len(name)]) + name

    data = dumps(conv(np.zeros(3, "<f4")))
    new, old = (
        module(b"numpy._core.multiarray"),
        module(b"numpy.core.multiarray"),
    )
    assert new in data or old in data
    for name in (new, old):
        # Without the optional frame, whose length would be another.
        changed = data.replace(new, name).replace(old, name)
        with pytest.raises(ValueError, match="lacks 229 of the weights"):
            read_checkpoint(changed[:2] + changed[11:])


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_functions_are_neither_found_nor_called(tmp_path, protocol):
    path = tmp_path / "made"
    tree = conv(Calls(os.system, f"touch {path}"))
    with pytest.raises(ValueError, match=r"it names (posix|nt)\.system"):
        read_checkpoint(pickle.dumps(tree, protocol))
    assert not path.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(3), "of type 'f8'"),
        (np.zeros(3, ">f4"), "little-endian"),
        (np.zeros(3, "float16"), "of type 'f2'"),
        (np.array([None]), "of type 'O8'"),
        (np.zeros((2, 3), "<f4").T, "row by row"),
        (np.zeros(3, "<f4").view(np.recarray), r"it names numpy\..*recarray"),
        (np.float32(1.0), "it names numpy.*scalar"),
        (Calls(eval, "1 + 1"), "it names builtins.eval"),
        (Calls(np.load, "file"), "it names numpy.load"),
        (Calls(np.dtype, "O"), "of type 'O'"),
        (np.dtype("f4"), "something else than dicts of arrays"),
        ([1.0], "something else than dicts of arrays"),
        ({1: np.zeros(3, "<f4")}, "something else than dicts of arrays"),
        (np.ndarray, "something else than dicts of arrays"),
    ],
)
def test_anything_else_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        read_checkpoint(dumps(conv(value)))


def test_wrong_byte_counts_are_refused():
    data = dumps(conv(np.zeros((1, 1, 1, 3, 5), "<f4")))
    shape = b"K\x01K\x01K\x01K\x03K\x05"
    assert data.count(shape) == 1
    changed = data.replace(shape, b"K\x01K\x01K\x01K\x03K\x06")
    with pytest.raises(ValueError, match="is stored in 60 bytes"):
        read_checkpoint(changed)
    # Two negative edges: the product is right, the shape is not.
    changed = data.replace(shape, b"K\x0fJ\xff\xff\xff\xffJ\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="not one of float32 arrays"):
        read_checkpoint(changed[:2] + changed[11:])


def test_cut_files_are_refused():
    data = dumps(conv(np.zeros((1, 1, 1, 3, 5), "<f4")))
    for length in range(len(data)):
        with pytest.raises(ValueError, match="not one of float32 arrays"):
            read_checkpoint(data[:length])


@pytest.mark.parametrize("name", ["Conv_0/scale", "BatchNorm_0/mean", "a"])
def test_unknown_variables_are_named(name):
    path, _, leaf = name.rpartition("/")
    tree = {"params": {"Conv3d_2b_1x1": {path: {leaf: np.zeros(3, "<f4")}}}}
    with pytest.raises(ValueError, match=f"{name}, which I3D has not"):
        read_checkpoint(dumps(tree))


def test_missing_variables_are_named():
    tree = made.flax_tree()
    del tree["params"]["Mixed_4c"]["Branch_1/Conv3d_0b_3x3"]
    with pytest.raises(ValueError, match=r"lacks 2 .*Mixed_4c/Branch_1/Conv3d"):
        read_checkpoint(dumps(tree))
