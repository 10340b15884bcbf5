"""The model card, and the page in tfhub.dev's Markdown format."""

_USE = """\
```python
import tensorflow as tf
import tensorflow_hub as hub

module = hub.load("{path}")
truncation = {level:g}
videos = module(dict(
    z=truncation * tf.random.normal([4, {z_dim}]),
    y=tf.one_hot({ids}, {num_classes}),
    truncation=tf.constant(truncation),{frames}
))  # [4, {generated}, {resolution}, {resolution}, 3] in [-1, 1]
```
"""


def model_card(card, facts, class_names, config, rows):
    """The model card, Markdown.

    Args:
        card: `Card`.
        facts: what the module says of itself.
        class_names: of the module.
        config: the run's gin configuration, a text.
        rows: results of `evaluations.jsonl` that are of this model.

    Returns:
        Text.
    """
    names = ", ".join(class_names[:20])
    if len(class_names) > 20:
        names += f" and {len(class_names) - 20} more"
    return "\n".join(
        [
            f"# {card.name}",
            "",
            card.summary,
            "",
            "![Samples](preview.gif)",
            "",
            "## Model",
            "",
            f"{facts['model']} (Clark, Donahue, Simonyan, arXiv 1907.06571 "
            f"v2), made with dvdgan_tf: {facts['num_frames']} frames of "
            f"{facts['resolution']}x{facts['resolution']} pixels, of which "
            f"{facts['conditioning_frames']} are given; "
            f"{facts['parameters']:,} parameters; averaged weights of step "
            f"{facts['step']:,}.",
            "",
            f"Classes: {names}.",
            "",
            "Levels of truncation with statistics of their own: "
            f"{', '.join(f'{x:g}' for x in facts['truncation_levels'])}.",
            "",
            "## Use",
            "",
            usage(facts, f"{card.name}-{card.version}"),
            "## Data",
            "",
            card.data,
            "",
            f"Licence of the data: {card.data_license}",
            "",
            "## Metrics",
            "",
            metrics_table(rows),
            "",
            "## Limits",
            "",
            card.limits,
            "",
            "## Licence and contact",
            "",
            f"Weights: {card.license}. Contact: {card.contact}",
            "",
            "## Training configuration",
            "",
            "```",
            config.strip(),
            "```",
            "",
        ]
    )


def hub_page(card, facts):
    """The page of this version in tfhub.dev's format, Markdown."""
    size = f"{facts['resolution']}x{facts['resolution']}"
    given = facts["conditioning_frames"]
    task = f"continues {given} frames" if given else "generates clips"
    url = f"https://tfhub.dev/{card.publisher}/{card.name}/{card.version}"
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
            f"A {facts['model']} [1] that {task}: {facts['num_frames']} frames "
            f"of {size} pixels in all, {facts['num_classes']} classes, "
            f"{facts['parameters']:,} parameters, averaged weights of step "
            f"{facts['step']:,}.",
            "",
            f"Trained on: {card.data} Limits: {card.limits}",
            "",
            "## Example use",
            "",
            usage(facts, url),
            "`z` is standard normal times the truncation; `y` are one-hot or "
            "soft labels, or ids in the signature `ids`; "
            "`module.class_names()` has the names of the classes.",
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


def usage(facts, path):
    """Code that samples the module at a path."""
    given = facts["conditioning_frames"]
    levels = facts["truncation_levels"]
    return _USE.format(
        path=path,
        level=levels[len(levels) // 2],
        z_dim=facts["z_dim"],
        ids=[i % facts["num_classes"] for i in range(4)],
        num_classes=facts["num_classes"],
        generated=facts["num_frames"] - given,
        resolution=facts["resolution"],
        frames=(
            f"\n    frames=frames,  # [4, {given}, ...] in [-1, 1]."
            if given
            else ""
        ),
    )


def metrics_table(rows):
    """A table of results with the protocol of each."""
    if not rows:
        return "None were measured."
    lines = [
        "| metric | value | truncation | clips | real clips | data | network |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        error = row.get("standard_error")
        value = f"{row['value']:.4g}" + (f" ± {error:.2g}" if error else "")
        cells = (
            row["metric"],
            value,
            f"{row['truncation']:g}",
            row.get("clips", ""),
            row.get("real_clips", ""),
            f"{row.get('dataset', '')}, {row.get('split', '')}",
            row.get("network", ""),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
