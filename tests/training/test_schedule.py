import pytest

from dvdgan_tf.training.schedule import Schedule, check_at_least_one

SCHEDULE = Schedule(
    num_steps=50,
    steps_per_loop=20,
    sample_every=15,
    checkpoint_every=30,
    held_out_every=21,
)


def test_looks_are_at_all_multiples_and_at_the_end():
    looks, step = [], 0
    while step < SCHEDULE.num_steps:
        step = SCHEDULE.next_look(step)
        looks.append(step)
    assert looks == [15, 20, 21, 30, 40, 42, 45, 50]


def test_everything_is_due_at_the_end():
    due = [step for step in range(51) if SCHEDULE.is_due(step, 15)]
    assert due == [0, 15, 30, 45, 50]


def test_less_than_one_is_refused():
    with pytest.raises(ValueError, match=r"train.x must be at least 1.*x=0"):
        check_at_least_one("x", 0)
    with pytest.raises(ValueError, match=r"train.sample_every .* at least 1"):
        Schedule(1, 1, 0, 1, 1)
