"""How the page looks: controls on the left, clips on the right."""

import dataclasses
import html
import logging

import gradio as gr

from dvdgan_tf.page.controls import controls_of

CSS = """
.clips {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(140px, 1fr));
    gap: 12px;
}
.clips figure { margin: 0; max-width: 384px; }
.clips img {
    width: 100%;
    margin: 0;
    border-radius: 4px;
    background: black;
    image-rendering: pixelated;
}
.refused {
    padding: 8px 12px;
    border-left: 4px solid #dc2626;
    background: #dc26261a;
}
.clips figcaption {
    font-size: 14px;
    text-align: center;
    overflow-wrap: anywhere;
}
"""

# In the browser: the server is not asked for a number.
_DRAW_SEED = f"() => Math.floor(Math.random() * {2**31})"


def build(answers, name, max_queue):
    """The page.

    Args:
        answers: `answer.Answers`.
        name: of the model.
        max_queue: requests that may wait; one is worked on.

    Returns:
        `gradio.Blocks`, to be launched with `CSS`.
    """
    model, defaults = answers.model, answers.defaults()
    given = model.facts["conditioning_frames"]
    with gr.Blocks(
        title=f"DVD-GAN: {name}",
        analytics_enabled=False,
        fill_width=True,
        # Seconds: looks every minute, deletes what is an hour old.
        delete_cache=(60, 3600),
    ) as blocks:
        gr.Markdown(_heading(name, model.facts))
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=360):
                video, controls = controls_of(model, answers.limits, defaults)
                with gr.Row():
                    go = gr.Button(
                        "Sample", variant="primary", min_width=120, elem_id="go"
                    )
                    again = gr.Button(
                        "New seed", min_width=120, elem_id="another"
                    )
            with gr.Column(scale=3, min_width=320):
                outputs = _outputs(None if given else _first(answers, defaults))
        event = dict(
            fn=_handler(answers, list(controls), video is not None),
            inputs=[*([video] if video else []), *controls.values()],
            outputs=outputs,
            # Values come as they were sent, to be checked in one place.
            preprocess=False,
            concurrency_id="model",
            concurrency_limit=1,
            api_visibility="private",
        )
        gr.on([go.click, controls["seed"].submit], **event)
        again.click(
            None,
            None,
            controls["seed"],
            js=_DRAW_SEED,
            api_visibility="private",
        ).then(**event)
    blocks.queue(max_size=max_queue, api_open=False)
    return blocks


def _heading(name, facts):
    given = facts["conditioning_frames"]
    classes = facts["num_classes"]
    return (
        f"## {facts['model']}\n"
        f"`{name}`, step {facts['step']:,}: {classes:,} "
        f"{'class' if classes == 1 else 'classes'}, "
        f"{facts['num_frames']} frames of "
        f"{facts['resolution']} x {facts['resolution']} pixels"
        + (f", of which {given} are given." if given else ".")
    )


def _outputs(first):
    """The components that show an `Answer`, in the order of its attributes."""
    empty = first is None
    with gr.Row(equal_height=True):
        with gr.Column(scale=3):
            summary = gr.HTML(
                "" if empty else _said(first.summary), elem_id="summary"
            )
        archive = gr.DownloadButton(
            "Download MP4 and npz",
            None if empty else first.archive,
            size="sm",
            min_width=180,
            elem_id="download",
        )
    figures = gr.HTML("" if empty else first.figures, elem_id="clips")
    with gr.Accordion("The same clips without this page", open=False):
        command = gr.Code(
            None if empty else first.command,
            language="shell",
            label="Command line",
            show_line_numbers=False,
            elem_id="command",
        )
        python = gr.Code(
            None if empty else first.python,
            language="python",
            label="Python",
            show_line_numbers=False,
            elem_id="python",
        )
    return [figures, summary, archive, command, python]


def _first(answers, defaults):
    """Shown to who opens the page; the model is warm then, too."""
    return answers.to(dataclasses.asdict(defaults))


def _handler(answers, names, takes_video):
    """The function that gradio calls with the values of the controls."""

    def answer(*values):
        video, values = (
            (values[0], values[1:]) if takes_video else (None, values)
        )
        values = dict(zip(names, values, strict=True))
        try:
            path = video.get("path") if isinstance(video, dict) else None
            made = answers.to(values, path)
            return made.figures, _said(made.summary), *made[2:]
        except ValueError as error:
            sentence = str(error)
        except Exception as error:  # TensorFlow's, such as out of memory.
            logging.getLogger(__name__).exception("A request failed.")
            sentence = f"The model failed ({type(error).__name__})."
        # The clips of the request before stay.
        skipped = [gr.skip()] * 3
        return gr.skip(), _said(sentence, "refused"), *skipped

    return answer


def _said(sentence, kind="summary"):
    return f'<p class="{kind}">{html.escape(sentence)}</p>'
