"""Going back by itself: to where, with which seed, and as if never killed."""

import functools
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf import run_folder
from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training import leftovers
from dvdgan_tf.training.rollbacks import Rollbacks
from dvdgan_tf.training.trainer import Trainer
from dvdgan_tf.training.watch import DivergenceError, NonFiniteError, Watch


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "rollbacks.json")


@pytest.mark.parametrize(
    ("steps", "trouble", "healthy", "expected"),
    [
        ([0, 100, 200, 300], 310, None, 200),
        ([0, 100, 200, 300], 350, None, 300),
        ([0, 100, 200, 300], 350, 299, 200),
        # None is early enough, but one is from before.
        ([100, 110], 120, None, 100),
        ([120, 130], 120, None, None),
        ([], 120, None, None),
    ],
)
def test_the_checkpoint_to_go_back_to(path, steps, trouble, healthy, expected):
    rollbacks = Rollbacks(path, allowed=1, margin=50)
    assert rollbacks.target(steps, trouble, healthy) == expected
    assert Rollbacks(path, 0, 50).target(steps, trouble, healthy) is None


def test_the_same_trouble_again_leads_further_back(path):
    rollbacks = Rollbacks(path, allowed=3, margin=50)
    steps = [0, 100, 200, 300]
    seeds = [rollbacks.seed(7)]
    rollbacks.begin(310, 200, "it exploded", 7, write=True)
    rollbacks.finish()
    seeds.append(rollbacks.seed(7))
    assert rollbacks.target(steps, 290) == rollbacks.target(steps, 360) == 100
    assert rollbacks.target([*steps, 350], 410) == 350
    rollbacks.begin(290, 100, "it exploded", 7, write=True)
    rollbacks.finish()
    seeds.append(rollbacks.seed(7))
    again = Rollbacks(path, allowed=2, margin=50)
    assert again.target(steps, 1000) is None and not again.are_left
    assert again.seed(7) == seeds[2] and again.past == rollbacks.past
    assert seeds[0] == 7 and len({*seeds, again.seed(8)}) == 4
    assert all(0 <= seed < 2**32 for seed in seeds)
    with open(path) as file:
        assert [e["seed"] for e in json.load(file)] == seeds[1:]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"5", b"[5]", b'[{"to": 5}]', b"[" * 9999]
)
def test_a_damaged_record_is_named(path, content):
    with open(path, "wb") as file:
        file.write(content)
    with pytest.raises(ValueError, match="cannot be read from") as error:
        Rollbacks(path)
    assert path in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"allowed": -1}, "rollbacks=-1"), ({"margin": 0}, "rollback_margin=0")],
)
def test_impossible_arguments(path, changes, words):
    with pytest.raises(ValueError, match=words):
        Rollbacks(path, **changes)


class Poison:
    """Makes a weight not finite, or samples alike, at some steps, once each."""

    def __init__(self, *steps, spread=None):
        self.steps = set(steps)
        self.poisonous_spread = spread
        self.spread = 99.0

    def __call__(self, trainer, class_names):
        self.trainer = trainer
        return self

    def write(self, directory, step, ema):
        os.makedirs(directory, exist_ok=True)
        kind = "ema" if ema else "live"
        endings = ("png", "gif", "mp4")
        stem = os.path.join(directory, f"step_{step:08d}_{kind}.")
        for ending in endings:
            tf.io.write_file(stem + ending, tf.io.encode_png(PICTURE))
        self.spread = 99.0
        if ema and step in self.steps:
            self.steps.remove(step)
            if self.poisonous_spread is None:
                weight = self.trainer.d_temporal.trainable_variables[-1]
                weight.assign(weight * np.nan)
            else:
                self.spread = self.poisonous_spread
        return PICTURE, [stem + ending for ending in endings]


PICTURE = np.zeros([4, 4, 3], np.uint8)


def new_trainer(strategy=None, kind=tiny.CheapTrainer, **changes):
    # A run may give it another seed, so each test has its own.
    with (strategy or tiny.one_device()).scope():
        arguments = {**tiny.NETWORKS, "batch_size": tiny.BATCH, **changes}
        return kind(tiny.CLASSES, **arguments)


