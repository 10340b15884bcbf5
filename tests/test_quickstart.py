"""The notebook of the documentation runs, and shows what it promises."""

import pathlib
import re
import sys

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

# The demo's training costs a minute; that it learns is tested elsewhere.
SMALL = """
CH = 1
NUM_FRAMES = 4
BATCH_SIZE = 2
UNROLL = False
SpatialDiscriminator.k = 2
Trainer.d_steps = 1
Trainer.shards = 1
train.final_report = None
train.standing_statistics_batches = 1
SampleGrid.num_classes = 2
SampleGrid.samples_per_class = 1
"""
NOTEBOOK = pathlib.Path(__file__).parents[1] / "docs" / "quickstart.ipynb"


def test_the_notebook_is_stored_with_small_outputs():
    # Most visitors read it without running it.
    assert NOTEBOOK.stat().st_size < 1_500_000
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o["output_type"] == "error"]
    html = [o["data"].get("text/html", "") for o in outputs if "data" in o]
    assert sum("data:image/webp" in text for text in html) == 3
    text = "".join(o.get("text", "") for o in outputs)
    assert "step 600/600" in text
    # Paths of a machine say who has run it, and where.
    assert not re.search(r"(^|[\s'\"])/\w+/", text)


def test_the_notebook_runs(tmp_path, monkeypatch):
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("QUICKSTART_STEPS", "2")
    # For the cells' `python` to be this one, and for what they leave behind.
    folder = str(pathlib.Path(sys.executable).parent)
    monkeypatch.setenv("PATH", folder, prepend=":")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (tmp_path / "small.gin").write_text(SMALL)
    training = [c for c in notebook.cells if "dvdgan_tf.train " in c.source]
    assert len(training) == 2
    for cell in training:
        cell.source = cell.source.replace(
            "demo.gin", f"demo.gin --gin_file={tmp_path}/small.gin"
        )
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    client.execute()
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    shown = [
        output["data"]["text/html"]
        for cell in outputs
        for output in cell
        if "text/html" in output.get("data", {})
    ]
    assert len(shown) == 3
    assert all(html.startswith('<img src="data:image/webp') for html in shown)
    text = "".join(o.get("text", "") for cell in outputs for o in cell)
    assert "Exported: " in text
    assert "There are no weights" in text or "Results: " in text
    # Half a grey level of rounding, and what is left of floats.
    assert float(text.strip().split()[-1]) < 0.6
