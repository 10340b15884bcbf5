"""Says how to get the clips that the page shows without the page."""

import dataclasses
import shlex
from typing import Any

from dvdgan_tf.page.settings import Settings
from dvdgan_tf.plain_text import shown


@dataclasses.dataclass(frozen=True)
class Source:
    """What the model was loaded from; the arguments of `dvdgan_tf.load`.

    Attributes:
        name: name of a module, or folder of a run.
        step: step of a run's checkpoint; None for a module.
        truncations: levels prepared of a run; None for a module.
    """

    name: str
    step: int | None = None
    truncations: tuple | None = None


def command(
    source: Source, settings: Settings, file: str | None = None
) -> str | None:
    """Writes the command line that makes the same clips.

    Args:
        source: what the model was loaded from.
        settings: what the visitor chose.
        file: name of the video that was continued; None in synthesis.

    Returns:
        The command; None where the command line cannot say it: it cuts names of
        classes at commas, and takes statistics of a run at the very level
        asked for, not between two. Nor is there a command where a name has
        characters that cannot be seen: nobody should run what they cannot
        read.
    """
    if any(
        "," in name or name != shown(name, len(name) + 1)
        for name in settings.classes
    ):
        return None
    if source.truncations and settings.truncation not in source.truncations:
        return None
    name = "module" if source.step is None else "workdir"
    options = {
        name: source.name,
        "step": source.step,
        "frames": file,
        "num_frames": settings.num_frames,
        "classes": ",".join(settings.classes) or None,
        "count": settings.count,
        "seed": settings.seed,
        "truncation": settings.truncation,
        "interpolate": settings.interpolate,
    }
    words = [
        shlex.quote(f"--{option}={value}")
        for option, value in options.items()
        if value is not None
    ]
    return " \\\n    ".join(["python -m dvdgan_tf.sample", *words])


def python(
    source: Source,
    settings: Settings,
    facts: dict[str, Any],
    file: str | None = None,
) -> str:
    """Writes the Python code that makes the same clips.

    Args:
        source: what the model was loaded from.
        settings: what the visitor chose.
        facts: what the model says of itself.
        file: name of the video that was continued; None in synthesis.
    """
    shared = {
        "seed": settings.seed,
        "truncation": settings.truncation,
    }
    load = [repr(source.name)]
    if source.step is not None:
        load += [f"step={source.step}", f"truncations={source.truncations}"]
    lines = ["import dvdgan_tf", ""]
    loaded = f"model = dvdgan_tf.load({', '.join(load)})"
    classes = list(settings.classes) or None
    if file is not None:
        names = ("conditioning_frames", "resolution", "fit", "frame_stride")
        first = ", ".join([repr(file), *(repr(facts[name]) for name in names)])
        lines[1:1] = ["from dvdgan_tf.sampling.conditions import first_frames"]
        lines += [loaded, f"frames = first_frames({first})"]
        name, arguments = (
            "predict",
            {
                "frames": f"[frames] * {settings.count}",
                "num_frames": settings.num_frames,
                "classes": classes and repr(classes),
            },
        )
    else:
        lines += [loaded]
        name, arguments = (
            "sample",
            {
                "classes": classes and repr(classes),
                "count": settings.count,
            },
        )
    if settings.interpolate:
        name = "interpolate"
        shared["latent"] = settings.interpolate == "latent"
    arguments = [
        f"    {key}={value},"
        for key, value in {**arguments, **shared}.items()
        if value is not None
    ]
    return "\n".join([*lines, f"clips = model.{name}(", *arguments, ")"])
