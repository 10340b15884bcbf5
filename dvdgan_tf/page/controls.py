"""What a visitor of the page chooses."""

import gradio as gr

from dvdgan_tf.page.settings import MAX_SEED

# As --interpolate of the command line.
_INTERPOLATIONS = [
    ("none", "none"),
    ("z and class", "latent"),
    ("class", "class"),
]


def controls_of(model, limits, defaults):
    """The controls, top down.

    Args:
        model: `Model`.
        limits: `Limits`.
        defaults: `Settings` to begin with.

    Returns:
        The component of a video to continue, or None in synthesis; and
        {attribute of `Settings`: component}.
    """
    facts, names = model.facts, model.class_names
    given = facts["conditioning_frames"]
    video = gr.File(label="Video to continue") if given else None
    classes = gr.Dropdown(
        names,
        value=None if given else [],
        multiselect=not given,
        label="Class" if given else "Classes",
        info=f"None chosen: {names[0] if given else 'all of them'}.",
        visible=len(names) > 1,
        elem_id="classes",
    )
    truncation = _truncation(facts["truncation_levels"])
    seed = gr.Number(
        defaults.seed,
        label="Seed",
        info="The same seed and settings, the same clips.",
        precision=0,
        minimum=0,
        maximum=MAX_SEED,
        elem_id="seed",
    )
    count = gr.Slider(
        1, limits.clips, defaults.count, step=1, label="Clips", elem_id="count"
    )
    controls = dict(
        classes=classes, truncation=truncation, seed=seed, count=count
    )
    if given:
        controls["num_frames"] = gr.Slider(
            given + 1,
            limits.frames,
            defaults.num_frames,
            step=1,
            label="Frames",
            info="Of a clip, with those given.",
            elem_id="num_frames",
        )
    else:
        controls["interpolate"] = gr.Radio(
            _INTERPOLATIONS,
            value="none",
            label="Interpolation",
            info="From one class to another, or to another z.",
            elem_id="interpolate",
        )
    return video, controls


def _truncation(levels):
    low, high = levels[0], levels[-1]
    if low == high:
        return gr.Number(
            high,
            label="Truncation",
            info="The only level that this model was exported for.",
            interactive=False,
            elem_id="truncation",
        )
    return gr.Slider(
        low,
        high,
        high,
        step=0.01,
        label="Truncation",
        info="Below 1: likelier, less varied.",
        elem_id="truncation",
    )
