"""Evaluation of frame prediction: continued clips, and what they are beside."""

import json

import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf.data import pipeline
from dvdgan_tf.evaluation import measures
from dvdgan_tf.evaluation.evaluator import Evaluator
from dvdgan_tf.evaluation.measured_clips import (
    CopiedFrames,
    PredictedClips,
    RealClips,
)
from dvdgan_tf.evaluation.protocol import Protocol
from dvdgan_tf.metrics.frame_similarity import LARGEST_PSNR
from dvdgan_tf.named_variables import checkpoint_of
from tests.evaluation.tiny import MeanColors, Source, make_generator

GIVEN = 2


class Brightening(Source):
    """Clip i begins with grey 10 i and gets brighter by 20 a frame."""

    def load(self, index, seed):
        clip, label = super().load(index, seed)
        ramp = 20 * tf.range(4)[:, None, None, None]
        return clip + tf.cast(ramp, tf.uint8), label


def make_predictor(num_classes, name="generator"):
    return make_generator(num_classes, name, conditioning_frames=GIVEN)


def conditions(num_clips=6):
    return RealClips(Brightening(), pipeline.example, num_clips, seed=3)


def batches(clips, batch_size):
    """All that is measured: videos [N, T, H, W, 3]."""
    dataset = clips.inputs().batch(batch_size)
    return np.concatenate([clips.videos(*batch) for batch in dataset])


@pytest.fixture(scope="module")
def predictor():
    generator = make_predictor(2)
    generator.build()
    return generator


def test_all_samples_continue_the_same_real_frames(predictor):
    clips = PredictedClips(predictor, conditions(3), 4, samples_per_condition=2)
    videos = batches(clips, 3)
    real = batches(conditions(3), 3)
    assert clips.num_clips == 6 and videos.shape == (6, 4, 32, 32, 3)
    given = np.repeat(real[:, :GIVEN] / 127.5 - 1.0, 2, axis=0)
    np.testing.assert_allclose(videos[:, :GIVEN], given, atol=1e-6)
    # z differs from sample to sample.
    assert np.abs(videos[0::2, GIVEN:] - videos[1::2, GIVEN:]).max() > 1e-3


def test_predictions_do_not_depend_on_the_batch_size(predictor):
    clips = PredictedClips(predictor, conditions(4), 4, seed=1)
    np.testing.assert_allclose(batches(clips, 4), batches(clips, 1), atol=1e-5)


def test_longer_clips_are_rolled_out(predictor):
    clips = PredictedClips(predictor, conditions(2), 7)
    assert batches(clips, 2).shape == (2, 7, 32, 32, 3)


def test_copied_frames():
    real = batches(conditions(), 6)
    copies = batches(CopiedFrames(conditions(), GIVEN, 4), 4)
    np.testing.assert_array_equal(copies[:, :GIVEN], real[:, :GIVEN])
    for t in range(GIVEN, 4):
        np.testing.assert_array_equal(copies[:, t], real[:, GIVEN - 1])


def evaluator(cache_dir, source, **kwargs):
    protocol = {
        "name": "tiny",
        "network": MeanColors,
        "measures": (
            measures.frechet_distance,
            measures.similarity_of_frames,
        ),
        "num_clips": 6,
        "batch_size": 3,
        "conditioning_frames": GIVEN,
        "standing_statistics_batch_size": 4,
        "standing_statistics_batches": 2,
    }
    return Evaluator(
        tf.distribute.OneDeviceStrategy("CPU:0"),
        pipeline.example,
        dataset=source,
        generator=make_predictor,
        protocol=lambda: Protocol(**protocol | kwargs),
        cache_dir=str(cache_dir),
    )


def by_metric(rows):
    return {row["metric"].removeprefix("tiny/"): row for row in rows}


def test_baselines_are_measured_as_predictions_are(tmp_path):
    copies, real = evaluator(tmp_path, Brightening).evaluate_baselines()
    found = by_metric(json.loads(json.dumps(copies)))
    # Frames 2 and 3 are brighter than frame 1 by 20 and by 40 of 255.
    expected = [20 * np.log10(255 / 20), 20 * np.log10(255 / 40)]
    np.testing.assert_allclose(found["psnr"]["by_frame"], expected, rtol=1e-5)
    assert found["psnr"]["value"] == pytest.approx(np.mean(expected))
    assert found["psnr"]["checkpoint"] == "copy_last_frame"
    assert [row["checkpoint"] for row in real] == ["real"]
    assert list(by_metric(real)) == ["frechet_distance"]


def test_where_nothing_moves_a_copy_is_right(tmp_path):
    copies, _ = evaluator(tmp_path, Source).evaluate_baselines()
    found = by_metric(copies)
    assert found["psnr"]["value"] == LARGEST_PSNR
    assert found["ssim"]["value"] == pytest.approx(1.0)


def test_the_best_of_several_samples_is_no_worse(tmp_path):
    generator = make_predictor(2, name="ema_generator")
    generator.build()
    variables = {v.path: v for v in generator.variables}
    path = str(tmp_path / "step-5")
    checkpoint_of(variables).write(path)
    several = evaluator(
        tmp_path, Brightening, num_clips=12, samples_per_condition=3
    )
    (rows,) = several.evaluate_checkpoint(path, 5)
    found = by_metric(rows)
    assert found["best_psnr"]["value"] > found["psnr"]["value"]
    assert found["best_ssim"]["value"] >= found["ssim"]["value"]
    assert found["psnr"]["samples_per_condition"] == 3
    assert found["psnr"]["conditioning_frames"] == GIVEN
