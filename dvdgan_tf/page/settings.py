"""What a visitor of the page asks for; nothing a browser sends is believed."""

import dataclasses
import numbers
import reprlib
from typing import TYPE_CHECKING, Any

# It imports TensorFlow, which mistakes should not wait for.
if TYPE_CHECKING:
    from dvdgan_tf.sampling.model import Model


# Above this, the numbers of a browser are no longer whole.
MAX_SEED = 2**53 - 1

INTERPOLATIONS = ("latent", "class")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes:
        clips: number of clips at most; at least 2.
        frames: number of frames of a clip at most, for frame prediction.
    """

    clips: int
    frames: int


@dataclasses.dataclass(frozen=True)
class Settings:
    """The arguments of `Model.sample`, `interpolate` or `predict`.

    Attributes:
        classes: names of classes; empty for all, in prediction for the first.
        count: number of clips.
        seed: seed of z.
        truncation: factor of z.
        interpolate: one of `INTERPOLATIONS`, or None.
        num_frames: number of frames of a clip; None in synthesis.
    """

    classes: tuple = ()
    count: int = 16
    seed: int = 0
    truncation: float = 1.0
    interpolate: str | None = None
    num_frames: int | None = None


def checked(model: "Model", limits: Limits, values: dict[str, Any]) -> Settings:
    """Makes settings of what a browser has sent.

    Args:
        model: what the visitor samples from.
        limits: what one request may ask for.
        values: {attribute of `Settings`: anything that JSON can hold}.

    Raises:
        ValueError: a value is impossible, or beyond the limits.
    """
    given = model.facts["conditioning_frames"]
    levels = model.facts["truncation_levels"]
    settings = Settings(
        classes=_classes(values["classes"], model.class_names, bool(given)),
        count=_whole("Clips", values["count"], 1, limits.clips),
        seed=_whole("The seed", values["seed"], 0, MAX_SEED),
        truncation=_number(
            "Truncation", values["truncation"], levels[0], levels[-1]
        ),
    )
    if given:
        frames = values["num_frames"]
        frames = _whole("Frames", frames, given + 1, limits.frames)
        return dataclasses.replace(settings, num_frames=frames)
    kind = values["interpolate"]
    if kind in (None, "none"):
        return settings
    if kind not in INTERPOLATIONS:
        raise ValueError(f"There is no interpolation {reprlib.repr(kind)}.")
    if settings.count < 2 or len(settings.classes) > 2:
        raise ValueError(
            "An interpolation has one class or two, and at least 2 clips. "
            f"Received: {len(settings.classes)} classes, {settings.count} clips"
        )
    return dataclasses.replace(settings, interpolate=kind)


def _classes(values, names, only_one):
    if values is None:
        return ()
    values = values if isinstance(values, (list, tuple)) else [values]
    for value in values:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"There is no class {reprlib.repr(value)}.")
    if only_one and len(values) > 1:
        raise ValueError(
            "A prediction has one class for all of its clips. "
            f"Received: {len(values)} classes"
        )
    return tuple(values)


def _whole(name, value, low, high):
    number = _number(name, value, low, high)
    if number != int(number):
        raise ValueError(f"{name} must be whole. Received: {number!r}")
    return int(value)


def _number(name, value, low, high):
    # True is a number to Python; NaN is one to the browser.
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not low <= value <= high
    ):
        allowed = f"{low:,}" if low == high else f"from {low:,} to {high:,}"
        raise ValueError(
            f"{name} must be {allowed}. Received: {reprlib.repr(value)}"
        )
    return value
