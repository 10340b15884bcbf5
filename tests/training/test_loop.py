"""Whole runs: what they write, stop and resume, and refusals."""

import functools
import glob
import json
import os
import signal

import av
import gin
import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.config import one_line
from dvdgan_tf.data import pipeline
from dvdgan_tf.run_folder import checkpoints_in
from dvdgan_tf.training.checkpoints import Checkpoints
from dvdgan_tf.training.lock import FolderLock
from dvdgan_tf.training.run import Run
from dvdgan_tf.training.samples import SampleGrid
from dvdgan_tf.training.watch import DivergenceError, NonFiniteError, Watch


@pytest.fixture(autouse=True)
def _clear_gin():
    gin.clear_config()
    yield
    gin.clear_config()


def metrics(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def saved_steps(workdir):
    names = glob.glob(f"{workdir}/ckpt/step-*.index")
    return sorted(int(name[:-6].rpartition("-")[2]) for name in names)


def without_speed(lines):
    return [
        {k: v for k, v in line.items() if not k.startswith("speed/")}
        for line in lines
    ]


def scramble(trainer):
    """As in a new process, no variable holds what it held."""
    for variable in trainer.variables().values():
        variable.assign(tf.zeros_like(variable) + tf.cast(3, variable.dtype))


def test_a_stopped_and_resumed_run_equals_a_straight_one(
    tmp_path, trainer, capsys
):
    straight, halves = tmp_path / "straight", tmp_path / "halves"
    initial = tiny.values(trainer)
    run = functools.partial(
        tiny.train,
        trainer=trainer,
        keep_checkpoints=2,
        keep_powers_of_two=False,
    )
    assert run(straight, num_steps=8, checkpoint_every=2) == 8
    expected = tiny.values(trainer)
    out = capsys.readouterr().out
    assert "100.0%  step 8/8" in out and f"{straight}/ckpt/step-8" in out
    assert saved_steps(straight) == [6, 8]
    check_files(straight)

    tiny.assign(trainer, initial)
    assert run(halves, num_steps=4) == 4
    assert saved_steps(halves) == [4]
    # Killed at step 7: the lines after the checkpoint will come again.
    with open(halves / "metrics.jsonl", "a") as file:
        file.write('{"step": 6, "loss/g": 99.0}\n{"step": 7, "los')
    scramble(trainer)
    capsys.readouterr()
    gin.parse_config("train.sample_every = 50")
    assert run(halves, num_steps=8, sample_every=gin.REQUIRED) == 8
    out = capsys.readouterr().out
    assert f"Resumed from {halves}/ckpt/step-4 at step 4." in out
    assert "  + train.sample_every = 50\n" in out

    found = tiny.values(trainer)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert [line["step"] for line in metrics(halves)] == [2, 4, 6, 8]
    assert without_speed(metrics(halves)) == without_speed(metrics(straight))
    assert "sample_every = 50" in (halves / "operative_config.gin").read_text()
    # A finished run does nothing more, but for what a kill has kept it from.
    listed = halves / "ckpt" / "checkpoint"
    listed.write_text('model_checkpoint_path: "step-4"\n')
    assert run(halves, num_steps=8) == 8
    assert len(metrics(halves)) == 4
    newest = tf.train.latest_checkpoint(str(halves / "ckpt"))
    assert newest == str(halves / "ckpt" / "step-8")


def check_files(workdir):
    assert json.loads((workdir / "classes.json").read_text()) == ["a", "b", "c"]
    counts = json.loads((workdir / "label_counts.json").read_text())
    assert counts == list(tiny.Source.label_counts)
    assert (workdir / "operative_config.gin").exists()
    names = {path.name for path in (workdir / "samples").iterdir()}
    assert names == {
        f"step_{step:08d}_{kind}.{ending}"
        for step in (0, 8)
        for kind in ("live", "ema")
        for ending in ("png", "gif", "mp4")
    }
    for name in names:
        with av.open(str(workdir / "samples" / name)) as file:
            frames = [f.to_ndarray(format="rgb24") for f in file.decode()]
        assert len(frames) == (1 if name.endswith("png") else tiny.FRAMES)
        assert frames[0].shape[2] == 3 and frames[0].std() > 0
    (events,) = glob.glob(f"{workdir}/events.out.tfevents.*")
    tags = {}
    for event in tf.compat.v1.train.summary_iterator(events):
        for value in event.summary.value:
            tags.setdefault(value.tag, []).append(event.step)
    for name in (*tiny.METRICS, "speed/steps_per_second"):
        assert tags[name] == [2, 4, 6, 8]
    assert tags["samples/ema"] == tags["samples/live"] == [0, 8]
    assert tags["clips/ema"] == tags["clips/live"] == [0, 8]
    assert {"config", "parameters"} <= tags.keys()
    sigmas = [tag for tag in tags if tag.startswith("sigma/")]
    assert len(sigmas) == 8
    lines = metrics(workdir)
    assert set(lines[0]) == {"step", *tiny.METRICS, *sigmas} | {
        "speed/steps_per_second",
        "speed/real_clips_per_second",
    }


def test_nothing_is_lost_without_the_list_of_checkpoints(tmp_path, trainer):
    """Missing, cut short or empty: a run goes on where its files are."""
    run = functools.partial(tiny.train, tmp_path, trainer)
    assert run(2) == 2
    for step, damage in ((3, None), (4, ""), (5, "model_check")):
        (tmp_path / "ckpt" / "checkpoint").unlink()
        if damage is not None:
            (tmp_path / "ckpt" / "checkpoint").write_text(damage)
        scramble(trainer)
        assert run(step) == step
    assert [line["step"] for line in metrics(tmp_path)] == [2, 3, 4, 5]
    assert saved_steps(tmp_path) == [2, 3, 4, 5]


def test_a_run_without_its_checkpoints_does_not_begin_anew(tmp_path, trainer):
    assert tiny.train(tmp_path, trainer, 2) == 2
    before = (tmp_path / "metrics.jsonl").read_bytes()
    os.rename(tmp_path / "ckpt", tmp_path / "elsewhere")
    with pytest.raises(FileExistsError, match=r"metrics\.jsonl, samples"):
        tiny.train(tmp_path, trainer, 4)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert not (tmp_path / "ckpt").exists()


def test_a_run_killed_before_its_first_checkpoint_goes_on(
    tmp_path, trainer, monkeypatch
):
    """It begins at step 0 again, with the metrics of the first time gone."""
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    initial = tiny.values(trainer)
    assert tiny.train(straight, trainer, 4) == 4
    expected = tiny.values(trainer)
    tiny.assign(trainer, initial)
    with monkeypatch.context() as patched:
        patched.setattr(Run, "log", kill_after(3, Run.log))
        with pytest.raises(KeyboardInterrupt):
            tiny.train(killed, trainer, 4, steps_per_loop=1)
    assert saved_steps(killed) == [0] and len(metrics(killed)) == 3
    scramble(trainer)
    assert tiny.train(killed, trainer, 4) == 4
    for name, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert without_speed(metrics(killed)) == without_speed(metrics(straight))


def kill_after(count, log):
    """`Run.log` that ends the run at its last call."""
    calls = []

    def logged(self, *args):
        log(self, *args)
        calls.append(self)
        if len(calls) == count:
            raise KeyboardInterrupt

    return logged


def test_resuming_from_an_older_checkpoint_keeps_the_newer(
    tmp_path, trainer, capsys
):
    run = functools.partial(tiny.train, tmp_path, trainer, checkpoint_every=2)
    assert run(6) == 6
    expected, lines = tiny.values(trainer), metrics(tmp_path)
    scramble(trainer)
    assert run(6, step=2) == 6
    assert f"from {tmp_path}/ckpt/step-2 at step 2" in capsys.readouterr().out
    for name, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert without_speed(metrics(tmp_path)) == without_speed(lines)
    aside = tmp_path / "set_aside" / "after-step-2"
    assert metrics(aside) == lines
    assert list(checkpoints_in(aside)) == [4, 6]
    with pytest.raises(FileNotFoundError, match="no checkpoint of step 3"):
        run(6, step=3)


def test_two_runs_do_not_share_a_folder(tmp_path, trainer):
    """The second is refused before it builds anything or writes."""
    with FolderLock(str(tmp_path)):
        before = sorted(os.listdir(tmp_path))
        with pytest.raises(BlockingIOError, match="trains in"):
            tiny.train(tmp_path, None, 2)
        assert sorted(os.listdir(tmp_path)) == before
    assert tiny.train(tmp_path, trainer, 2) == 2
    assert "run.lock" not in os.listdir(tmp_path)


def test_a_run_that_lost_its_folder_writes_nothing_more(tmp_path, trainer):
    class Robbed(tiny.Source):
        def prepare(self):
            # The process was stopped, and another one has found no life.
            text = (tmp_path / "run.lock").read_text()
            held = json.loads(text) | {"token": "another"}
            (tmp_path / "run.lock").write_text(json.dumps(held))

    with pytest.raises(BlockingIOError, match="no longer this run's"):
        tiny.train(tmp_path, trainer, 2, dataset=Robbed)
    assert saved_steps(tmp_path) == []
    assert (tmp_path / "run.lock").exists()


def test_damaged_files_of_a_run_are_named(tmp_path, trainer, capsys):
    run = functools.partial(tiny.train, tmp_path, trainer)
    assert run(2) == 2
    classes = tmp_path / "classes.json"
    before = classes.read_text()
    for text in ("5", "[", "{}", "[null]"):
        classes.write_text(text)
        with pytest.raises(ValueError, match=r"classes\.json.* write the data"):
            run(4)
    classes.write_text(before)
    (tmp_path / "operative_config.gin").write_bytes(b"\xff\xfe\0")
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write("5\n")
    capsys.readouterr()
    assert run(4) == 4
    out = capsys.readouterr().out
    assert f"{tmp_path}/operative_config.gin is no text" in out
    assert f"{tmp_path}/metrics.jsonl had 1 lines that are no metrics" in out
    assert [line["step"] for line in metrics(tmp_path)] == [2, 4]
    kept = tmp_path / "set_aside" / "damaged"
    assert (kept.with_name("damaged-2") / "operative_config.gin").exists()
    assert (kept / "metrics.jsonl").exists()


class OtherSource(tiny.Source):
    class_names = ("a", "c", "b")


class PoisonedSource(tiny.Source):
    """Its preparation, after the checkpoint is read, makes a weight NaN."""

    def __init__(self, weight):
        self.weight = weight

    def prepare(self):
        self.weight.assign(self.weight * np.nan)


def test_refusals_and_divergence(tmp_path, trainer):
    run = functools.partial(tiny.train, tmp_path, trainer)
    assert run(2) == 2
    before = tiny.values(trainer)
    files = sorted(os.listdir(tmp_path))

    with pytest.raises(ValueError) as error:
        run(4, dataset=OtherSource)
    assert "classes are not those of" in str(error.value)
    assert "3 now, 3 then" in str(error.value)

    with pytest.raises(ValueError, match=r"checkpoint .*step-2 is of another"):
        tiny.train(tmp_path, narrow, 4)
    assert sorted(os.listdir(tmp_path)) == files
    for name, value in tiny.values(trainer).items():
        np.testing.assert_array_equal(value, before[name])

    weight = trainer.d_temporal.trainable_variables[0]
    source = functools.partial(PoisonedSource, weight)
    with pytest.raises(NonFiniteError) as error:
        run(8, dataset=source, checkpoint_every=1)
    message = one_line(error.value)
    # On some processors oneDNN's ReLU makes 0 of NaN: the gradient tells.
    _, _, rest = message.partition("/d_temporal is nan at step 3; ")
    assert message.removesuffix(rest) in {
        f"{name}/d_temporal is nan at step 3; "
        for name in ("loss", "gradient_norm")
    }
    assert f"{tmp_path}/ckpt/step-2" in message
    assert saved_steps(tmp_path) == [2]
    assert [line["step"] for line in metrics(tmp_path)] == [2]


class ExplodingSource(PoisonedSource):
    """Its preparation makes the weight large, and the losses finite."""

    def prepare(self):
        self.weight.assign(self.weight + 1e5)


def test_a_finite_explosion_is_not_saved(tmp_path, trainer):
    run = functools.partial(
        tiny.train, tmp_path, trainer, checkpoint_every=4, steps_per_loop=1
    )
    assert run(12) == 12
    biases = [
        variable
        for variable in trainer.d_temporal.trainable_variables
        if variable.path.endswith("bias")
    ]
    weight = biases[-1]
    source = functools.partial(ExplodingSource, weight)
    # The past that it is judged by is that of the metrics.
    with pytest.raises(DivergenceError) as error:
        run(16, dataset=source)
    message = one_line(error.value)
    assert "d_temporal is " in message and " at step 13, " in message
    assert f"checkpoint is {tmp_path}/ckpt/step-12. Since then, " in message
    assert f"Since then, {weight.path}, whose root mean" in message
    assert "--step from an older checkpoint (there are 4, 8, 12)" in message
    assert saved_steps(tmp_path) == [4, 8, 12]
    assert metrics(tmp_path)[-1]["step"] == 12
    # Who knows better may go on.
    assert run(14, dataset=source, watch=None) == 14


def test_collapse_is_named_and_an_earlier_checkpoint_stays(
    tmp_path, trainer, capsys
):
    watch = functools.partial(
        Watch, zero_loss=1e9, collapse_steps=4, same_samples=256
    )
    run = functools.partial(
        tiny.train,
        tmp_path,
        trainer,
        checkpoint_every=1,
        keep_checkpoints=1,
        keep_powers_of_two=False,
        sample_every=3,
    )
    assert run(3) == 3
    capsys.readouterr()
    # Or the losses of these steps would count as zero, too.
    (tmp_path / "metrics.jsonl").unlink()
    assert run(9, watch=watch) == 9
    out = capsys.readouterr().out
    for name in ("spatial", "temporal"):
        assert (
            f"\nwarning: loss/d_{name} has been below 1e+09 since step 4, for "
            "4 steps: "
        ) in out
    for name in ("live", "averaged"):
        line = f"warning: all samples of the {name} generator are the same at"
        assert out.count(line) == 1 and f"{line} step 6: " in out
    assert saved_steps(tmp_path) == [3, 9]


def narrow(num_classes):
    generator = functools.partial(tiny.NETWORKS["generator"], ch=1)
    return tiny.trainer(None, num_classes, generator=generator)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_steps": 0}, "num_steps=0"),
        ({"steps_per_loop": 0}, "steps_per_loop=0"),
        ({"sample_every": -1}, "sample_every=-1"),
        ({"checkpoint_every": 0}, "checkpoint_every=0"),
        ({"num_classes": 2}, "dataset's 3 classes. Received: num_classes=2"),
    ],
)
def test_impossible_arguments(tmp_path, changes, words):
    arguments = {"num_steps": 1, **changes}
    with pytest.raises(ValueError) as error:
        tiny.train(tmp_path / "run", None, **arguments)
    assert one_line(error.value).endswith(words)
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")
@pytest.mark.usefixtures("eagerly")
def test_two_replicas(tmp_path, trainer):
    """A mirrored run: the losses of one device, and its checkpoint fits."""
    initial = tiny.values(trainer)
    strategy = tiny.mirrored()
    made = []

    def factory(num_classes):
        made.append(
            tiny.trainer(
                strategy,
                num_classes,
                learning_rate_g=1e-3,
                learning_rate_d=5e-3,
                ema_decay=0.75,
                ema_start_step=2,
            )
        )
        tiny.assign(made[0], initial)
        return made[0]

    grid = functools.partial(SampleGrid, num_classes=1, samples_per_class=1)
    run = functools.partial(
        tiny.train,
        num_steps=1,
        sample_grid=grid,
        standing_statistics_batches=1,
    )
    two, one = tmp_path / "two", tmp_path / "one"
    assert run(two, factory, strategy=strategy) == 1
    assert run(one, trainer) == 1
    for found, expected in zip(metrics(two), metrics(one), strict=True):
        for name in tiny.METRICS:
            if not name.startswith("gradient_norm"):
                assert found[name] == pytest.approx(expected[name], abs=2e-3)
    scramble(trainer)
    assert run(two, trainer) == 1
    for name, value in tiny.values(made[0]).items():
        now = trainer.variables()[name].numpy()
        np.testing.assert_array_equal(now, value, err_msg=name)


