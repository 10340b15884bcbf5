"""Makes what the page shows of what a browser sends; no gradio here."""

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from dvdgan_tf.frame_size import of_video
from dvdgan_tf.page import clips, recipe, settings
from dvdgan_tf.sampling.conditions import first_frames

# It imports TensorFlow, which mistakes should not wait for.
if TYPE_CHECKING:
    from dvdgan_tf.sampling.model import Model

_NO_COMMAND = "# The command line cannot say this; Python can."


class Answer(NamedTuple):
    """What the page shows.

    Attributes:
        figures: HTML of the clips.
        summary: a sentence: what was made, and how long it took.
        archive: path of a ZIP archive of the clips.
        command: command line that writes the same clips.
        python: Python code that makes the same clips.
    """

    figures: str
    summary: str
    archive: str
    command: str
    python: str


class Answers:
    """Makes answers, one at a time.

    Args:
        model: `Model`.
        source: what the model was loaded from.
        limits: what one request may ask for.
        folder: folder that archives are written to.
    """

    def __init__(
        self,
        model: "Model",
        source: recipe.Source,
        limits: settings.Limits,
        folder: str,
    ) -> None:
        self.model = model
        self.limits = limits
        self._source = source
        self._folder = folder

    def defaults(self) -> settings.Settings:
        """Returns the settings that the page starts with."""
        facts = self.model.facts
        given = facts["conditioning_frames"]
        # Each class, where that is not too many.
        count = 4 if given else min(max(8, facts["num_classes"]), 16)
        return settings.Settings(
            count=min(count, self.limits.clips),
            truncation=facts["truncation_levels"][-1],
            num_frames=facts["num_frames"] if given else None,
        )

    def to(self, values: dict, video: str | None = None) -> Answer:
        """Answers a request.

        Args:
            values: settings of the request, as `settings.checked` takes them.
            video: path of an uploaded video, for prediction.

        Raises:
            ValueError: a sentence for the visitor.
            CannotReadError: a sentence, too; this machine is at fault.
        """
        chosen = settings.checked(self.model, self.limits, values)
        facts = self.model.facts
        given = facts["conditioning_frames"]
        start = time.monotonic()
        frames = name = None
        if given:
            if video is None:
                raise ValueError("Choose a video to continue first.")
            name = os.path.basename(video)
            frames = first_frames(
                video,
                given,
                facts["resolution"],
                facts["fit"],
                facts["frame_stride"],
            )
        made = clips.make(self.model, chosen, frames)
        seconds = time.monotonic() - start
        length = made.shape[1]
        count = "1 clip" if len(made) == 1 else f"{len(made)} clips"
        size = of_video(facts["resolution"], " x ")
        summary = (
            f"{count} of {length} frames, {size} pixels, "
            f"{made.fps:g} frames/s; made in {seconds:.2f} s."
        )
        return Answer(
            clips.figures(made, clips.captions(self.model, chosen), given),
            summary,
            clips.archive(self.model, chosen, made, self._folder),
            recipe.command(self._source, chosen, name) or _NO_COMMAND,
            recipe.python(self._source, chosen, facts, name),
        )
