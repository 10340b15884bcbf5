"""Damaged clips that were replaced are in the log and in metrics.jsonl."""

import functools
import json

import numpy as np
from data import stored
from training import tiny

from dvdgan_tf.data.tfds_videos import TfdsVideos
from dvdgan_tf.training import replaced_clips


def write(root):
    """Six clips of three classes; that of class c has a bad frame."""
    noise = np.random.default_rng(0).integers(0, 255, [6, 4, 8, 8, 3])
    clips = [stored.encode(video.astype(np.uint8)) for video in noise]
    clips[5][2] = clips[5][2][:200]
    features = stored.features(["a", "b", "c"])
    examples = [
        stored.clip(c, [0, 0, 0, 1, 1, 2][i]) for i, c in enumerate(clips)
    ]
    stored.write(root, "a", features, train=[examples])


def test_a_run_reports_and_resumes_bit_for_bit(tmp_path, trainer, capsys):
    write(tmp_path)
    source = functools.partial(
        TfdsVideos, str(tmp_path), "a", str(tmp_path), 8, 4, skip_damaged=True
    )
    initial = tiny.values(trainer)
    run = functools.partial(tiny.train, trainer=trainer, dataset=source)
    run(tmp_path / "straight", num_steps=4)
    expected = tiny.values(trainer)
    printed = capsys.readouterr().out
    assert printed.count("(walk/ünï ✓.mp4, class c) is damaged") == 1
    rows = (tmp_path / "straight" / "metrics.jsonl").read_text().splitlines()
    counts = [json.loads(row)["data/replaced_clips"] for row in rows]
    # Two batches of four a step; the epochs are of six clips.
    assert len(counts) == 2 and counts[0] <= counts[1]
    assert counts[1] >= 4 * 2 * 4 // 6
    tiny.assign(trainer, initial)
    run(tmp_path / "halves", num_steps=2)
    run(tmp_path / "halves", num_steps=4)
    for name, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, expected[name], name)


def test_sources_that_replace_nothing_are_not_asked():
    assert replaced_clips.report(tiny.Source(), None) == ({}, [])
