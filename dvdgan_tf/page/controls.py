"""What a visitor of the page chooses."""

from typing import TYPE_CHECKING

import gradio as gr

from dvdgan_tf.page.settings import MAX_SEED, Limits, Settings
from dvdgan_tf.plain_text import in_markdown, shown

# It imports TensorFlow, which mistakes should not wait for.
if TYPE_CHECKING:
    from dvdgan_tf.sampling.model import Model

# What the page says, and --interpolate of the command line.
_INTERPOLATIONS = [
    ("no", "none"),
    ("into another clip", "latent"),
    ("into another class", "class"),
]


def controls_of(
    model: "Model", limits: Limits, defaults: Settings
) -> tuple[gr.File | None, dict[str, gr.components.Component]]:
    """Makes the controls, top down.

    Args:
        model: what the visitor samples from.
        limits: what one request may ask for.
        defaults: settings to begin with.

    Returns:
        The component of a video to continue, or None in synthesis; and
        {attribute of `Settings`: component}.
    """
    facts = model.facts
    given = facts["conditioning_frames"]
    video = (
        gr.File(label="Video to continue", elem_id="video") if given else None
    )
    controls = dict(
        classes=_classes(model.class_names, given),
        truncation=_truncation(facts["truncation_levels"]),
        seed=gr.Number(
            defaults.seed,
            label="Seed",
            info="The same number makes the same clips again.",
            precision=0,
            minimum=0,
            maximum=MAX_SEED,
            elem_id="seed",
        ),
        count=gr.Slider(
            1,
            limits.clips,
            defaults.count,
            step=1,
            label="How many clips",
            elem_id="count",
        ),
    )
    if given:
        controls["num_frames"] = _length(given, limits, defaults)
    else:
        controls["interpolate"] = gr.Radio(
            _INTERPOLATIONS,
            value="none",
            label="Change step by step (interpolation)",
            info="Each clip is a step on the way from the first to the last.",
            elem_id="interpolate",
        )
    return video, controls


def _classes(names, given):
    return gr.Dropdown(
        # What a visitor sees, and what the page sends.
        [(shown(name), name) for name in names],
        value=None if given else [],
        multiselect=not given,
        label="Class" if given else "Classes",
        info=(
            f"What the video shows; “{in_markdown(names[0])}” if you choose "
            "none."
            if given
            else "What the clips show; all classes in turn if you choose none."
        ),
        visible=len(names) > 1,
        elem_id="classes",
    )


def _length(given, limits, defaults):
    return gr.Slider(
        given + 1,
        limits.frames,
        defaults.num_frames,
        step=1,
        label="Frames of each clip",
        info=f"With the {given} that your video gives.",
        elem_id="num_frames",
    )


def _truncation(levels):
    low, high = levels[0], levels[-1]
    if low == high:
        return gr.Number(
            high,
            label="Variety (truncation)",
            info="This model has only this one.",
            interactive=False,
            elem_id="truncation",
        )
    return gr.Slider(
        low,
        high,
        high,
        step=0.01,
        label="Variety (truncation)",
        info="Lower: cleaner clips, but more alike.",
        elem_id="truncation",
    )