def train(workdir, trainer, num_steps, poison, **changes):
    arguments = dict(
        steps_per_loop=1,
        checkpoint_every=2,
        sample_every=5,
        rollbacks=2,
        rollback_margin=2,
    )
    return tiny.train(
        workdir,
        trainer,
        num_steps,
        sample_grid=poison,
        **{**arguments, **changes},
    )


def metrics(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if "speed" not in k}
        for line in lines
    ]


def record(workdir):
    return json.loads((workdir / "rollbacks.json").read_text())


@pytest.fixture(scope="module")
def _made():
    trainer = new_trainer()
    return trainer, tiny.values(trainer)


@pytest.fixture
def trainer(_made):
    """As new, whatever seed an earlier run has given it."""
    trainer, initial = _made
    tiny.assign(trainer, initial)
    return trainer


@pytest.fixture(scope="module")
def gone_back(_made, tmp_path_factory):
    """A run that went back, and all its variables in the end."""
    workdir = tmp_path_factory.mktemp("run")
    trainer, initial = _made
    tiny.assign(trainer, initial)
    # Step 6 is the first with the poison of 5; 4 is not 3 steps before it.
    assert train(workdir, trainer, 8, Poison(5), rollback_margin=3) == 8
    return workdir, tiny.values(trainer)


def test_a_run_goes_back_with_another_seed(
    gone_back, trainer, tmp_path, monkeypatch
):
    workdir, expected = gone_back
    (entry,) = record(workdir)
    assert (entry["trouble"], entry["to"], entry["done"]) == (6, 2, True)
    assert entry["why"] == "loss/d_spatial is nan at step 6"
    rows = metrics(workdir)
    assert [row["step"] for row in rows] == list(range(1, 9))
    aside = workdir / "set_aside" / "after-step-2"
    before = metrics(aside)
    assert [row["step"] for row in before] == list(range(1, 6))
    assert before[1] == rows[1] and before[2]["loss/g"] != rows[2]["loss/g"]
    assert (aside / "samples" / "step_00000005_ema.png").exists()
    assert (aside / "step-4.index").exists()

    # A run that has had that seed from the first step knows of no rollback.
    monkeypatch.setattr(trainer, "seed", entry["seed"])
    folder = RunFolder(str(tmp_path))
    os.makedirs(folder.checkpoints)
    for file in run_folder.files_of(RunFolder(str(workdir)).steps()[2]):
        os.link(file, os.path.join(folder.checkpoints, os.path.basename(file)))
    assert train(tmp_path, trainer, 8, Poison()) == 8
    for name, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert metrics(tmp_path) == rows[2:]


class Killed(BaseException):
    pass


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (leftovers, "set_aside"),
        (Rollbacks, "finish"),
        (Trainer, "train_with_seed"),
    ],
)
def test_killed_while_it_goes_back_it_ends_the_same(
    gone_back, trainer, tmp_path, capsys, monkeypatch, place, name
):
    original = getattr(place, name)

    def call(*args, **kwargs):
        if (tmp_path / "rollbacks.json").exists():
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(place, name, call)
    run = functools.partial(
        train, tmp_path, trainer, num_steps=8, rollback_margin=3
    )
    with pytest.raises(Killed):
        run(poison=Poison(5))
    (line,) = [
        line
        for line in capsys.readouterr().out.splitlines()
        if "The run goes back" in line
    ]
    workdir, expected = gone_back
    (entry,) = record(workdir)
    assert line.startswith("loss/d_spatial is nan at step 6. Since then, ")
    assert line.endswith(
        "The run goes back to step 2 by itself (1 of 2), and on with seed "
        f"{entry['seed']}."
    )
    monkeypatch.undo()
    # As in a new process, no variable holds what it held.
    for variable in trainer.variables().values():
        variable.assign(tf.zeros_like(variable) + tf.cast(3, variable.dtype))
    assert run(poison=Poison()) == 8
    assert f"seed is {entry['seed']}, since" in capsys.readouterr().out
    for key, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)
    assert metrics(tmp_path) == metrics(workdir)
    assert record(tmp_path) == [entry]


