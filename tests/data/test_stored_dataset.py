"""A dataset's metadata is data: nothing that it names is run."""

import json
import sys

import pytest
from data import stored

from dvdgan_tf.data import stored_dataset


@pytest.fixture
def folder(tmp_path):
    """A dataset's folder; that above looks like a pattern, and is none."""
    tmp_path = tmp_path / "[x]*"
    example = stored.clip([b"x"], 0)
    return stored.write(tmp_path, "a", stored.features(), train=[[example]])


@pytest.mark.parametrize("legacy", [False, True])
def test_features_of_others_are_not_imported(
    folder, tmp_path, monkeypatch, legacy
):
    (tmp_path / "evil_feature.py").write_text("raise SystemExit('it has run')")
    monkeypatch.syspath_prepend(tmp_path)
    path = folder / "features.json"
    features = json.loads(path.read_text())
    video = features["featuresDict"]["features"]["video"]
    video["pythonClassName"] = "evil_feature.Video"
    if legacy:
        features = {"type": "evil_feature.Video", "content": {}}
    path.write_text(json.dumps(features))
    with pytest.raises(ValueError) as error:
        stored_dataset.open_dataset("a:1.0.0", str(tmp_path / "[x]*"))
    text = str(error.value)
    assert "'evil_feature.Video'" in text and str(path) in text
    assert "\n" not in text and "evil_feature" not in sys.modules


@pytest.mark.parametrize("text", ["[" * 100_000, "5", "null", '{"type": 3}'])
def test_other_json_is_one_sentence(folder, tmp_path, text):
    (folder / "features.json").write_text(text)
    with pytest.raises(ValueError) as error:
        stored_dataset.open_dataset("a", str(tmp_path / "[x]*"))
    assert "Cannot read the dataset 'a'" in str(error.value)
    assert "\n" not in str(error.value)


def refused(folder, name, content):
    """The sentence that refuses a dataset with this file."""
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(ValueError) as error:
        stored_dataset.open_dataset("a", str(folder.parents[1]))
    text = str(error.value)
    assert text.isprintable() and len(text) < 1000
    return text


@pytest.mark.parametrize(
    "lengths", [[10**12], ["9" * 18], [-1], ["9" * 40], [[1]], [1e308]]
)
def test_absurd_numbers_of_records_are_refused(folder, lengths):
    # A list of the lost records of 10^12 would fill the memory.
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = lengths
    refused(folder, "dataset_info.json", info)


def test_names_in_metadata_are_no_commands_of_a_terminal(folder):
    features = json.loads((folder / "features.json").read_text())
    features["featuresDict"]["features"]["video"]["video"]["shape"] = {
        "\x1b[31m": 3
    }
    assert "Cannot read" in refused(folder, "features.json", features)


def test_what_it_is_of_is_read(folder, tmp_path):
    builder = stored_dataset.open_dataset("a", str(tmp_path / "[x]*"))
    assert stored_dataset.label_feature(builder.info.features) == "label"
    assert stored_dataset.has_names(builder.info.features)
