"""What event files hold, as TensorBoard reads it."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from dvdgan_tf.training.summaries import Summaries
from dvdgan_tf.video import writing


def test_moving_clips_are_gifs_of_the_image_tab(tmp_path):
    video = np.zeros([4, 20, 30, 3], np.uint8)
    video[np.arange(4), :, 5 * np.arange(4)] = 255
    writing.write_gif(tmp_path / "a.gif", video, fps=10)
    summaries = Summaries(str(tmp_path))
    summaries.moving(7, "clips/ema", str(tmp_path / "a.gif"))
    (events,) = tmp_path.glob("events.*")
    ((event, value),) = (
        (event, value)
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    )
    assert (event.step, value.tag) == (7, "clips/ema")
    assert value.metadata.plugin_data.plugin_name == "images"
    width, height, content = tf.make_ndarray(value.tensor).tolist()
    assert (width, height) == (b"30", b"20")
    assert content == (tmp_path / "a.gif").read_bytes()
    with Image.open(io.BytesIO(content)) as gif:
        assert gif.format == "GIF" and gif.n_frames == 4