def test_after_the_last_it_ends_as_without(trainer, tmp_path, capsys):
    run = functools.partial(train, tmp_path, trainer, sample_every=1)
    with pytest.raises(NonFiniteError) as error:
        run(12, Poison(9, 8, 7))
    assert capsys.readouterr().out.count("The run goes back to step ") == 2
    assert [entry["to"] for entry in record(tmp_path)] == [6, 4]
    message = str(error.value)
    assert message.startswith("loss/d_spatial is nan at step 10; the last ")
    assert run(10, Poison(), rollbacks=0) == 10
    with pytest.raises(NonFiniteError, match="Nothing was saved"):
        run(14, Poison(11), rollbacks=0)
    assert len(record(tmp_path)) == 2


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")
@pytest.mark.usefixtures("eagerly")
def test_an_absurd_learning_rate_of_real_steps(tmp_path):
    trainer = new_trainer(kind=Trainer, learning_rate_d=1e30)
    arguments = dict(checkpoint_every=1, sample_every=99, rollback_margin=1)
    with pytest.raises(DivergenceError, match="; the last good checkpoint"):
        train(
            tmp_path,
            trainer,
            20,
            Poison(),
            **arguments,
            standing_statistics_batches=1,
        )
    first, second = record(tmp_path)
    assert second["to"] <= first["to"] < first["trouble"] <= 12
    assert first["seed"] != second["seed"] == trainer.training_seed


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")
@pytest.mark.usefixtures("eagerly")
def test_a_real_step_with_another_seed_is_that_of_a_trainer_with_it():
    histories = []
    initial = None
    for seed in (5, 0):
        trainer = new_trainer(kind=Trainer, seed=seed)
        initial = initial or tiny.values(trainer)
        tiny.assign(trainer, initial)
        trainer.train_with_seed(5)
        histories.append(trainer.run(tiny.batches(trainer), tf.constant(1)))
    # The batches are the feed's; these have the seeds 5 and 0.
    assert trainer.seed == 0 and trainer.training_seed == 5
    assert (histories[0].numpy() != histories[1].numpy()).any()
    iterator = tiny.batches(new_trainer(seed=5))
    tiny.assign(trainer, initial)
    again = trainer.run(iterator, tf.constant(1))
    np.testing.assert_array_equal(histories[0], again)


def test_a_collapse_leads_back_while_it_may(trainer, tmp_path, capsys):
    """The samples of step 5 are the same; then D's losses are as good as 0."""
    run = functools.partial(train, tmp_path, trainer, rollbacks=1)
    assert run(7, Poison(5, spread=0.1)) == 7
    (entry,) = record(tmp_path)
    assert (entry["trouble"], entry["to"]) == (5, 2)
    assert entry["why"].startswith("all samples of the averaged generator")
    # None is left: a warning, as without the binding.
    lowest = min(row["loss/d_spatial"] for row in metrics(tmp_path))
    watch = functools.partial(Watch, zero_loss=lowest, collapse_steps=3)
    capsys.readouterr()
    assert run(12, Poison(), watch=watch) == 12
    assert "warning: loss/d_spatial has been below" in capsys.readouterr().out
    assert len(record(tmp_path)) == 1
    assert run(17, Poison(), watch=watch, rollbacks=2) == 17
    entry = record(tmp_path)[1]
    assert "loss/d_spatial has been below" in entry["why"]
    assert entry["to"] + 2 <= entry["trouble"] <= 9


def test_two_replicas_go_back_as_one(gone_back, tmp_path):
    workdir, _ = gone_back
    strategy = tiny.mirrored()
    trainer = new_trainer(strategy)
    run = functools.partial(train, tmp_path, trainer, 8, Poison(5))
    assert run(rollback_margin=3, strategy=strategy) == 8
    assert record(tmp_path) == record(workdir)
    for row, expected in zip(metrics(tmp_path), metrics(workdir), strict=True):
        assert row["loss/g"] == pytest.approx(expected["loss/g"], rel=1e-4)


def test_a_new_run_takes_no_record_of_another(trainer, tmp_path):
    (tmp_path / "rollbacks.json").write_text("[]")
    with pytest.raises(FileExistsError, match=r"has rollbacks\.json of an ear"):
        train(tmp_path, trainer, 2, Poison())
