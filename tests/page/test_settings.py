"""What visitors may ask for, whatever their browsers send."""

import json

import pytest

from dvdgan_tf.page import settings
from dvdgan_tf.page.settings import Settings, checked

SYNTHESIS = dict(classes=[], count=4, seed=0, truncation=1, interpolate="none")
PREDICTION = dict(classes=None, count=4, seed=0, truncation=0.7, num_frames=9)


def test_what_the_page_sends(answers, predictions):
    def of(made, values):
        # By way of JSON, which has no tuples.
        values = json.loads(json.dumps(values))
        return checked(made.model, made.limits, values)

    assert of(answers, SYNTHESIS) == Settings((), 4, 0, 1)
    chosen = SYNTHESIS | dict(
        classes=["wave", "run"], seed=2.0, truncation=0.55, interpolate="class"
    )
    assert of(answers, chosen) == Settings(("wave", "run"), 4, 2, 0.55, "class")
    assert of(predictions, PREDICTION) == Settings((), 4, 0, 0.7, num_frames=9)
    chosen = PREDICTION | dict(classes="walk", num_frames=20.0)
    assert of(predictions, chosen) == Settings(
        ("walk",), 4, 0, 0.7, num_frames=20
    )


@pytest.mark.parametrize("made", ["answers", "predictions"])
def test_the_page_starts_with_what_is_possible(made, request):
    made = request.getfixturevalue(made)
    defaults = made.defaults()
    values = {**vars(defaults), "classes": []}
    assert checked(made.model, made.limits, values) == defaults


NUMBERS = [
    *(None, True, "4", [4], {"path": "x"}, float("nan"), float("inf")),
    *(-1, 10**400, -(10**400)),
]


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("count", "Clips must be from 1 to 6. Received: "),
        ("seed", f"The seed must be from 0 to {settings.MAX_SEED:,}. Rec"),
        ("truncation", "Truncation must be from 0.5 to 1.0. Received: "),
        ("num_frames", "Frames must be from 3 to 20. Received: "),
    ],
)
def test_impossible_numbers(answers, predictions, name, value, words):
    made, values = (
        (predictions, PREDICTION)
        if name == "num_frames"
        else (answers, SYNTHESIS)
    )
    with pytest.raises(ValueError) as raised:
        checked(made.model, made.limits, values | {name: value})
    assert str(raised.value).startswith(words)
    assert len(str(raised.value)) < 150


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(count=7), "Clips must be from 1 to 6. Received: 7"),
        (dict(count=2.5), "Clips must be whole. Received: 2.5"),
        (dict(seed=2**53), "The seed must be from 0"),
        (dict(truncation=0.49), "Truncation must be from 0.5 to 1.0"),
        (dict(classes=["cat"]), "There is no class 'cat'."),
        (dict(classes=["run", 1]), "There is no class 1."),
        (dict(classes=[["run"]]), "There is no class ['run']."),
        (dict(classes={"path": "/etc"}), "There is no class {'path'"),
        (dict(classes="x" * 10_000), "There is no class 'xxxxx"),
        (dict(interpolate="both"), "There is no interpolation 'both'."),
        (dict(interpolate=["class"]), "There is no interpolation ['class']."),
        (dict(interpolate="latent", count=1), "An interpolation has one"),
        (
            dict(interpolate="class", classes=["run", "walk", "wave"]),
            "An interpolation has one class or two, and at least 2 clips. "
            "Received: 3 classes, 4 clips",
        ),
    ],
)
def test_impossible_requests(answers, change, words):
    with pytest.raises(ValueError) as raised:
        checked(answers.model, answers.limits, SYNTHESIS | change)
    assert str(raised.value).startswith(words)
    assert len(str(raised.value)) < 150


def test_a_prediction_has_one_class(predictions):
    values = PREDICTION | dict(classes=["run", "walk"])
    with pytest.raises(ValueError, match="Received: 2 classes"):
        checked(predictions.model, predictions.limits, values)
