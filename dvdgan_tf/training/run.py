"""A run's folder: what is read from it at the start and written to it."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from dvdgan_tf import files
from dvdgan_tf.plain_text import fenced
from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training import changes, leftovers, starting_weights
from dvdgan_tf.training.checkpoints import Checkpoints, step_of
from dvdgan_tf.training.lock import FolderLock
from dvdgan_tf.training.rollbacks import Rollbacks
from dvdgan_tf.training.strategies import from_chief, is_multi_worker
from dvdgan_tf.training.summaries import (
    Summaries,
    count_parameters,
    largest_spectral_weights,
    parameter_table,
)
from dvdgan_tf.training.suspect import fastest_growing
from dvdgan_tf.training.watch import (
    CollapseError,
    DivergenceError,
    NonFiniteError,
    Watch,
)


class Run:
    """The folder `workdir` of a training run.

    It holds `operative_config.gin`, `classes.json`, `ckpt/`, event files,
    `metrics.jsonl` and `samples/`. In a multi-worker run all workers read it
    (it is on a shared file system) and only the chief writes.

    Args:
        trainer: a `Trainer`.
        workdir: path in a mounted file system; created if missing.
        checkpoints: the `Checkpoints` of that folder.
        grid: a `SampleGrid`.
        standing_statistics_batches: batches over which the averaged
            generator's batch norm statistics are taken before it samples.
        lock: the `FolderLock` that this run holds, or None.
        watch: the `Watch` that judges whether training is healthy, or None.
        rollbacks: the `Rollbacks` of the folder; by default none are allowed.
    """

    def __init__(
        self,
        trainer: Any,
        workdir: str,
        checkpoints: Checkpoints,
        grid: Any,
        standing_statistics_batches: int = 16,
        lock: FolderLock | None = None,
        watch: Watch | None = None,
        rollbacks: Rollbacks | None = None,
    ) -> None:
        self.trainer = trainer
        self.workdir = workdir
        self.folder = RunFolder(workdir)
        self.grid = grid
        self.standing_statistics_batches = standing_statistics_batches
        self.lock = lock
        self.is_chief = trainer.strategy.extended.should_checkpoint
        self.checkpoints = checkpoints
        self.watch = watch
        self.rollbacks = rollbacks or Rollbacks(self.folder.rollbacks)
        self.sigmas = largest_spectral_weights(trainer.networks[:3])
        self.summaries: Any = None
        self.sample_paths = []

    @property
    def step(self) -> int:
        """The trainer's step, a Python number."""
        return int(self.trainer.step.numpy())

    @property
    def seed(self) -> int:
        """The seed of the steps; another one each time the run goes back."""
        return self.rollbacks.seed(self.trainer.seed)

    def start(
        self,
        class_names: Sequence[str],
        config: str,
        init_from: Callable[[], Any] | None = None,
        step: int | None = None,
    ) -> None:
        """Resumes from a checkpoint, or begins a new run.

        Args:
            class_names: the dataset's classes, in the order of the labels.
            config: the operative gin configuration, a text.
            init_from: opens the `StoredWeights` that a new run starts with,
                in a context; None: it starts with those of the initialisers.
            step: step of the checkpoint to resume from; what lies beyond it is
                set aside. None for the newest that is whole.

        Raises:
            ValueError: the run was started with other classes or another
                model, or `init_from` does not fit; nothing has been written
                then.
            FileNotFoundError: `init_from` or the checkpoint is not there.
            FileExistsError: an earlier run has left files, but no whole
                checkpoint.
        """
        resumed = step is not None or self.checkpoints.latest() is not None
        went_back = self.rollbacks.unfinished is not None
        if step is None and went_back:
            # That checkpoint itself may have been deleted as damaged.
            step = self.rollbacks.unfinished
            earlier = [s for s in self.folder.steps() if s <= step]
            step = max(earlier, default=step)
        taken = None
        if resumed:
            changes.check_class_names(self.folder, class_names)
            path = self._restore(step)
            self.say(f"Resumed from {path} at step {self.step}.")
            if self.rollbacks.past:
                self.say(
                    f"Its seed is {self.seed}, since it has gone back by "
                    f"itself (see {self.folder.rollbacks})."
                )
            if init_from:
                self.say("--init_from was for step 0 and is ignored.")
        else:
            leftovers.check_new(self.folder)
            if init_from:
                taken = self._take(init_from, class_names)
        if not self.is_chief:
            self.tell(f"begins at step {self.step}; worker 0 writes the files.")
            return
        os.makedirs(self.workdir, exist_ok=True)
        self._tidy(went_back)
        if resumed:
            for line in changes.of_configuration(self.folder, config):
                self.say(line)
        files.write_text(self.folder.config, config)
        files.write_json(self.folder.classes, list(class_names))
        self.summaries = Summaries(self.workdir)
        networks = self.trainer.networks[:3]
        self.summaries.text(self.step, "config", fenced(config))
        if taken:
            self.summaries.text(self.step, "init_from", fenced(taken))
        self.summaries.text(self.step, "parameters", parameter_table(networks))
        counts = (f"{n.name} {count_parameters(n):,}" for n in networks)
        self.say(f"Parameters: {', '.join(counts)}.")

    def _take(self, init_from, class_names):
        """Starts with the weights of another run; returns what was taken."""
        with init_from() as stored:
            taken = starting_weights.take(self.trainer, stored, class_names)
        self.say(taken)
        return taken

    def _restore(self, step: int | None) -> str | None:
        """Restores a checkpoint, the newest or that of a step, and its past."""
        path = self.checkpoints.restore(step)
        # Configuration, though standing statistics make it a variable.
        for norm in self.trainer.generator.batch_norms():
            norm.momentum.assign(norm.initial_momentum)
        if self.watch:
            self.watch.forget()
            self.watch.recall(leftovers.metrics(self.folder, self.step))
        return path

    def _tidy(self, went_back):
        """Makes the folder one of a run that has reached this step."""
        leftovers.remove_unfinished(self.folder)
        for news in (
            leftovers.set_aside(self.folder, self.step, went_back),
            leftovers.cut_metrics(self.folder, self.step),
        ):
            if news:
                self.say(news)
        self.rollbacks.finish()

    def go_back(self, error: DivergenceError) -> bool:
        """Goes back to before a trouble, if the run may; all workers call it.

        Args:
            error: the trouble.

        Returns:
            Whether the run goes on, from `self.step` with `self.seed`.

        Raises:
            BlockingIOError: another run has taken the folder.
        """
        # What is in the folder may be seen late by other workers.
        step = int(from_chief(self.trainer.strategy, self._target(error)))
        if step < 0:
            return False
        if self.is_chief:
            self._check_lock()
        grown, why = self._grown(), str(error).rstrip(".")
        self.rollbacks.begin(
            error.step, step, why, self.trainer.seed, self.is_chief
        )
        line = (
            f"{why}. {grown}The run goes back to step {step} by itself "
            f"({len(self.rollbacks.past)} of {self.rollbacks.allowed}), and on "
            f"with seed {self.seed}."
        )
        self._restore(step)
        self.say(line)
        self.tell(line)
        if self.is_chief:
            self._tidy(went_back=True)
            self.summaries.text(step, "rollback", fenced(line))
        return True

    def _target(self, error: DivergenceError) -> int:
        """The step of the checkpoint to go back to, -1 if there is none."""
        healthy = self.watch.healthy_step if self.watch else None
        found = self.rollbacks.target(self.folder.steps(), error.step, healthy)
        return -1 if found is None else found

    def check_collapse(self) -> None:
        """Raises CollapseError if the run has collapsed and can go back.

        All workers call it, since the chief alone sees the samples.
        """
        if not (self.watch and self.rollbacks.are_left):
            return
        seen, self.watch.collapse = self.watch.collapse, None
        can = seen is not None and self._target(seen) >= 0
        step = int(
            from_chief(self.trainer.strategy, seen.step if seen and can else -1)
        )
        if step >= 0:
            raise seen or CollapseError("training has collapsed", step)

    def keep_label_counts(self, counts: Sequence[int]) -> None:
        """Keeps how many clips have each label, for standing statistics.

        Args:
            counts: [classes], integers.
        """
        if self.is_chief:
            counts = [int(n) for n in counts]
            files.write_json(self.folder.label_counts, counts)

    def log(
        self,
        first_step: int,
        history: np.ndarray,
        progress: Any,
        more: dict[str, float] | None = None,
        news: Sequence[str] = (),
    ) -> None:
        """Reports the steps since the last look, if all is finite.

        Args:
            first_step: the step before the first of them.
            history: [steps, len(trainer.metrics)], as `Trainer.run` returns.
            progress: a `Progress`.
            more: {name: float}, further scalars of this step.
            news: lines to print below that of the progress.

        Raises:
            DivergenceError: a loss or a gradient is not finite, or a loss has
                exploded; see `go_back` and `way_back`.
            BlockingIOError: another run has taken the folder.
        """
        self._check_finite(first_step, history)
        news = [*news, *self._watch(first_step, self.trainer.metrics, history)]
        rate = progress.advance(self.step)
        names = self.trainer.metrics
        values = dict(zip(names, history.mean(0).tolist(), strict=True))
        losses = {
            short: values[f"loss/{name}"]
            for short, name in (
                ("D_S", "d_spatial"),
                ("D_T", "d_temporal"),
                ("G", "g"),
            )
        }
        if news or progress.is_due():
            line = progress.line(rate, losses)
            self.say(line)
            self.tell(line)
        for line in news:
            self.say(line)
        if not self.is_chief:
            return
        self._check_lock()
        clips = self.trainer.batch_size * self.trainer.batches_per_step
        sigmas = {
            f"sigma/{k}": float(w.sigma()) for k, w in self.sigmas.items()
        }
        for line in self._watch(
            self.step - 1, list(sigmas), np.array([list(sigmas.values())])
        ):
            self.say(line)
        values["speed/steps_per_second"] = rate
        values["speed/real_clips_per_second"] = rate * clips
        values |= sigmas | (more or {})
        self.summaries.scalars(self.step, values)

    def _check_finite(self, first_step, history):
        bad = np.argwhere(~np.isfinite(history))
        if len(bad):
            row, column = bad[0]
            name, value = self.trainer.metrics[column], history[row, column]
            step = int(first_step + row + 1)
            raise NonFiniteError(f"{name} is {value} at step {step}", step)

    def _watch(self, first_step, names, history):
        """Returns the warnings of the `Watch`; raises at an explosion."""
        if not self.watch:
            return []
        return self.watch.observe(first_step, names, history)

    def way_back(self) -> str:
        """What to do after a divergence, and where it may have begun."""
        saved = list(self.folder.steps())
        if not saved:
            return (
                "the last good checkpoint is missing: none was written yet. "
                "Lower the learning rates, or use float32."
            )
        return (
            f"the last good checkpoint is {self.checkpoints.latest()}. "
            f"{self._grown()}Nothing was saved; "
            "lower the learning rates, use float32, or resume with another "
            "Trainer.seed, by --step from an older checkpoint (there are "
            f"{', '.join(map(str, saved))})."
        )

    def _grown(self):
        """A sentence about what has grown since the newest checkpoint."""
        latest = self.checkpoints.latest()
        layer = fastest_growing(self.trainer.networks[:3], latest)
        return f"Since then, {layer}, has grown most. " if layer else ""

    def sample(self, conditions: Iterator | None = None) -> None:
        """Writes the sample grids of the live and the averaged generator.

        Args:
            conditions: iterator of real batches, for frame prediction.
        """
        self.say("Standing statistics of the averaged G, then sample grids ...")
        self._update_standing_statistics(conditions)
        if not self.is_chief:
            return
        for ema in (False, True):
            image, self.sample_paths = self.grid.write(
                self.folder.samples, self.step, ema
            )
            if self.watch and hasattr(self.grid, "spread"):
                which = "averaged" if ema else "live"
                for line in self.watch.judge_samples(
                    self.step, which, self.grid.spread
                ):
                    self.say(line)
            name = "ema" if ema else "live"
            self.summaries.image(self.step, f"samples/{name}", image)
            # The GIF, which TensorBoard's image tab plays.
            moving = self.sample_paths[1]
            self.summaries.moving(self.step, f"clips/{name}", moving)

    def _update_standing_statistics(self, conditions):
        batches = tf.constant(self.standing_statistics_batches)
        self.trainer.update_standing_statistics(batches, conditions)

    def save(self) -> None:
        """Writes a checkpoint.

        Raises:
            BlockingIOError: another run has taken the folder.
            OSError: it cannot be written.
        """
        if self.is_chief:
            self._check_lock()
            self.checkpoints.save(self.step, self._healthy_step())

    def _healthy_step(self):
        return self.watch.healthy_step if self.watch else None

    def _check_lock(self):
        if self.lock:
            self.lock.check()

    def report(
        self,
        measure: Callable[[], tuple[str, dict[str, float]]],
        conditions: Iterator | None = None,
    ) -> None:
        """Prints what a final report measures, and keeps its values.

        Args:
            measure: returns a text and {name: float}; see `loop.train`.
            conditions: iterator of real batches, for frame prediction.
        """
        # A run that resumed where it was stopped has not sampled yet.
        self._update_standing_statistics(conditions)
        if self.is_chief:
            text, values = measure()
            self.say(text)
            self.summaries.scalars(self.step, values)

    def finish(self, stopped_by: str | None) -> None:
        """Saves what is not saved, and prints where everything is.

        Args:
            stopped_by: name of the signal that stopped the run, or None.
        """
        latest = self.checkpoints.latest()
        if latest is None or step_of(latest) < self.step:
            self.save()
        elif self.is_chief:
            # What was killed in its last save has not come to this.
            self.checkpoints.rotate(self._healthy_step())
        if not self.sample_paths:
            self.sample_paths = newest_samples(self.folder.samples)
        if stopped_by:
            on_all = " on all workers" * is_multi_worker(self.trainer.strategy)
            self.say(
                f"Stopped by {stopped_by} at step {self.step}; the same "
                f"command{on_all} resumes."
            )
        self.tell(
            f"stopped by {stopped_by} at step {self.step}."
            if stopped_by
            else f"finished at step {self.step}."
        )
        if self.sample_paths:
            png, gif, mp4 = self.sample_paths
            self.say(f"Sample grid:      {png}")
            self.say(f"Animated samples: {gif}")
            self.say(f"                  {mp4}")
        self.say(f"Event files:      {self.workdir} (tensorboard --logdir)")
        self.say(f"Checkpoint:       {self.checkpoints.latest()}")

    def say(self, line: str) -> None:
        """Prints a line, on the chief."""
        if self.is_chief:
            print(line, flush=True)

    def tell(self, line: str) -> None:
        """Prints a line with the worker's number, on all but the chief."""
        if not self.is_chief:
            number = self.trainer.strategy.cluster_resolver.task_id
            print(f"Worker {number}: {line}", flush=True)


def newest_samples(directory: str) -> list[str]:
    """Finds the averaged generator's newest PNG, GIF and MP4, or none."""
    found = tf.io.gfile.glob(os.path.join(directory, "step_*_ema.png"))
    if not found:
        return []
    stem = max(found).removesuffix("png")
    return [stem + ending for ending in ("png", "gif", "mp4")]
