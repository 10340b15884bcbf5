"""When things happen in a run: start or resume, log, sample, save, stop."""

import functools

import gin
import tensorflow as tf

from dvdgan_tf.training import replaced_clips
from dvdgan_tf.training.overfitting import Overfitting
from dvdgan_tf.training.progress import Progress
from dvdgan_tf.training.run import Run
from dvdgan_tf.training.samples import SampleGrid
from dvdgan_tf.training.stopping import StopRequest
from dvdgan_tf.training.strategies import check_same_on_all_workers

# Number of a batch that no training step reaches.
_BEYOND_TRAINING = 2**40


@gin.configurable(denylist=["init_from"])
def train(
    workdir,
    strategy,
    batches,
    init_from=None,
    dataset=gin.REQUIRED,
    trainer=gin.REQUIRED,
    num_classes=None,
    class_conditional=True,
    num_steps=300_000,
    steps_per_loop=100,
    sample_every=1_000,
    checkpoint_every=1_000,
    keep_checkpoints=3,
    standing_statistics_batches=16,
    sample_grid=SampleGrid,
    hold_out=None,
    held_out_every=None,
    held_out_clips=64,
    final_report=None,
):
    """Trains until `num_steps`, from the newest checkpoint if there is one.

    Everything is written below `workdir`; only the chief writes.

    Args:
        workdir: the run's folder.
        strategy: a `tf.distribute.Strategy`.
        batches: as `dvdgan_tf.data.pipeline.batches`.
        init_from: what a new run starts with, as `Run.start` takes it.
        dataset: factory of the training clips (see `data.pipeline`).
        trainer: factory of the `Trainer`, called with the number of classes;
            its seed is also that of the batches.
        num_classes: of the networks; the dataset's own number by default.
        class_conditional: False for networks of one class, whatever classes
            the dataset has.
        num_steps: updates of G.
        steps_per_loop: steps between two looks of Python at the run: to log,
            to check that all is finite, and to obey a request to stop.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: how many of the newest are kept.
        standing_statistics_batches: batches over which the averaged
            generator's batch norm statistics are taken before it samples.
        sample_grid: factory of the `SampleGrid`.
        hold_out: function that divides the dataset into clips to train on
            and clips to report overfitting by, such as `data.held_out`'s;
            None trains on all and reports nothing.
        held_out_every: steps between these reports; None: `sample_every`.
        held_out_clips: how many clips of each kind a report scores, rounded
            up to whole batches.
        final_report: factory of what is measured once `num_steps` is reached,
            called with (trainer, batches) at the start; what it makes is
            called with nothing and returns a text and {name: value}. None for
            nothing.

    Returns:
        The step reached.

    Raises:
        ValueError: an impossible configuration, or a checkpoint of another
            model or other classes.
        FileNotFoundError: the dataset is not there.
        NonFiniteError: training has diverged.
    """
    held_out_every = sample_every if held_out_every is None else held_out_every
    _check_at_least_one(
        num_steps=num_steps,
        steps_per_loop=steps_per_loop,
        sample_every=sample_every,
        checkpoint_every=checkpoint_every,
        held_out_every=held_out_every,
        held_out_clips=held_out_clips,
    )
    source, held_out = dataset(), None
    if hold_out is not None:
        source, held_out = hold_out(source)
    with strategy.scope():
        trainer = trainer(
            _number_of_classes(source, num_classes) if class_conditional else 1
        )
    grid = sample_grid(trainer)
    final_report = final_report and final_report(trainer, batches)
    run = Run(trainer, workdir, keep_checkpoints, grid)
    run.start(source.class_names, gin.operative_config_str(), init_from)
    source.prepare()
    trainer.randomness.follow_labels(
        source.label_counts if class_conditional else [1]
    )
    conditions = functools.partial(_conditions, batches, source, trainer)
    if trainer.generator.conditioning_frames:
        grid.condition_on(*_shown(batches, source, trainer.seed, grid))
    iterator = iter(
        _distribute(
            batches, source, trainer, run.step * trainer.batches_per_step
        )
    )
    overfitting = None
    if held_out is not None:
        overfitting = _overfitting(
            batches, source, held_out, trainer, held_out_clips
        )
    every = (steps_per_loop, sample_every, checkpoint_every, held_out_every)

    def is_due(n):
        return run.step % n == 0 or run.step == num_steps

    progress = Progress(run.step, num_steps)
    check_same_on_all_workers(strategy, "step", run.step)
    check_same_on_all_workers(strategy, "number of clips", source.num_examples)
    if run.step < num_steps:
        run.say("Tracing the step; the first one takes the longest.")
    with StopRequest(strategy) as stop:
        if run.step == 0:
            run.sample(standing_statistics_batches, conditions())
        while run.step < num_steps and not stop.agreed():
            step = run.step
            until = min(num_steps, *(_next_multiple(step, n) for n in every))
            history = trainer.run(iterator, tf.constant(until - step)).numpy()
            values, lines = replaced_clips.report(source, held_out)
            if overfitting and is_due(held_out_every):
                more, warnings = overfitting.report()
                values, lines = values | more, lines + warnings
            run.log(step, history, progress, values, lines)
            if is_due(sample_every):
                run.sample(standing_statistics_batches, conditions())
            if is_due(checkpoint_every):
                run.save()
    if final_report and run.step >= num_steps:
        run.report(final_report, standing_statistics_batches, conditions())
    run.finish(stop.received)
    return run.step


