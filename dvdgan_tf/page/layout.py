"""What is where on the page: controls on the left, clips on the right."""

import dataclasses
import html
import logging

import gradio as gr

from dvdgan_tf.frame_size import of_video
from dvdgan_tf.page.answer import Answers
from dvdgan_tf.page.controls import controls_of
from dvdgan_tf.plain_text import in_markdown
from dvdgan_tf.video.opening import CannotReadError

# In the browser: the server is not asked for a number.
_DRAW_SEED = f"() => Math.floor(Math.random() * {2**31})"

# On a phone the clips are below the controls, out of sight.
_SHOW_CLIPS = """() => {
    const answer = document.getElementById("summary");
    const top = answer.getBoundingClientRect().top;
    if (top < 0 || top > 0.6 * window.innerHeight) answer.scrollIntoView();
}"""


def build(answers: Answers, name: str, max_queue: int) -> gr.Blocks:
    """Builds the page.

    Args:
        answers: what answers requests.
        name: name of the model, for the heading.
        max_queue: number of requests that may wait; one is worked on.

    Returns:
        `gradio.Blocks`, to be launched with the theme and `CSS` of `look`.
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
            with gr.Column(scale=1, min_width=320, elem_classes="controls"):
                video, controls = controls_of(model, answers.limits, defaults)
                with gr.Row():
                    go = gr.Button(
                        "Continue" if given else "Make clips",
                        variant="primary",
                        min_width=120,
                        elem_id="go",
                    )
                    again = gr.Button(
                        "Make others", min_width=120, elem_id="another"
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
        script = dict(fn=None, api_visibility="private")
        gr.on([go.click, controls["seed"].submit], **event).then(
            js=_SHOW_CLIPS, **script
        )
        again.click(outputs=controls["seed"], js=_DRAW_SEED, **script).then(
            **event
        ).then(js=_SHOW_CLIPS, **script)
    blocks.queue(max_size=max_queue, api_open=False)
    return blocks


def _heading(name, facts):
    given = facts["conditioning_frames"]
    classes = facts["num_classes"]
    size = of_video(facts["resolution"], " x ")
    what = f"{facts['num_frames']} frames of {size} pixels"
    if given:
        what += f", of which your video gives the first {given}"
        todo = "Choose a video, then press **Continue**."
    else:
        todo = "Press **Make clips** for videos that nobody has filmed."
    kinds = "1 class" if classes == 1 else f"{classes:,} classes"
    return (
        f"# {in_markdown(facts['model'])}\n{todo}\n\n"
        f"Model `{name}`, training step {facts['step']:,}: {kinds}; {what}."
    )


def _outputs(first):
    """Makes the components that show an `Answer`, in its attributes' order."""
    empty = first is None
    with gr.Row(equal_height=True):
        with gr.Column(scale=3):
            summary = gr.HTML(
                "" if empty else _said(first.summary), elem_id="summary"
            )
        archive = gr.DownloadButton(
            "Download these clips",
            None if empty else first.archive,
            size="sm",
            min_width=180,
            elem_id="download",
        )
    figures = gr.HTML("" if empty else first.figures, elem_id="clips")
    with gr.Accordion(
        "Make the same clips without this page", open=False, elem_id="recipe"
    ):
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
    """Makes what a visitor sees first; the model is warm then, too."""
    return answers.to(dataclasses.asdict(defaults))


def _handler(answers, names, takes_video):
    """Makes the function that gradio calls with the controls' values."""

    def answer(*values):
        video, values = (
            (values[0], values[1:]) if takes_video else (None, values)
        )
        values = dict(zip(names, values, strict=True))
        try:
            path = video.get("path") if isinstance(video, dict) else None
            made = answers.to(values, path)
            return made.figures, _said(made.summary), *made[2:]
        except (ValueError, CannotReadError) as error:
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
