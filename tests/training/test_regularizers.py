"""The regularisers of D in a training step: views, losses and gradients."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf.layers import shards
from dvdgan_tf.networks.generator import Generator
from dvdgan_tf.regularization.adaptive import AdaptiveStrength
from dvdgan_tf.regularization.diffaugment import DiffAugment
from dvdgan_tf.regularization.gradient_penalty import GradientPenalty
from dvdgan_tf.regularization.lecam import LeCam
from dvdgan_tf.training.checkpoints import Checkpoints
from dvdgan_tf.training.losses import RelativisticPairing

RATES = dict(learning_rate_g=1e-3, learning_rate_d=5e-3)
ALL = dict(
    loss=RelativisticPairing,
    augment=functools.partial(
        DiffAugment,
        adaptive=functools.partial(
            AdaptiveStrength, initial=0.5, interval=2, examples_to_full=80
        ),
    ),
    lecam=functools.partial(LeCam, start_update=1),
    gradient_penalty=functools.partial(
        GradientPenalty, fake_weight=0.5, every=3
    ),
)
PREDICTION = functools.partial(
    Generator,
    resolution=8,
    num_frames=tiny.FRAMES,
    conditioning_frames=1,
    ch=2,
    z_dim=4,
    embedding_dim=3,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")


def make(strategy=None, values=None, **changes):
    trainer = tiny.trainer(strategy, **{**RATES, **ALL, **changes})
    trainer.randomness.follow_labels(tiny.Source.label_counts)
    if values:
        tiny.assign(trainer, values)
    return trainer


def steps(trainer, count=2, start=0):
    history = trainer.run(tiny.batches(trainer, start), tf.constant(count))
    return [
        dict(zip(trainer.metrics, row, strict=True)) for row in history.numpy()
    ]


@pytest.fixture(scope="module")
def one():
    """Two steps with everything on: before, metrics, after."""
    trainer = make()
    values = tiny.values(trainer)
    # Tracing takes longer than two steps.
    tf.config.run_functions_eagerly(True)
    metrics = steps(trainer)
    tf.config.run_functions_eagerly(False)
    return values, metrics, tiny.values(trainer)


def test_everything_at_once_is_finite_and_reported(one):
    before, metrics, after = one
    for row in metrics:
        assert all(np.isfinite(value) for value in row.values())
        for name in ("spatial", "temporal"):
            assert -1 <= row[f"sign/{name}_real"] <= 1
            assert 0 <= row[f"augment/p_{name}"] <= 1
    # Updates 0 to 3: R1 and R2 at 0 and 3, LeCam from 1 on.
    for row in metrics:
        assert row["loss/gradient_penalty_spatial"] > 0
        assert row["loss/lecam_temporal"] > 0
    assert after["lecam/updates"] == 4
    assert after["adaptive_strength/count"] == 0  # 4 updates, adjusted twice.
    moved = after["adaptive_strength/probability"]
    np.testing.assert_allclose(np.abs(moved - 0.5) % 0.1, 0.0, atol=0.1)
    assert not np.array_equal(before["lecam/anchors"], after["lecam/anchors"])


def test_anchors_follow_the_scores_that_are_reported(eagerly):
    """One update of D a step, whose mean scores the metrics are."""
    trainer = make(d_steps=1)
    rows = steps(trainer, 3)
    anchors = None
    for row in rows:
        means = np.array(
            [
                [row[f"score/{n}_real"], row[f"score/{n}_fake"]]
                for n in ("spatial", "temporal")
            ],
            "float64",
        )
        anchors = means if anchors is None else 0.99 * anchors + 0.01 * means
    found = tiny.values(trainer)["lecam/anchors"]
    np.testing.assert_allclose(found, anchors, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        dict(accumulation_steps=2),
        dict(shards=2),
        dict(strategy="mirrored"),
        dict(jit_compile=True),
    ],
    ids=str,
)
def test_the_same_however_it_is_computed(one, changes):
    before, expected, state = one
    changes = dict(changes)
    if changes.pop("strategy", None):
        changes["strategy"] = tiny.mirrored()
    other = make(values=before, **changes)
    # XLA needs tracing.
    tf.config.run_functions_eagerly("jit_compile" not in changes)
    try:
        found = steps(other)
    finally:
        tf.config.run_functions_eagerly(False)
    for row, reference in zip(found, expected, strict=True):
        for name, value in reference.items():
            if changes.get("strategy") and name.startswith("gradient_norm"):
                continue  # An upper bound there.
            np.testing.assert_allclose(
                row[name], value, rtol=2e-2, atol=2e-2, err_msg=name
            )
    now = tiny.values(other)
    for name in ("lecam/anchors", "adaptive_strength/probability"):
        np.testing.assert_allclose(now[name], state[name], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [dict(precision="mixed_bfloat16"), dict(generator=PREDICTION)],
    ids=["bfloat16", "prediction"],
)
def test_other_precision_and_prediction_run(changes, eagerly):
    trainer = make(**changes)
    (row,) = steps(trainer, 1)
    assert all(np.isfinite(value) for value in row.values())
    assert row["loss/gradient_penalty_temporal"] > 0


def test_losses_are_those_of_the_equations(eagerly):
    """One update of D by hand: augmented views, pairing, LeCam, R1 and R2."""
    trainer = make(
        d_steps=1,
        gradient_penalty=functools.partial(
            GradientPenalty, real_weight=0.7, fake_weight=0.5, every=1
        ),
    )
    steps(trainer, 2)  # Anchors and p have moved.
    step = tf.constant(2, tf.int64)
    batch = next(tiny.batches(trainer, 2))
    values = tiny.values(trainer)
    found = dict(
        zip(
            trainer.updates.d_metrics,
            trainer.updates.of_discriminators(
                batch, step, tf.constant(0)
            ).numpy(),
            strict=True,
        )
    )
    tiny.assign(trainer, values)
    videos, labels = batch
    labels = tf.cast(labels, tf.int32)
    z, _, real_noise, fake_noise = trainer.randomness.draw(step, 0)
    fake = trainer.generator(z, labels, training=True)
    parameters = trainer.discriminator.parameters()
    p = values["adaptive_strength/probability"]
    anchors = values["lecam/anchors"]
    for i, (name, network) in enumerate(
        [("spatial", trainer.d_spatial), ("temporal", trainer.d_temporal)]
    ):
        scores, norms = [], []
        for clips, noise in (
            (tf.cast(videos, tf.float32) / 127.5 - 1.0, real_noise),
            (fake, fake_noise),
        ):
            seen = trainer.discriminator.augment(
                clips, noise[:, tiny.FRAMES + 2 :], tf.constant(p[i])
            )
            if name == "spatial":
                picked = np.argsort(-noise[:, : tiny.FRAMES].numpy(), 1)[:, :2]
                seen = tf.gather(seen, picked, batch_dims=1)
            with tf.GradientTape() as tape:
                tape.watch(seen)
                score = network.apply(seen, labels, parameters[i])
            gradient = tape.gradient(score, seen).numpy().astype("float64")
            norms.append((gradient**2).sum(axis=(1, 2, 3, 4)).mean())
            scores.append(score.numpy().astype("float64"))
        real, fakes = scores
        expected = {
            f"loss/d_{name}": np.log1p(np.exp(fakes - real)).mean(),
            f"score/{name}_real": real.mean(),
            f"score/{name}_fake": fakes.mean(),
            f"sign/{name}_real": np.sign(real).mean(),
            f"loss/lecam_{name}": 0.3
            * (
                ((real - anchors[i, 1]) ** 2).mean()
                + ((fakes - anchors[i, 0]) ** 2).mean()
            ),
            f"loss/gradient_penalty_{name}": 0.35 * norms[0] + 0.25 * norms[1],
        }
        for key, value in expected.items():
            np.testing.assert_allclose(
                found[key], value, rtol=1e-4, atol=1e-5, err_msg=key
            )


def test_g_is_taught_through_augmentation_and_pairs(eagerly):
    """The gradient of L_G, by central differences along a direction."""
    trainer = make(accumulation_steps=1)
    videos, labels = next(tiny.batches(trainer))
    labels = tf.cast(labels, tf.int32)
    rng = np.random.default_rng(0)
    fake = tf.constant(rng.uniform(-1, 1, videos.shape), tf.float32)
    _, _, noise, real_noise = trainer.randomness.draw(
        tf.constant(0, tf.int64), 2
    )
    parameters = trainer.discriminator.parameters()

    def loss(x):
        return trainer.losses.l_g(
            x,
            labels,
            noise,
            x=videos,
            x_noise=real_noise,
            parameters=parameters,
        )

    with tf.GradientTape() as tape:
        tape.watch(fake)
        value = loss(fake)
    gradient = tape.gradient(value, fake)
    real, others = (
        trainer.discriminator.scores(x, labels, n, parameters)
        for x, n in (
            (tf.cast(videos, tf.float32) / 127.5 - 1, real_noise),
            (fake, noise),
        )
    )
    by_hand = sum(
        np.log1p(np.exp(r.numpy() - f.numpy())).mean()
        for r, f in zip(real, others, strict=True)
    )
    np.testing.assert_allclose(value, by_hand, rtol=1e-5)
    direction = rng.normal(size=videos.shape).astype("float32")
    slope = (
        loss(fake + 1e-2 * direction) - loss(fake - 1e-2 * direction)
    ) / 2e-2
    np.testing.assert_allclose(
        slope, np.sum(gradient * direction), rtol=0.05, atol=2e-3
    )


def test_a_run_may_begin_and_stop_to_use_them(tmp_path):
    plain = tiny.trainer(**RATES)
    Checkpoints(plain, str(tmp_path / "plain")).save(1)
    regularized = make()
    probability = regularized.discriminator.adaptive.probability
    probability.assign([0.25, 0.75])
    Checkpoints(regularized, str(tmp_path / "plain")).restore()
    np.testing.assert_array_equal(probability, [0.25, 0.75])
    Checkpoints(regularized, str(tmp_path / "all")).save(1)
    probability.assign([0.0, 0.0])
    Checkpoints(regularized, str(tmp_path / "all")).restore()
    np.testing.assert_array_equal(probability, [0.25, 0.75])
    Checkpoints(plain, str(tmp_path / "all")).restore()


def test_recomputed_blocks_have_no_second_derivative():
    networks = {
        name: functools.partial(network, recompute=True)
        for name, network in tiny.NETWORKS.items()
    }
    with pytest.raises(ValueError) as error:
        make(**networks)
    message = str(error.value)
    assert "needs second derivatives" in message and "\n" not in message


def test_shards_are_joined_in_order():
    x = tf.range(6)
    parts = shards.shard(x, 3)
    assert len(parts) == 3
    doubled = shards.for_shards(lambda a, b: a + b, parts, parts)
    np.testing.assert_array_equal(shards.join(doubled), 2 * np.arange(6))
