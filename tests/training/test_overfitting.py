"""Scores of training, held-out and generated clips, and what is said then."""

import functools
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from training import tiny
from training.test_prediction import trainer as prediction_trainer

from dvdgan_tf.data import pipeline
from dvdgan_tf.training.feed import Feed
from dvdgan_tf.training.overfitting import (
    KINDS,
    Overfitting,
    chance,
    overfitting_of,
    overfitting_ratio,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")


class Dark(tiny.Source):
    """Held-out clips, unlike all that D is trained on; of one class."""

    num_examples = 5
    label_counts = np.array([0, 5, 0])

    def load(self, index, seed):
        shape = [tiny.FRAMES, 8, 8, 3]
        video = tf.random.stateless_uniform(shape, seed, 0, 40, tf.int32)
        return tf.cast(video, tf.uint8), tf.constant(1)


def hold_out(source):
    return source, Dark()


def made(trainer, num_clips=8):
    """As the loop makes it."""
    return overfitting_of(
        Feed(pipeline.batches, tiny.Source(), trainer),
        Feed(pipeline.batches, Dark(), trainer),
        num_clips,
    )


# ----- Scores -----


def expected_scores(trainer, number, training, held_out):
    """Scores [3, 2, b] of a batch, of frames and clips picked by NumPy."""
    z, y, noise, _ = trainer.randomness.draw(
        tf.constant(-(2**40) - number, tf.int64), 0
    )
    given = trainer.generator.conditioning_frames
    real = [
        np.asarray(v, np.float32) / 127.5 - 1 for v, _ in (training, held_out)
    ]
    labels = [np.asarray(y) for _, y in (training, held_out)]
    frames = real[0][:, :given]
    if given:
        y = labels[0]
    fake = trainer.generator(
        z, tf.constant(y), training=False, frames=frames if given else None
    )
    videos = [*real, np.concatenate([frames, fake], 1)]
    noise = np.asarray(noise)[:, :-2]
    # The frames of the largest values, of those that G makes.
    drawn = given + np.argsort(-noise, 1)[:, : trainer.d_spatial.k]
    scores = []
    for clips, ids in zip(videos, [*labels, y], strict=True):
        few = np.take_along_axis(clips, drawn[..., None, None, None], 1)
        ids = tf.constant(ids, tf.int32)
        scores.append(
            [
                network(tf.constant(shown), ids, training=False).numpy()
                for network, shown in (
                    (trainer.d_spatial, few),
                    (trainer.d_temporal, clips),
                )
            ]
        )
    return np.array(scores)


@pytest.mark.parametrize("kind", ["synthesis", "prediction"])
def test_scores_by_hand_and_no_variable_is_changed(kind, trainer, eagerly):
    if kind == "prediction":
        trainer = prediction_trainer()
    trainer.run(tiny.batches(trainer), tf.constant(2))  # Weights that tell.
    overfitting = made(trainer)
    before = tiny.values(trainer)
    values, lines = overfitting.report()
    for name, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    training, held_out = overfitting._training(), overfitting._held_out()
    scores = [
        expected_scores(trainer, i, next(training), next(held_out))
        for i in range(2)
    ]
    moments = overfitting._moments(
        overfitting._training(), overfitting._held_out(), tf.constant(2)
    )
    expected = np.mean(np.concatenate(scores, -1), -1)
    np.testing.assert_allclose(moments[0], expected, rtol=1e-4, atol=1e-5)
    squares = np.mean(np.concatenate(scores, -1) ** 2, -1)
    np.testing.assert_allclose(moments[1], squares, rtol=1e-4, atol=1e-5)
    for j, name in enumerate(("spatial", "temporal")):
        found = [values[f"overfitting/{name}_{kind}"] for kind in KINDS]
        np.testing.assert_allclose(found, expected[:, j], rtol=1e-4, atol=1e-5)
        train, held, fake = expected[:, j]
        ratio = values.get(f"overfitting/{name}_ratio")
        if train > fake:
            assert ratio == pytest.approx(
                (train - held) / (train - fake), rel=1e-2
            )
        else:
            assert ratio is None
    assert len(set(np.round(expected.ravel(), 5))) == 6
    assert not lines
    assert overfitting.report()[0] == values


def test_the_same_clips_that_are_not_trained_on(trainer):
    overfitting = made(trainer, num_clips=5)
    assert overfitting._num_batches == 2  # Of 4, whole ones.
    assert overfitting._num_different == [6, 5]
    for source, fresh in (
        (tiny.Source(), overfitting._training),
        (Dark(), overfitting._held_out),
    ):
        first, again = (
            np.concatenate([v for v, _ in (next(batches), next(batches))])
            for batches in (fresh(), fresh())
        )
        np.testing.assert_array_equal(first, again)
        # An epoch is each clip once; of the next one other windows.
        batches = pipeline.batches(source, 4, trainer.seed).take(1000)
        seen = {v.tobytes() for b, _ in batches.as_numpy_iterator() for v in b}
        assert not {v.tobytes() for v in first} & seen
        assert len({v.tobytes() for v in first}) == len(first)


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": tiny.mirrored},
        {"accumulation_steps": 2},
        {"precision": "mixed_bfloat16"},
    ],
    ids=["replicas", "parts", "bfloat16"],
)
def test_replicas_parts_and_precisions_score_alike(trainer, eagerly, changes):
    rough = "precision" in changes
    changes = {k: v() if callable(v) else v for k, v in changes.items()}
    other = tiny.trainer(**changes)
    other.randomness.follow_labels(tiny.Source.label_counts)
    tiny.assign(other, tiny.values(trainer))
    expected, _ = made(trainer).report()
    found, _ = made(other).report()
    for name, value in expected.items():
        if not name.endswith("ratio"):
            tolerance = 0.05 if rough else 1e-5
            assert found[name] == pytest.approx(value, abs=tolerance)
    assert found != expected or not rough