def _check_at_least_one(**arguments):
    for name, value in arguments.items():
        if value < 1:
            raise ValueError(
                f"train.{name} must be at least 1. Received: {name}={value}"
            )


def _next_multiple(step, every):
    return (step // every + 1) * every


def _number_of_classes(source, num_classes):
    found = len(source.class_names)
    if num_classes is not None and found > num_classes:
        raise ValueError(
            f"NUM_CLASSES must be at least the dataset's {found} classes. "
            f"Received: num_classes={num_classes}"
        )
    return num_classes or found


def _conditions(batches, source, trainer):
    """Iterator of real batches that are not trained on; None in synthesis."""
    if not trainer.generator.conditioning_frames:
        return None
    return iter(_distribute(batches, source, trainer, _BEYOND_TRAINING))


def _shown(batches, source, seed, grid):
    """The videos and labels whose first frames the grid's samples continue."""
    shown = batches(source, grid.num_clips, seed, 2 * _BEYOND_TRAINING)
    return next(iter(shown))


def _overfitting(batches, source, held_out, trainer, num_clips):
    """The `Overfitting` of a run, which scores the same clips at each report.

    Args:
        batches: see `train`.
        source: of the training clips, prepared.
        held_out: source of the held-out clips; prepared here.
        trainer: a `Trainer`.
        num_clips: of each, rounded up to whole batches.
    """
    held_out.prepare()
    check_same_on_all_workers(
        trainer.strategy, "number of held-out clips", held_out.num_examples
    )

    def fixed(source):
        # Windows that are not trained on; an epoch begins with the first.
        epoch = source.num_examples
        start = -(-3 * _BEYOND_TRAINING // epoch) * epoch
        return lambda: iter(_distribute(batches, source, trainer, start))

    num_batches = -(-num_clips // trainer.batch_size)
    scored = num_batches * trainer.batch_size
    return Overfitting(
        trainer,
        fixed(source),
        fixed(held_out),
        num_batches,
        [min(scored, s.num_examples) for s in (source, held_out)],
    )


def _distribute(batches, source, trainer, start):
    """Each process reads its own slices of the global batches.

    Args:
        batches: see `train`.
        source: see `train`.
        trainer: a `Trainer`.
        start: number of the first global batch.
    """

    def pipeline(context):
        return batches(
            source,
            trainer.batch_size,
            trainer.seed,
            start_batch=start,
            pipeline_id=context.input_pipeline_id,
            num_pipelines=context.num_input_pipelines,
            replicas_per_pipeline=context.num_replicas_in_sync
            // context.num_input_pipelines,
        )

    return trainer.strategy.distribute_datasets_from_function(pipeline)
