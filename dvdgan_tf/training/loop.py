"""When things happen in a run: start or resume, log, sample, save, stop."""

from collections.abc import Callable
from typing import Any

import gin
import tensorflow as tf

from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training import replaced_clips, workers
from dvdgan_tf.training.checkpoints import Checkpoints
from dvdgan_tf.training.feed import Feed
from dvdgan_tf.training.lock import folder_lock
from dvdgan_tf.training.overfitting import Overfitting, overfitting_of
from dvdgan_tf.training.progress import Progress
from dvdgan_tf.training.rollbacks import Rollbacks
from dvdgan_tf.training.run import Run
from dvdgan_tf.training.samples import SampleGrid
from dvdgan_tf.training.schedule import Schedule, check_at_least_one
from dvdgan_tf.training.stopping import StopRequest
from dvdgan_tf.training.strategies import check_same_on_all_workers
from dvdgan_tf.training.watch import DivergenceError, Watch


@gin.configurable(denylist=["init_from", "step"])
def train(
    workdir: str,
    strategy: tf.distribute.Strategy,
    batches: Callable[..., Any],
    init_from: Callable[[], Any] | None = None,
    step: int | None = None,
    dataset: Callable[[], Any] = gin.REQUIRED,
    trainer: Any = gin.REQUIRED,
    num_classes: int | None = None,
    class_conditional: bool = True,
    num_steps: int = 300_000,
    steps_per_loop: int = 100,
    sample_every: int = 1_000,
    checkpoint_every: int = 1_000,
    keep_checkpoints: int | None = 3,
    keep_every: int | None = None,
    keep_powers_of_two: bool = True,
    standing_statistics_batches: int = 16,
    sample_grid: Callable[..., Any] = SampleGrid,
    hold_out: Callable[[Any], tuple[Any, Any]] | None = None,
    held_out_every: int | None = None,
    held_out_clips: int = 64,
    final_report: Any = None,
    watch: Callable[[], Watch] | None = Watch,
    rollbacks: int = 0,
    rollback_margin: int = 1_000,
) -> int:
    """Trains until `num_steps`, from a checkpoint if there is one.

    Everything is written below `workdir`; only the chief writes.

    Args:
        workdir: the run's folder.
        strategy: a `tf.distribute.Strategy`.
        batches: a function such as `dvdgan_tf.data.pipeline.batches`.
        init_from: what a new run starts with, as `Run.start` takes it.
        step: step of the checkpoint to resume from; None for the newest.
        dataset: factory of the training clips (see `data.pipeline`).
        trainer: factory of the `Trainer`, called with the number of classes;
            its seed is also that of the batches.
        num_classes: classes that the networks distinguish; by default as many
            as the dataset has.
        class_conditional: False for networks of one class, whatever classes
            the dataset has.
        num_steps: updates of G.
        steps_per_loop: steps between two looks of Python at the run: to log,
            to check that all is finite, and to obey a request to stop.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: number of the newest checkpoints that are kept; None
            keeps all.
        keep_every: checkpoints of steps that this number divides are kept,
            too; None for none.
        keep_powers_of_two: whether the first checkpoint from each power of two
            on is kept, too.
        standing_statistics_batches: batches over which the averaged
            generator's batch norm statistics are taken before it samples.
        sample_grid: factory of the `SampleGrid`, called with the trainer and
            `class_names`.
        hold_out: function that divides the dataset into clips to train on
            and clips to report overfitting by, such as `data.held_out`'s;
            None trains on all and reports nothing.
        held_out_every: steps between these reports; None: `sample_every`.
        held_out_clips: number of clips of each kind that a report scores,
            rounded up to whole batches.
        final_report: factory of what is measured once `num_steps` is reached,
            called with (trainer, batches) at the start; what it makes is
            called with nothing and returns a text and {name: value}. None for
            nothing.
        watch: class of what names explosions and collapses; None for nothing
            but a check that all is finite.
        rollbacks: how many times the run may go back by itself, all its
            starts together, where training has diverged or collapsed: to an
            older checkpoint, and on with another seed.
        rollback_margin: how many steps before the trouble a checkpoint is far
            enough from it.

    Returns:
        The step reached.

    Raises:
        ValueError: an impossible configuration, or a checkpoint of another
            model or other classes.
        FileNotFoundError: the dataset or the checkpoint is not there.
        FileExistsError: the folder has files of an earlier run, but no
            whole checkpoint.
        BlockingIOError: another run is writing to the folder.
        DivergenceError: training has diverged.
        WorkerLostError: another worker has ended, or cannot be reached.
    """
    schedule = Schedule(
        num_steps,
        steps_per_loop,
        sample_every,
        checkpoint_every,
        sample_every if held_out_every is None else held_out_every,
    )
    check_at_least_one("held_out_clips", held_out_clips)
    with (
        folder_lock(workdir, strategy) as lock,
        workers.together(strategy, workdir),
    ):
        source, held_out = dataset(), None
        if hold_out is not None:
            source, held_out = hold_out(source)
        with strategy.scope():
            trainer = trainer(
                number_of_classes(source, num_classes)
                if class_conditional
                else 1
            )
        grid = sample_grid(trainer, class_names=source.class_names)
        final_report = final_report and final_report(trainer, batches)
        checkpoints = Checkpoints(
            trainer,
            RunFolder(workdir).checkpoints,
            keep_checkpoints,
            keep_every,
            keep_powers_of_two,
        )
        run = Run(
            trainer,
            workdir,
            checkpoints,
            grid,
            standing_statistics_batches,
            lock,
            watch and watch(),
            Rollbacks(RunFolder(workdir).rollbacks, rollbacks, rollback_margin),
        )
        config = gin.operative_config_str()
        run.start(source.class_names, config, init_from, step)
        # The clips are read only now, since mistakes above take no time.
        source.prepare()
        label_counts = source.label_counts if class_conditional else [1]
        trainer.randomness.follow_labels(label_counts)
        run.keep_label_counts(label_counts)
        feed = Feed(batches, source, trainer)
        if trainer.generator.conditioning_frames:
            grid.condition_on(*feed.shown(grid.num_clips))
        overfitting = None
        if held_out is not None:
            overfitting = overfitting_of(
                feed, Feed(batches, held_out, trainer), held_out_clips
            )
        check_same_on_all_workers(strategy, "step", run.step)
        check_same_on_all_workers(strategy, "seed", run.seed)
        check_same_on_all_workers(
            strategy, "number of clips", source.num_examples
        )
        sources = (source, held_out)
        stopped_by = _run_steps(run, feed, schedule, overfitting, sources)
        if final_report and run.step >= num_steps:
            run.report(final_report, feed.conditions())
        run.finish(stopped_by)
        return run.step


