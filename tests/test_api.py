"""The public names of the package, and the page that shows them."""

import pathlib
import pydoc
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

import dvdgan_tf

ROOT = pathlib.Path(__file__).parents[1]


def code_blocks(markdown):
    """The code of a page: its indented lines, as one program."""
    lines = [
        line
        for line in markdown.splitlines()
        if line.startswith("    ") or not line
    ]
    return textwrap.dedent("\n".join(lines))


def test_every_public_name_is_there_and_has_one_home():
    assert sorted(dvdgan_tf._HOMES) == sorted(dvdgan_tf.__all__)
    for name in dvdgan_tf.__all__:
        found = getattr(dvdgan_tf, name)
        assert found.__name__ == name
        assert found.__module__ == f"dvdgan_tf.{dvdgan_tf._HOMES[name]}"
    assert set(dvdgan_tf.__all__) <= set(dir(dvdgan_tf))
    with pytest.raises(AttributeError, match=r"'dvdgan_tf'.*'Generato'"):
        _ = dvdgan_tf.Generato


def test_help_shows_the_public_names():
    text = pydoc.plain(pydoc.render_doc(dvdgan_tf))
    summary = dvdgan_tf.__doc__
    for name in dvdgan_tf.__all__:
        assert f"    {name}" in summary or f" {name}" in summary
        kind = "load(" if name == "load" else f"class {name}("
        assert kind in text


def test_tensorflow_comes_with_the_first_name():
    code = (
        "import sys, dvdgan_tf; dir(dvdgan_tf);"
        "assert 'tensorflow' not in sys.modules;"
        "dvdgan_tf.SpectralNorm; assert 'tensorflow' in sys.modules;"
        "assert 'dvdgan_tf.networks.generator' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_types_are_shipped():
    assert (ROOT / "dvdgan_tf" / "py.typed").exists()


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(1)
    names = {}
    page = (ROOT / "docs" / "api.md").read_text()
    exec(compile(code_blocks(page), "api.md", "exec"), names)
    np.testing.assert_array_equal(names["videos"], names["same"])
    assert names["d_loss"].shape == names["g_loss"].shape == ()
    assert names["spatial_scores"].shape == (4,)
    # What was predicted, loaded and exported is the trained function.
    generator, inputs = names["generator"], {"z": names["z"], "y": names["y"]}
    expected = generator(inputs)
    assert np.abs(expected - names["videos"]).max() > 1e-3
    np.testing.assert_array_equal(names["loaded"](inputs), expected)
    np.testing.assert_allclose(names["clips"], expected, atol=1e-4)
    assert names["untrained"].get_config() == generator.get_config()
