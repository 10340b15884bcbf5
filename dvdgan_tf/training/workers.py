"""What workers of one run do about each other: end together, and notice."""

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from dvdgan_tf.run_folder import RunFolder
from dvdgan_tf.training.strategies import is_multi_worker, sum_over_replicas

# What TensorFlow raises where a connection breaks, or a heartbeat is missing.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_TASK = re.compile(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)")


class WorkerLostError(RuntimeError):
    """Another worker of the run has ended, or cannot be reached."""


@contextlib.contextmanager
def together(strategy: tf.distribute.Strategy, workdir: str) -> Iterator[None]:
    """Lets workers end together while the body trains.

    The first to finish waits for the others: TensorFlow takes a worker that
    ends early for one that has crashed.

    Args:
        strategy: with one process, nothing is done.
        workdir: the run's folder.

    Raises:
        WorkerLostError: one sentence, in place of an error of TensorFlow that
            means that another worker is gone.
    """
    if not is_multi_worker(strategy):
        yield
        return
    try:
        yield
        sum_over_replicas(strategy, [1])
    except tf.errors.OpError as error:
        message = str(error)
        if isinstance(error, _LOST) or "Collective ops is aborted" in message:
            raise WorkerLostError(
                _sentence(strategy, workdir, message)
            ) from error
        raise


def _sentence(
    strategy: tf.distribute.Strategy, workdir: str, message: str
) -> str:
    """Says which worker is lost, and how the run goes on."""
    resolver = strategy.cluster_resolver
    own = (resolver.task_type, resolver.task_id)
    named = [(job, int(number)) for job, number in _TASK.findall(message)]
    others = [task for task in named if task != own]
    who = "Another worker"
    if others:
        address = resolver.cluster_spec().task_address(*others[0])
        who = f"Worker {others[0][1]} ({address})"
    steps = list(RunFolder(workdir).steps())
    where = f"step {steps[-1]}" if steps else "step 0, since none was saved yet"
    return (
        f"{who} was lost: it has ended, or its machine cannot be reached; its "
        "own output may say why. This worker ends, too. Start the same command "
        f"on all workers again, and the run goes on at {where}."
    )
