import json
import os

import numpy as np
import pytest
from PIL import Image

from dvdgan_tf.plotting import figures, training_curves
from dvdgan_tf.plotting.evaluation_curves import (
    metrics_data,
    read,
    truncation_data,
)
from dvdgan_tf.plotting.feature_projection import features_data

FID = "fvd/frechet_distance"
IS = "fvd/inception_score"


def row(metric, value, step=10, truncation=1.0, error=None):
    return {
        "metric": metric,
        "value": value,
        "standard_error": error,
        "step": step,
        "truncation": truncation,
        "checkpoint": f"ckpt-{step}",
    }


def write(folder, rows, rest=""):
    """A folder of results; returns its name."""
    os.makedirs(folder)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "evaluations.jsonl").write_text(text + rest)
    return str(folder)


def save_features(path, features, output="logits"):
    np.savez(path, **{f"{output}/features": features, "labels": np.zeros(3)})
    return str(path)


def clouds():
    """Real features along (3, 4) and, less, (-4, 3); fake ones are shifted."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=50) * 10
    second = rng.normal(size=50)
    second -= first * (first @ second) / (first @ first)
    scores = np.stack([first, second], 1)
    scores -= scores.mean(0)
    # Exactly uncorrelated after centring, so that the axes are known.
    scores[:, 1] -= scores[:, 0] * (
        scores[:, 0] @ scores[:, 1] / (scores[:, 0] @ scores[:, 0])
    )
    axes = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0]])
    real = scores @ axes + [1.0, 2.0, 3.0]
    return scores, real, real[:20] + 5 * axes[0] + [0, 0, 7.0]


TRUNCATED = [
    row(metric, value, step, level)
    for step, factor in ((5, 1), (30, 2), (7, 3))
    for level, fid, score in ((1.0, 50, 10), (0.5, 70, 20), (0.25, 90, 25))
    for metric, value in ((FID, factor * fid), (IS, factor * score))
]


def test_metrics_are_sorted_by_step_and_the_latest_wins():
    a = [row(FID, 3, 20, error=0.5), row(FID, 4), row(FID, 9, truncation=0.5)]
    a += [row(IS, 7), row(FID, 2, 20, error=0.25)]
    data = metrics_data({"a": a, "b": [row(FID, 1, 5)]})
    assert list(data) == [FID, IS]
    assert list(data[FID]) == ["a", "b"]
    np.testing.assert_array_equal(
        data[FID]["a"], [[10, 4, np.nan], [20, 2, 0.25]]
    )
    np.testing.assert_array_equal(data[FID]["b"], [[5, 1, np.nan]])
    assert list(data[IS]) == ["a"]


def test_truncation_curves_are_of_the_newest_step_with_levels():
    # Step 40 has one level, step 50 one metric: neither is a curve.
    rest = [row(FID, 1, 40), row(IS, 1, 40)]
    rest += [row(FID, 1, 50, level) for level in (0.5, 1.0)]
    data = truncation_data({"a": TRUNCATED + rest})
    assert list(data) == ["fvd"]
    assert list(data["fvd"]) == [("a", 30)]
    np.testing.assert_array_equal(
        data["fvd"]["a", 30], [[0.25, 50, 180], [0.5, 40, 140], [1, 20, 100]]
    )
    every = truncation_data({"a": TRUNCATED + rest}, all_steps=True)
    assert list(every["fvd"]) == [("a", 5), ("a", 7), ("a", 30)]


def test_truncation_does_not_mix_protocols():
    mixed = [
        row(f"{protocol}/{name}", 1, 1, level)
        for protocol, name in (
            ("x", "frechet_distance"),
            ("y", "inception_score"),
        )
        for level in (0.5, 1.0)
    ]
    assert truncation_data({"a": mixed}) == {}


def test_features_are_projected_on_the_axes_of_the_first_file(tmp_path):
    scores, real, fake = clouds()
    paths = [
        save_features(tmp_path / "real.npz", real),
        save_features(tmp_path / "fake.npz", fake),
    ]
    points, shares = features_data(paths)["logits"]
    # The axes' signs are arbitrary, but the same for both files.
    signs = np.sign(points[paths[0]][0] * scores[0])
    np.testing.assert_allclose(points[paths[0]] * signs, scores, atol=1e-9)
    np.testing.assert_allclose(
        points[paths[1]] * signs, scores[:20] + [5, 0], atol=1e-9
    )
    variances = scores.var(0)
    np.testing.assert_allclose(shares, variances / variances.sum())


def test_figures_show_the_data(tmp_path):
    # Names with a "$" are no formulas.
    a = write(tmp_path / "$a", [*TRUNCATED, row("fvd/$\\x$", 1, 7, error=0.5)])
    b = write(tmp_path / "b", [row(FID, 8, 1), row(FID, 6, 2, error=2.0)])
    _, real, fake = clouds()
    paths = [
        save_features(tmp_path / "real.npz", real),
        save_features(tmp_path / "fake.npz", fake),
    ]
    rows = {"$a": read(a), "b": read(b)}
    drawn = {
        "metrics.png": figures.draw_metrics(metrics_data(rows)),
        "truncation.png": figures.draw_truncation(truncation_data(rows)),
        "features.png": figures.draw_features(features_data(paths)),
    }

    panels = {axes.get_title(): axes for axes in drawn["metrics.png"].axes}
    assert list(panels) == ["fvd/$\\x$", FID, IS]
    first, second = panels[FID].containers
    assert (first.get_label(), second.get_label()) == ("$a", "b")
    np.testing.assert_array_equal(
        first.lines[0].get_xydata(), [[5, 50], [7, 150], [30, 100]]
    )
    # Of the unknown error nothing is drawn, of the known one 6 +- 2.
    bars = second.lines[2][0].get_segments()
    assert len(bars[0]) == 0
    np.testing.assert_array_equal(bars[1], [[2, 4], [2, 8]])

    (axes,) = drawn["truncation.png"].axes
    (line,) = axes.get_lines()
    np.testing.assert_array_equal(
        line.get_xydata(), [[50, 180], [40, 140], [20, 100]]
    )
    assert [(text.get_text(), text.xy) for text in axes.texts] == [
        ("0.25", (50, 180)),
        ("0.5", (40, 140)),
        ("1", (20, 100)),
    ]
    assert axes.get_legend().get_texts()[0].get_text() == "$a, step 30"

    (axes,) = drawn["features.png"].axes
    points, _ = features_data(paths)["logits"]
    for cloud, path in zip(axes.collections, paths, strict=True):
        assert cloud.get_label() == path
        np.testing.assert_allclose(cloud.get_offsets(), points[path])

    for path in figures.write(drawn, tmp_path / "out"):
        with Image.open(path) as image:
            image.verify()


GOOD = row(FID, 1.0)


@pytest.mark.parametrize(
    "line",
    [
        '{"metric": "fvd/frechet_dist',
        "",
        "[1]",
        "[" * 100_000,
        json.dumps({"metric": FID, "step": 1}),
        json.dumps(GOOD | {"value": "1"}),
        json.dumps(GOOD | {"value": float("nan")}),
        json.dumps(GOOD | {"value": 10**400}),
        json.dumps(GOOD | {"value": True}),
        json.dumps(GOOD | {"metric": 3}),
        json.dumps(GOOD | {"step": "1"}),
        json.dumps(GOOD | {"truncation": None}),
        json.dumps(GOOD | {"standard_error": -1.0}),
    ],
)
def test_damaged_lines_are_counted(tmp_path, capsys, line):
    folder = write(tmp_path / "a", [GOOD], f"{line}\n{json.dumps(GOOD)}\n")
    assert read(folder) == [GOOD, GOOD]
    path = os.path.join(folder, "evaluations.jsonl")
    assert capsys.readouterr().out == f"Damaged lines skipped in {path}: 1.\n"


def test_clips_of_no_checkpoint_are_counted(tmp_path, capsys):
    folder = write(tmp_path / "a", [row(FID, 1.0, None), GOOD])
    assert read(folder) == [GOOD]
    assert "without a step skipped" in capsys.readouterr().out


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a", [GOOD])
    assert read("~/a") == [GOOD]


def test_a_folder_without_results(tmp_path):
    assert read(str(tmp_path)) == []
    assert training_curves.read(str(tmp_path)) == []


def test_the_running_mean_of_a_metric():
    rows = [{"step": 10 * i, "loss/g": float(i * i)} for i in range(5)]
    rows.insert(2, {"step": 15, "held_out/x": 1.0})
    steps, values, mean_steps, mean = training_curves.curve(rows, "loss/g", 3)
    np.testing.assert_array_equal(steps, [0, 10, 20, 30, 40])
    np.testing.assert_array_equal(values, [0, 1, 4, 9, 16])
    np.testing.assert_array_equal(mean_steps, [20, 30, 40])
    np.testing.assert_allclose(mean, [5 / 3, 14 / 3, 29 / 3])
    # Fewer values than the window has.
    *_, mean_steps, mean = training_curves.curve(rows, "held_out/x", 3)
    assert (mean_steps.tolist(), mean.tolist()) == ([15], [1])
    with pytest.raises(ValueError, match="are held_out/x, loss/g"):
        training_curves.curve(rows, "fid", 3)


def test_losses_that_all_runs_have():
    runs = {
        "a": [{"step": 1, "loss/g": 1, "loss/d": 1}, {"step": 2, "x": 1}],
        "b": [{"step": 1, "loss/g": 1, "x": 1}],
    }
    assert training_curves.losses(runs) == ["loss/g"]


@pytest.mark.parametrize(
    "damage", [b'{"st', b"5", b"[]", b'{"step": "1"}', b"\xff", b"[" * 100_000]
)
def test_a_damaged_line_is_named(tmp_path, damage):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n' + damage)
    with pytest.raises(ValueError, match=r"Line 2 of .*metrics\.jsonl"):
        training_curves.read(str(tmp_path))


@pytest.mark.parametrize(
    ("features", "output", "message"),
    [
        (np.zeros([4, 2]), "logits", "different networks"),
        (np.zeros([4, 3]), "average_pool", "no output in common"),
        (np.zeros([3]), "logits", r"must be of finite floats.*\[3\]"),
        (np.full([4, 3], np.nan), "logits", "must be of finite floats"),
        (np.zeros([4, 3], int), "logits", "must be of finite floats"),
        (np.array([[{}, {}], [{}, {}]]), "logits", "cannot be read"),
    ],
)
def test_features_that_do_not_fit(tmp_path, features, output, message):
    real = save_features(tmp_path / "real.npz", clouds()[1])
    other = save_features(tmp_path / "other.npz", features, output)
    with pytest.raises(ValueError, match=message):
        features_data([real, other])


def test_damaged_features(tmp_path):
    real = save_features(tmp_path / "real.npz", clouds()[1])
    data = (tmp_path / "real.npz").read_bytes()
    middle = len(data) // 2
    other = tmp_path / "other.npz"
    for damaged in (
        data[:middle],
        data[:middle] + b"damaged!" + data[middle + 8 :],
        b"",
    ):
        other.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"other\.npz' cannot be read"):
            features_data([real, str(other)])
    other.write_bytes(data)
    for paths, message in (
        ([real], "at least twice"),
        ([real, real], "different files"),
        ([save_features(other, np.ones([4, 3])), real], "all the same"),
    ):
        with pytest.raises(ValueError, match=message):
            features_data(paths)