def test_compiled_once(trainer):
    compiled = tiny.trainer(jit_compile=True)
    compiled.randomness.follow_labels(tiny.Source.label_counts)
    tiny.assign(compiled, tiny.values(trainer))
    overfitting, plain = made(compiled), made(trainer)
    expected, _ = plain.report()
    for _ in range(2):
        found, _ = overfitting.report()
        assert found == pytest.approx(expected, abs=1e-3)
        plain.report()
    assert overfitting._moments.experimental_get_tracing_count() == 1
    assert plain._moments.experimental_get_tracing_count() == 1


# ----- The ratio, and what is said -----


@pytest.mark.parametrize(
    "training, held_out, generated, expected",
    [
        (1.5, 1.5, -1.0, 0.0),
        (1.5, -1.0, -1.0, 1.0),
        (2.0, 0.5, -2.0, 0.375),
        (1.0, 2.0, 0.0, -1.0),
        (-1.0, -4.0, -2.0, 3.0),
        (1.0, 0.0, 1.0, None),
        (-2.0, 0.0, 1.0, None),
        (math.nan, 0.0, 1.0, None),
    ],
)
def test_ratio(training, held_out, generated, expected):
    assert overfitting_ratio(training, held_out, generated) == expected


def reports(*ratios, deviation=0.0, counts=(8, 2)):
    """The lines that are said of D_S at reports with these ratios.

    Training clips score 3, generated ones -1; D_T never overfits. None stands
    for a D that scores generated clips higher.
    """
    overfitting = Overfitting(None, lambda: None, lambda: None, 1, counts)
    said = []
    for ratio in ratios:
        column = [0, 0, 1] if ratio is None else [3, 3 - 4 * ratio, -1]
        means = np.array([column, [3, 3, -1]]).T
        moments = tf.constant(np.stack([means, means**2 + deviation**2]))
        overfitting._moments = lambda *_, moments=moments: moments
        values, lines = overfitting.report()
        json.dumps(values, allow_nan=False)
        assert ("overfitting/spatial_ratio" in values) == (ratio is not None)
        assert values["overfitting/temporal_ratio"] == 0
        said.append(lines)
    return said


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_left_out(bad):
    overfitting = Overfitting(None, lambda: None, lambda: None, 1, (8, 2))
    means = np.array([[bad, 0.5, -1], [2, 1, -2]]).T
    overfitting._moments = lambda *_: tf.constant(np.stack([means, means**2]))
    for _ in range(3):
        values, lines = overfitting.report()
        assert len(values) == 6 and np.all(np.isfinite(list(values.values())))
        assert not lines


def test_chance_is_two_standard_errors():
    rng = np.random.default_rng(0)
    clips = rng.normal(2, 3, 50), rng.normal(-1, 0.5, 8)
    expected = 2 * np.hypot(*(c.std() / np.sqrt(len(c)) for c in clips))
    found = chance(
        [c.mean() for c in clips], [(c**2).mean() for c in clips], [50, 8]
    )
    assert found == pytest.approx(expected)
    # Where rounding makes a variance negative.
    assert chance([1.0, 1.0], [1 - 1e-9, 1.0], [1, 1]) == 0


