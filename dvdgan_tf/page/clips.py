"""Clips that a visitor asks for: made, shown as HTML, packed for download."""

import base64
import html
import os
import tempfile
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dvdgan_tf.page.settings import Settings
from dvdgan_tf.plain_text import shown
from dvdgan_tf.sampling.clip_writer import ClipWriter
from dvdgan_tf.sampling.videos import Videos
from dvdgan_tf.video import prediction_views, writing

# It imports TensorFlow, which mistakes should not wait for.
if TYPE_CHECKING:
    from dvdgan_tf.sampling.model import Model


def make(
    model: "Model", settings: Settings, frames: np.ndarray | None = None
) -> Videos:
    """Makes the clips.

    Args:
        model: what the visitor samples from.
        settings: what the visitor chose.
        frames: uint8 [C, H, W, 3], the frames to continue, of a model for
            prediction.

    Returns:
        uint8 [count, T, H, W, 3], as the model's own methods make them.

    Raises:
        ValueError: an argument is impossible.
    """
    shared = dict(
        classes=list(settings.classes) or None,
        seed=settings.seed,
        truncation=settings.truncation,
    )
    if frames is not None:
        repeated = np.repeat(frames[None], settings.count, 0)
        return model.predict(repeated, settings.num_frames, **shared)
    if settings.interpolate:
        latent = settings.interpolate == "latent"
        return model.interpolate(count=settings.count, latent=latent, **shared)
    return model.sample(count=settings.count, **shared)


def captions(model: "Model", settings: Settings) -> list[str]:
    """Says what each clip is: its class, or how far it is on its way.

    Args:
        model: what the visitor samples from.
        settings: what the visitor chose.

    Returns:
        A text for each clip.
    """
    names = [shown(name) for name in _names(model, settings)]
    count = settings.count
    if settings.num_frames:
        return [f"no. {i}" for i in range(count)]
    if not settings.interpolate:
        return [names[i % len(names)] for i in range(count)]
    way = " → ".join(dict.fromkeys(names[:2]))
    return [f"{way}, {i / (count - 1):.0%}" for i in range(count)]


def figures(clips: Videos, texts: Sequence[str], given: int = 0) -> str:
    """Shows animations that loop, with the texts below, in HTML without files.

    Args:
        clips: uint8 [B, T, H, W, 3].
        texts: B captions, which are escaped.
        given: number of frames that were given, which have a border as in
            `prediction_views`.
    """
    parts = []
    for clip, text in zip(_framed(clips, given), texts, strict=True):
        data = base64.b64encode(writing.webp(clip, clips.fps)).decode()
        text = html.escape(text)
        parts.append(
            f'<figure><img src="data:image/webp;base64,{data}" alt="{text}">'
            f"<figcaption>{text}</figcaption></figure>"
        )
    return f'<div class="clips">{"".join(parts)}</div>'


def archive(
    model: "Model", settings: Settings, clips: Videos, folder: str
) -> str:
    """Packs the clips as `python -m dvdgan_tf.sample` writes them.

    Args:
        model: what the visitor samples from.
        settings: what the visitor chose.
        clips: what `make` made of these.
        folder: folder in which a file of a new name is made.

    Returns:
        Path of a ZIP archive of MP4 and npz files.
    """
    names = _names(model, settings)
    handle, path = tempfile.mkstemp(".zip", "clips_", folder)
    with (
        tempfile.TemporaryDirectory(dir=folder) as temporary,
        os.fdopen(handle, "wb") as file,
        # What it holds is compressed already.
        zipfile.ZipFile(file, "w") as packed,
    ):
        writer = ClipWriter(temporary, ["mp4", "npz"], clips.fps)
        for number, clip in enumerate(clips):
            # On the way between classes all have the first one's name.
            name = names[0 if settings.interpolate else number % len(names)]
            writer.write(clip, model.class_names.index(name), name)
        for entry in sorted(os.scandir(temporary), key=lambda e: e.name):
            packed.write(entry.path, entry.name)
    return path


def _names(model, settings):
    """Names of the classes that the clips have in turn."""
    if settings.classes:
        return list(settings.classes)
    if settings.num_frames:
        return model.class_names[:1]
    return list(model.class_names)


def _framed(clips, given):
    clips = np.asarray(clips)
    if not given:
        return clips
    margin = prediction_views.MARGIN
    edges = (margin, margin)
    framed = np.pad(clips, ((0, 0), (0, 0), edges, edges, (0, 0)))
    border = np.ones(framed.shape[2:4], bool)
    border[margin:-margin, margin:-margin] = False
    framed[:, :given, border] = prediction_views.BORDER_COLOUR
    return framed
