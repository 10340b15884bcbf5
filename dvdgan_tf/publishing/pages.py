"""The model card, and the page in tfhub.dev's Markdown format."""

from collections.abc import Sequence
from typing import Any

from dvdgan_tf.frame_size import of_video, sides
from dvdgan_tf.plain_text import fenced, in_markdown
from dvdgan_tf.publishing.card import Card
from dvdgan_tf.publishing.markdown import metrics_table

_BIBTEX = """\
@misc{clark2019adversarial,
  title = {Adversarial Video Generation on Complex Datasets},
  author = {Aidan Clark and Jeff Donahue and Karen Simonyan},
  year = {2019},
  eprint = {1907.06571},
  archivePrefix = {arXiv},
  primaryClass = {cs.CV},
  note = {Version 2},
}
"""

_CALL = """\
truncation = {level:g}
videos = module(dict(
    z=truncation * tf.random.normal([4, {z_dim}]),
    y=tf.one_hot({ids}, {num_classes}),
    truncation=tf.constant(truncation),{frames}
))  # [4, {generated}, {height}, {width}, 3] in [-1, 1]
"""

_INPUTS = (
    "`z` is standard normal times the truncation; `y` are one-hot or soft "
    "labels, or ids in the signature `ids`; `module.class_names()` has the "
    "names of the classes, as JSON."
)

# Names of classes in the card; a dataset may have hundreds.
_SHOWN_CLASSES = 20


def model_card(
    card: Card,
    facts: dict[str, Any],
    class_names: Sequence[str],
    config: str,
    rows: list[dict],
) -> str:
    """Writes the model card.

    Args:
        card: what the author says of the model.
        facts: what the module says of itself.
        class_names: names of the module's classes; they may have come with
            a dataset of strangers, and are escaped.
        config: gin configuration of the run.
        rows: results of `evaluations.jsonl` that are of this model.

    Returns:
        Markdown.
    """
    sections = [
        f"# {card.name}\n\n{card.summary}\n\n![Samples](preview.gif)",
        f"## Use\n\n{_use(card, facts)}",
        f"## Model\n\n{_model(facts, class_names)}",
        f"## Data\n\n{card.data}\n\nLicence of the data: {card.data_license}",
        f"## Metrics\n\n{metrics_table(rows)}",
        f"## Limits\n\n{card.limits}",
        "## Licence and contact\n\n"
        f"Weights: {card.license}. Contact: {card.contact}",
        "## Citation\n\nThe model is an implementation of this paper; cite it "
        f"if you use the weights.\n\n{fenced(_BIBTEX, 'bibtex')}",
        f"## Training configuration\n\n{fenced(config)}",
    ]
    return "\n\n".join(sections) + "\n"


def hub_page(card: Card, facts: dict[str, Any]) -> str:
    """Writes the page of this version in tfhub.dev's Markdown format.

    Args:
        card: what the author says of the model.
        facts: what the module says of itself.
    """
    size = of_video(facts["resolution"])
    given = facts["conditioning_frames"]
    task = f"continues {given} frames" if given else "generates clips"
    url = f"https://tfhub.dev/{card.publisher}/{card.name}/{card.version}"
    load = (
        "import tensorflow as tf\nimport tensorflow_hub as hub\n\n"
        f'module = hub.load("{url}")\n'
    )
    return "\n".join(
        [
            f"# Module {card.publisher}/{card.name}/{card.version}",
            "",
            card.summary,
            "",
            f"<!-- asset-path: {card.name}-{card.version}.tar.gz -->",
            "<!-- task: video-generation -->",
            "<!-- network-architecture: gan -->",
            f"<!-- dataset: {card.dataset} -->",
            "<!-- fine-tunable: true -->",
            f"<!-- license: {card.license} -->",
            "<!-- format: saved_model_2 -->",
            "",
            "## Overview",
            "",
            f"A {in_markdown(facts['model'])} [1] that {task}: "
            f"{facts['num_frames']} frames of {size} pixels in all, "
            f"{facts['num_classes']} classes, "
            f"{facts['parameters']:,} parameters, averaged weights of step "
            f"{facts['step']:,}.",
            "",
            f"Trained on: {card.data} Limits: {card.limits}",
            "",
            "## Example use",
            "",
            fenced(load + _call(facts), "python"),
            "",
            _INPUTS,
            "",
            "## References",
            "",
            "[1] Aidan Clark, Jeff Donahue, Karen Simonyan. Adversarial Video "
            "Generation on Complex Datasets. arXiv:1907.06571v2, 2019.",
            "",
            "## Changelog",
            "",
            f"Version {card.version}: training step {facts['step']:,}.",
            "",
        ]
    )


def _model(facts, class_names):
    """The paragraphs that say what the model is."""
    size = of_video(facts["resolution"])
    given = facts["conditioning_frames"]
    shown = [in_markdown(name) for name in class_names[:_SHOWN_CLASSES]]
    more = len(class_names) - len(shown)
    names = ", ".join(shown) + (f" and {more} more" if more else "")
    levels = ", ".join(f"{level:g}" for level in facts["truncation_levels"])
    task = (
        f"It continues a video: of {facts['num_frames']} frames, the first "
        f"{given} are given."
        if given
        else f"It makes clips of {facts['num_frames']} frames."
    )
    return (
        f"A {in_markdown(facts['model'])} (Clark, Donahue, Simonyan, "
        "[arXiv 1907.06571](https://arxiv.org/abs/1907.06571) v2), made with "
        f"dvdgan_tf. {task} Frames have {size} pixels. The generator has "
        f"{facts['parameters']:,} parameters; these are the averaged weights "
        f"of training step {facts['step']:,}.\n\n"
        f"{len(class_names):,} class{'es' if len(class_names) > 1 else ''}: "
        f"{names}.\n\n"
        f"Levels of truncation with batch norm statistics of their own: "
        f"{levels}."
    )


def _use(card, facts):
    """How to unpack the archive, and two ways to sample from it."""
    folder = f"{card.name}-{card.version}"
    unpack = f"mkdir {folder}\ntar -xzf {folder}.tar.gz -C {folder}"
    load = (
        f'import tensorflow as tf\n\nmodule = tf.saved_model.load("{folder}")\n'
    )
    if facts["conditioning_frames"]:
        sample = "clips = model.predict(frames)"
    else:
        sample = "clips = model.sample(count=4, seed=0)"
    ours = (
        f"import dvdgan_tf\n\n"
        f'model = dvdgan_tf.load("{folder}")\n'
        f"{sample}  # uint8 [count, frames, height, width, 3]\n"
    )
    return "\n\n".join(
        [
            "Unpack the archive (the folder `model` holds the same files):",
            fenced(unpack, "sh"),
            "TensorFlow alone can load it:",
            fenced(load + _call(facts), "python"),
            _INPUTS,
            "With dvdgan_tf installed it is shorter:",
            fenced(ours, "python"),
        ]
    )


def _call(facts):
    """Code that samples a `module`."""
    height, width = sides(facts["resolution"])
    given = facts["conditioning_frames"]
    levels = facts["truncation_levels"]
    return _CALL.format(
        level=levels[len(levels) // 2],
        z_dim=facts["z_dim"],
        ids=[i % facts["num_classes"] for i in range(4)],
        num_classes=facts["num_classes"],
        generated=facts["num_frames"] - given,
        height=height,
        width=width,
        frames=(
            f"\n    frames=frames,  # [4, {given}, ...] in [-1, 1]."
            if given
            else ""
        ),
    )