@pytest.mark.parametrize("deviation, said", [(1.4, True), (1.6, False)])
def test_what_may_be_chance_is_not_said(deviation, said):
    """A gap of 2.4, and errors of 2 d sqrt(1 / 8 + 1 / 2) = 1.58 d."""
    assert any(reports(0.6, 0.6, deviation=deviation)) == said


def test_said_once_for_two_in_a_row():
    said = reports(0.6, 0.7, 0.8, 0.9)
    assert [len(lines) for lines in said] == [0, 1, 0, 0]
    assert said[1] == [
        "D_S has begun to memorise the training clips: it scores "
        "held-out clips (0.20) closer to generated ones (-1.00) than to "
        "training clips (3.00). Regularise D (docs/small_data.md) or stop "
        "here."
    ]


@pytest.mark.parametrize(
    "ratios, expected",
    [
        ([0.6, 0.5, 0.6, 0.4, 0.6], []),
        ([0.6, 0.6, 0.6, 0.5, 0.6, 0.6], [1, 5]),
        ([0.6, None, 0.6], []),
        ([1.6, 1.6, None, 1.6, 1.6], [1, 4]),
        ([-3.0, -3.0, -3.0], []),
    ],
)
def test_said_again_only_after_it_has_fallen(ratios, expected):
    said = reports(*ratios)
    assert [i for i, lines in enumerate(said) if lines] == expected


# ----- Whole runs -----


def metrics(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def named(lines):
    """{step: overfitting's values} of the steps that have some."""
    found = {
        line["step"]: {k: v for k, v in line.items() if k[:4] == "over"}
        for line in lines
    }
    return {step: values for step, values in found.items() if values}


def test_runs(tmp_path, trainer):
    """Reports neither change training nor depend on where it was resumed."""
    initial = tiny.values(trainer)
    run = functools.partial(tiny.train, trainer=trainer, sample_every=50)
    assert run(tmp_path / "none", num_steps=6) == 6
    expected = tiny.values(trainer)
    reporting = dict(hold_out=hold_out, held_out_every=2, held_out_clips=4)
    for name, stops in (("straight", [6]), ("halves", [2, 6])):
        tiny.assign(trainer, initial)
        for stop in stops:
            run(tmp_path / name, num_steps=stop, **reporting)
        for key, value in tiny.values(trainer).items():
            np.testing.assert_array_equal(value, expected[key], err_msg=key)
    tiny.assign(trainer, initial)
    nothing = functools.partial(run, hold_out=lambda source: (source, None))
    assert nothing(tmp_path / "nothing", num_steps=6) == 6
    for key, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)
    assert not named(metrics(tmp_path / "none"))
    assert not named(metrics(tmp_path / "nothing"))
    straight, halves = (
        named(metrics(tmp_path / name)) for name in ("straight", "halves")
    )
    assert straight == halves and list(straight) == [2, 4, 6]
    for values in straight.values():
        scores = {k for k in values if not k.endswith("ratio")}
        assert scores == {
            f"overfitting/{d}_{kind}"
            for d in ("spatial", "temporal")
            for kind in KINDS
        }
    assert len({json.dumps(values) for values in straight.values()}) == 3


def test_a_run_says_it_below_its_progress(
    tmp_path, trainer, capsys, monkeypatch
):
    monkeypatch.setattr(
        Overfitting, "report", lambda self: ({"overfitting/x": 0.5}, ["So."])
    )
    tiny.train(tmp_path, trainer, 4, hold_out=hold_out, held_out_every=3)
    lines = capsys.readouterr().out.splitlines()
    steps = [i for i, line in enumerate(lines) if "steps/s" in line]
    # Steps 2, 3 and 4: the loop's, the report's and the last.
    assert [lines[i + 1] == "So." for i in steps] == [False, True, True]
    assert list(named(metrics(tmp_path))) == [3, 4]


@pytest.mark.parametrize("name", ["held_out_every", "held_out_clips"])
def test_impossible_arguments(tmp_path, name):
    with pytest.raises(ValueError, match=f"train.{name} must be at least 1"):
        tiny.train(tmp_path / "run", None, 1, **{name: 0})
    assert not (tmp_path / "run").exists()