def _run_steps(
    run: Run,
    feed: Feed,
    schedule: Schedule,
    overfitting: Overfitting | None,
    sources: tuple[Any, Any],
) -> str | None:
    """Runs all steps that are left, or until someone asks to stop.

    Returns:
        Name of the signal that stopped the run, or None.
    """
    if run.step < schedule.num_steps:
        run.say("Tracing the step; the first one takes the longest.")
    with StopRequest(run.trainer.strategy) as stop:
        if run.step == 0:
            # First, so that a run that is killed can always go on.
            run.save()
            run.sample(feed.conditions())
        done = False
        while not done:
            run.trainer.train_with_seed(run.seed)
            try:
                _run_until_trouble(
                    run, feed, schedule, overfitting, sources, stop
                )
                done = True
            except DivergenceError as error:
                if not run.go_back(error):
                    raise type(error)(
                        f"{error}; {run.way_back()}", error.step
                    ) from error
    return stop.received


def _run_until_trouble(
    run: Run,
    feed: Feed,
    schedule: Schedule,
    overfitting: Overfitting | None,
    sources: tuple[Any, Any],
    stop: StopRequest,
) -> None:
    """Runs the steps that are left, from where the run is.

    Raises:
        DivergenceError: training has diverged, or has collapsed and the run
            may go back.
    """
    iterator = feed.training(run.step)
    progress = Progress(run.step, schedule.num_steps)
    while run.step < schedule.num_steps and not stop.agreed():
        step = run.step
        count = tf.constant(schedule.next_look(step) - step)
        history = run.trainer.run(iterator, count).numpy()
        values, lines = replaced_clips.report(*sources)
        if overfitting and schedule.is_due(run.step, schedule.held_out_every):
            more, warnings = overfitting.report()
            values, lines = values | more, lines + warnings
        run.log(step, history, progress, values, lines)
        run.check_collapse()
        if schedule.is_due(run.step, schedule.sample_every):
            run.sample(feed.conditions())
            run.check_collapse()
        if schedule.is_due(run.step, schedule.checkpoint_every):
            run.save()


def number_of_classes(source: Any, num_classes: int | None) -> int:
    """Returns how many classes the networks distinguish.

    Args:
        source: the training clips.
        num_classes: what the configuration asks for; None for the dataset's.

    Raises:
        ValueError: the dataset has more.
    """
    found = len(source.class_names)
    if num_classes is not None and found > num_classes:
        raise ValueError(
            f"NUM_CLASSES must be at least the dataset's {found} classes. "
            f"Received: num_classes={num_classes}"
        )
    return num_classes or found
