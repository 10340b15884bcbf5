"""What is an explosion, and what a collapse."""

import numpy as np
import pytest

from dvdgan_tf.training.samples import spread
from dvdgan_tf.training.watch import DivergenceError, Watch

NAMES = ("loss/d_spatial", "loss/g", "score/real", "gradient_norm/g")


def history(steps, **columns):
    """Healthy steps, except for the columns given."""
    values = np.random.default_rng(0).uniform(0.5, 3, [steps, len(NAMES)])
    for name, column in columns.items():
        index = [n.replace("/", "_") for n in NAMES].index(name)
        values[:, index] = column
    return values


@pytest.mark.parametrize("value", [2e5, -2e5])
def test_a_finite_loss_far_beyond_the_past_is_an_explosion(value):
    watch = Watch()
    assert watch.observe(0, NAMES, history(50)) == []
    loss = np.full(10, 1.0)
    loss[3:] = value
    with pytest.raises(DivergenceError) as error:
        watch.observe(50, NAMES, history(10, loss_g=loss))
    message = str(error.value)
    assert message.startswith(f"loss/g is {value:g} at step 54, ")


def test_the_first_of_two_explosions_is_named():
    watch = Watch()
    watch.observe(0, NAMES, history(50))
    first, second = np.ones(10), np.ones(10)
    first[2], second[1] = 1e6, 1e5
    columns = dict(loss_d_spatial=first, loss_g=second)
    with pytest.raises(DivergenceError, match="loss/g is 100000 at step 52"):
        watch.observe(50, NAMES, history(10, **columns))


def test_what_is_usual_in_a_run_is_no_explosion():
    watch = Watch(explosion=100)
    # A penalty may well be large, and losses spike.
    for first in range(0, 100, 10):
        loss = 300.0 + np.arange(10)
        assert watch.observe(first, NAMES, history(10, loss_g=loss)) == []
    assert watch.observe(100, NAMES, history(1, loss_g=29_000.0)) == []
    with pytest.raises(DivergenceError):
        watch.observe(101, NAMES, history(1, loss_g=31_000.0))


def test_small_losses_have_room():
    """The median is 0 where D has won for a while."""
    watch = Watch(explosion=100)
    watch.observe(0, NAMES, history(20, loss_g=0.0))
    assert watch.observe(20, NAMES, history(1, loss_g=99.0)) == []
    with pytest.raises(DivergenceError):
        watch.observe(21, NAMES, history(1, loss_g=101.0))


def test_a_few_steps_say_nothing():
    watch = Watch()
    assert watch.observe(0, NAMES, history(1, loss_g=1e5)) == []
    with pytest.raises(DivergenceError, match="at step 12"):
        loss = np.ones(20)
        loss[10] = 1e5
        watch.observe(1, NAMES, history(20, loss_g=loss))


def test_a_resumed_run_knows_its_past():
    watch = Watch()
    rows = [{"step": n, "loss/g": 2.0, "text": "x"} for n in range(20)]
    watch.recall([*rows, {"step": 20, "loss/g": float("nan")}])
    with pytest.raises(DivergenceError, match="was 2 before"):
        watch.observe(20, NAMES, history(5, loss_g=1e5))


def test_a_resumed_run_knows_since_when_a_loss_is_zero():
    watch = Watch(collapse_steps=30)
    losses = [0.0, 1.0, 1.0, 0.001, 0.0, -0.001]
    rows = [
        {"step": 10 * n, "loss/d_spatial": loss, "loss/g": 0.0}
        for n, loss in enumerate(losses, 1)
    ]
    watch.recall(rows)
    names = ["loss/d_spatial"]
    (warning,) = watch.observe(60, names, np.zeros([1, 1]))
    assert "below 0.01 since step 31, for 31 steps" in warning
    assert watch.collapse.step == watch.healthy_step == 30
    watch.forget()
    assert watch.collapse is watch.healthy_step is None


def test_gradients_and_sigmas_make_one_warning():
    watch = Watch()
    watch.observe(0, NAMES, history(20))
    for first, value, count in ((20, 1e6, 1), (21, 1e6, 0), (22, 1, 0)):
        rows = history(1, gradient_norm_g=value)
        warnings = watch.observe(first, NAMES, rows)
        assert len(warnings) == count
    (warning,) = watch.observe(23, NAMES, history(1, gradient_norm_g=1e6))
    assert warning.startswith("warning: gradient_norm/g is 1e+06 at step 24")
    for step in range(12):
        assert watch.observe(step, ["sigma/g/w"], np.array([[1.0]])) == []
    (warning,) = watch.observe(12, ["sigma/g/w"], np.array([[1e4]]))
    assert "sigma/g/w is 10000 at step 13" in warning
    # Scores have no such rule.
    assert watch.observe(0, ["score/real"], np.array([[1e9]] * 20)) == []


@pytest.mark.parametrize("look", [1, 7, 40])
def test_a_loss_of_d_at_zero_for_long_is_a_collapse(look):
    """Whatever the looks are, it is the same step."""
    watch = Watch(collapse_steps=30)
    loss = np.ones(80)
    loss[15:20] = loss[25:70] = 0.001
    rows = history(80, loss_d_spatial=loss)
    given = []
    for first in range(0, 80, look):
        part = rows[first : first + look]
        warnings = watch.observe(first, NAMES, part)
        given += [(first + len(part), warning) for warning in warnings]
        if first + len(part) == 63:
            assert watch.healthy_step == 25
    if look == 40:
        # At the look at step 80 it was over.
        assert given == []
        return
    ((step, warning),) = given
    assert step == -(-55 // look) * look
    assert "loss/d_spatial has been below 0.01 since step 26" in warning
    assert "up to step 25" in warning
    assert watch.healthy_step is None


def test_samples_that_are_all_the_same():
    watch = Watch()
    assert watch.judge_samples(0, "live", 0.0) == []
    assert watch.judge_samples(5, "live", 3.0) == []
    (warning,) = watch.judge_samples(10, "live", 0.25)
    assert "same at step 10: they differ by 0.25 of 255" in warning
    assert watch.judge_samples(15, "live", 0.25) == []
    assert len(watch.judge_samples(15, "averaged", 0.25)) == 1


@pytest.mark.parametrize(
    "arguments", [{"explosion": 1}, {"window": 0}, {"collapse_steps": 0}]
)
def test_impossible_arguments(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Watch(**arguments)


def test_how_much_samples_differ():
    # Two rows of two clips of one grey each: standard deviations 1 and 20.
    greys = np.array([[10, 12], [0, 40]], np.uint8)
    videos = np.tile(greys[..., None, None, None, None], (1, 1, 3, 4, 4, 3))
    assert spread(videos) == pytest.approx(10.5)
    # Of 10 and 0, one sample in each row.
    assert spread(videos[:, :1]) == pytest.approx(5)
    assert np.isnan(spread(videos[:1, :1]))