def test_momentum_is_configuration_also_where_it_resumes(tmp_path, trainer):
    norms = trainer.generator.batch_norms()
    checkpoints = Checkpoints(trainer, str(tmp_path / "ckpt"))
    first = Run(trainer, str(tmp_path), checkpoints, None)
    first.start(("a",), "CH = 2")
    for norm in norms:
        norm.momentum.assign(0.5)
    first.checkpoints.save(0)
    Run(trainer, str(tmp_path), checkpoints, None).start(("a",), "CH = 2")
    for norm in norms:
        assert norm.momentum.numpy() == np.float32(0.9)


def test_a_final_report_is_made_once_training_is_over(
    tmp_path, trainer, capsys
):
    """It is made at the start, called at the end, and its values are kept."""
    reports = []

    def factory(its_trainer, batches):
        assert its_trainer is trainer and batches is pipeline.batches
        reports.append(int(trainer.step))
        return report

    def report():
        reports.append(int(trainer.step))
        return "Half of all is well.", {"wellness": 0.5}

    run = functools.partial(tiny.train, trainer=trainer, final_report=factory)
    run(tmp_path, num_steps=2)
    assert reports == [0, 2]
    out = capsys.readouterr().out
    assert "\nHalf of all is well.\n" in out
    assert metrics(tmp_path)[-1] == {"step": 2, "wellness": 0.5}


def test_a_stopped_run_makes_no_final_report(tmp_path, trainer):
    class Report:
        def __init__(self, its_trainer, batches):
            pass

        def __call__(self):
            raise AssertionError("This run has not reached its end.")

    class Grid(SampleGrid):
        def write(self, directory, step, ema):
            # A second signal would end the process at once.
            if not ema:
                signal.raise_signal(signal.SIGTERM)
            return super().write(directory, step, ema)

    grid = functools.partial(Grid, num_classes=1, samples_per_class=1)
    assert (
        tiny.train(tmp_path, trainer, 2, final_report=Report, sample_grid=grid)
        == 0
    )
