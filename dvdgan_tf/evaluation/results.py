"""Where results go: JSON lines, TensorBoard, and the best checkpoint."""

import json
import os
import shutil
from typing import Any

import tensorflow as tf

from dvdgan_tf import files
from dvdgan_tf.run_folder import RunFolder

# What a line must have to be compared with others.
_COLUMNS = {"step", "metric", "value", "truncation"}


class Results:
    """Writes the results of one folder.

    Args:
        workdir: the folder; `evaluations.jsonl` in it has one line for each
            result. Of a run's checkpoints, the values are added to its
            `metrics.jsonl`, and to event files in `evaluation/`.
    """

    def __init__(self, workdir: str):
        self.workdir = workdir
        self._folder = RunFolder(workdir)
        self.path = self._folder.evaluations
        self._writer: Any = None

    def rows(self) -> list[dict]:
        """The lines that are there, dicts; damaged ones are left out."""
        rows = []
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        row = json.loads(line)
                    except (ValueError, RecursionError):
                        continue  # Killed while it was written.
                    if isinstance(row, dict) and row.keys() >= _COLUMNS:
                        rows.append(row)
        return rows

    def add(self, rows: list[dict]) -> None:
        """Writes results.

        Args:
            rows: list of dicts, see `evaluator.Evaluator`.
        """
        files.append_lines(self.path, *map(json.dumps, rows))
        at_step = {
            row["metric"]: row["value"]
            for row in rows
            if row["step"] is not None and row["truncation"] == 1.0
        }
        if not at_step:
            return
        step = rows[0]["step"]
        line = {"step": step} | {
            name: float(f"{value:.6g}") for name, value in at_step.items()
        }
        files.append_lines(self._folder.metrics, json.dumps(line))
        if self._writer is None:
            # TensorBoard reads one growing file in a folder.
            folder = self._folder.evaluation_events
            self._writer = tf.summary.create_file_writer(folder)
        with self._writer.as_default(step):
            for name, value in at_step.items():
                tf.summary.scalar(name, value)
        self._writer.flush()

    def keep_if_best(
        self, metric: str, lower_is_better: bool = True
    ) -> str | None:
        """Copies the checkpoint of the newest result if it is the best.

        Args:
            metric: name of the result, such as
                "fvd2048_16f/frechet_distance".
            lower_is_better: whether the smaller value is the better one.

        Returns:
            The folder of the copy if one was made, or None.

        Raises:
            ValueError: there is no such metric.
        """
        measured = [row for row in self.rows() if row["step"] is not None]
        rows = [
            row
            for row in measured
            if row["metric"] == metric and row["truncation"] == 1.0
        ]
        if not rows:
            known = ", ".join(sorted({row["metric"] for row in measured}))
            raise ValueError(
                f"There is no result called {metric!r} to find the best "
                f"checkpoint by; there are {known or 'none'}."
            )
        sign = 1 if lower_is_better else -1
        best = rows[-1]
        if any(sign * row["value"] < sign * best["value"] for row in rows):
            return None
        folder = self._folder.best(metric)
        try:
            with files.new_folder(folder, overwrite=True) as new:
                _copy_checkpoint(best["checkpoint"], new)
                files.write_json(os.path.join(new, "result.json"), best, 2)
        except FileNotFoundError:
            # Training has deleted it meanwhile; the old copy stays.
            return None
        return folder


def _copy_checkpoint(path, folder):
    """Copies a checkpoint into a new folder, where TensorFlow finds it.

    Raises:
        FileNotFoundError: it is no longer there.
    """
    os.makedirs(folder)
    for part in tf.io.gfile.glob(f"{path}.*"):
        shutil.copy(part, folder)
    name = os.path.basename(path)
    if not os.path.exists(os.path.join(folder, f"{name}.index")):
        raise FileNotFoundError(f"The checkpoint {path} was deleted.")
    # What `tf.train.latest_checkpoint` reads.
    text = f'model_checkpoint_path: "{name}"\n'
    files.write_text(os.path.join(folder, "checkpoint"), text)
