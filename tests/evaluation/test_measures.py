import inspect

import numpy as np
import pytest

from dvdgan_tf.evaluation import measures
from dvdgan_tf.evaluation.activations import Activations

MEASURES = [f for f in vars(measures).values() if getattr(f, "names", None)]


def activations(seed):
    """Of 40 clips of two classes, their frames' similarity included."""
    rng = np.random.default_rng(seed)
    found = Activations(("logits", "psnr", "ssim"))
    found.update(
        {
            "logits": rng.normal(size=[40, 5]),
            "psnr": rng.uniform(10, 20, [40, 3]),
            "ssim": rng.uniform(0, 1, [40, 3]),
        },
        np.arange(40) % 2,
    )
    return found


@pytest.mark.parametrize("measure", MEASURES, ids=lambda f: f.__name__)
def test_a_measure_reports_what_it_declares(measure):
    found = measure(activations(1), activations(2))
    assert set(found) == set(measure.names)


def test_all_measures_declare_what_they_report():
    public = [
        name
        for name, value in vars(measures).items()
        if inspect.isfunction(value)
        and value.__module__ == measures.__name__
        and not name.startswith("_")
    ]
    assert public == [measure.__name__ for measure in MEASURES]
