import collections
import functools

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")


def steps(trainer, count=1, start=0):
    """Runs steps; returns their metrics, {name: [count]}."""
    history = trainer.run(tiny.batches(trainer, start), tf.constant(count))
    assert history.shape == (count, len(tiny.METRICS))
    return dict(zip(tiny.METRICS, history.numpy().T, strict=True))


def like(trainer, strategy=None, **changes):
    """Another trainer with the same values."""
    other = tiny.trainer(
        strategy, learning_rate_g=1e-3, learning_rate_d=5e-3, **changes
    )
    other.randomness.follow_labels(tiny.Source.label_counts)
    tiny.assign(other, tiny.values(trainer))
    return other


def record_gradients(trainer, monkeypatch):
    """{path: list of gradients}, filled by every update."""
    recorded = collections.defaultdict(list)
    for optimizer in (trainer.optimizer_g, trainer.optimizer_d):

        def apply(gradients, variables, apply=optimizer.apply):
            for gradient, variable in zip(gradients, variables, strict=True):
                recorded[variable.path].append(gradient.numpy())
            apply(gradients, variables)

        monkeypatch.setattr(optimizer, "apply", apply)
    return recorded


def paths(network):
    return [v.path for v in network.trainable_variables]


def test_every_variable_has_one_owner(trainer):
    owners = (*trainer.networks, trainer.optimizer_g, trainer.optimizer_d)
    names = [
        v.path
        for owner in owners
        for v in owner.variables
        if not v.path.endswith("/learning_rate")
    ]
    assert sorted([*names, "step"]) == sorted(trainer.variables())
    assert len(set(names)) == len(names)
    g, d_s, d_t = ([*map(id, n.trainable_variables)] for n in owners[:3])
    assert len({*g, *d_s, *d_t}) == len(g) + len(d_s) + len(d_t)
    assert [id(v) for v in trainer.optimizer_g._trainable_variables] == g
    assert [id(v) for v in trainer.optimizer_d._trainable_variables] == (
        d_s + d_t
    )
    assert {v.dtype for v in trainer.variables().values()} == {
        "float32",
        "int64",  # Of the optimizers' iterations.
        tf.int64,
    }


def test_a_step_updates_everything(trainer):
    before = tiny.values(trainer)
    metrics = steps(trainer)
    after = tiny.values(trainer)
    for network in trainer.networks[:3]:
        for path in paths(network):
            assert not np.array_equal(before[path], after[path]), path
    assert after["step"] == 1
    assert trainer.optimizer_g.iterations == 1
    assert trainer.optimizer_d.iterations == 2
    for name, value in metrics.items():
        assert np.isfinite(value), name
    # Hinge losses are at least what Jensen's inequality allows.
    for name in ("spatial", "temporal"):
        real, fake = (metrics[f"score/{name}_{k}"] for k in ("real", "fake"))
        bound = np.maximum(1 - real, 0) + np.maximum(1 + fake, 0)
        assert metrics[f"loss/d_{name}"] >= bound - 1e-5


def test_one_power_iteration_per_forward_pass(trainer):
    """Real and fake are one batch: D passes 3 times in a step, not 5."""
    before = tiny.values(trainer)
    trainer.optimizer_g.learning_rate.assign(0.0)
    trainer.optimizer_d.learning_rate.assign(0.0)
    steps(trainer)
    for network in trainer.networks[:3]:
        checked = 0
        for path in paths(network):
            if f"{path}_u" not in before:
                continue
            w = before[path].astype("float64")
            w = w.reshape(-1, w.shape[-1])
            u = before[f"{path}_u"].astype("float64")
            for _ in range(3):
                v = w @ u / np.linalg.norm(w @ u)
                u = w.T @ v / np.linalg.norm(w.T @ v)
            found = trainer.variables()[f"{path}_u"].numpy()
            np.testing.assert_allclose(found, u, atol=2e-5, err_msg=path)
            checked += 1
        assert checked > 5


def test_average_of_the_generator(trainer):
    """e = w until step 2, then e = 0.75 e + 0.25 w; the rest is copied."""
    live, ema = trainer.generator, trainer.ema_generator
    pairs = [
        (e.path, w.path)
        for e, w in zip(
            ema.trainable_variables, live.trainable_variables, strict=True
        )
    ]
    state = [
        (e.path, w.path)
        for e, w in zip(
            ema.non_trainable_variables,
            live.non_trainable_variables,
            strict=True,
        )
    ]
    expected = {}
    for step in range(5):
        steps(trainer, start=step)
        now = tiny.values(trainer)
        for e, w in pairs:
            if step < 2:
                np.testing.assert_array_equal(now[e], now[w])
                expected[e] = now[w].astype("float64")
            else:
                expected[e] = 0.75 * expected[e] + 0.25 * now[w]
                np.testing.assert_allclose(now[e], expected[e], atol=1e-6)
                assert not np.array_equal(now[e], now[w])
        for e, w in state:
            np.testing.assert_array_equal(now[e], now[w])


@pytest.fixture(scope="module")
def eager(_traced):
    """Eager runs from the same weights: values, metrics and gradients.

    "plain" is two steps, the others are one: "regularized", the same on two
    replicas, and "mixed" precision.
    """
    plain, values = _traced[0], dict(_traced[1])
    # Away from orthogonal weights, which no regularisation changes.
    rng = np.random.default_rng(4)
    for v in plain.generator.trainable_variables:
        noise = 0.1 * rng.normal(size=v.shape)
        values[v.path] = (values[v.path] + noise).astype("float32")
    beta = {"orthogonal_regularization": BETA}
    runs = {
        "plain": plain,
        "regularized": like(plain, **beta),
        "replicas": like(plain, tiny.mirrored(), **beta),
        "mixed": like(plain, precision="mixed_bfloat16"),
    }
    results = {}
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, each in runs.items():
            tiny.assign(each, values)
            gradients = record_gradients(each, monkeypatch)
            metrics = steps(each, 2 if name == "plain" else 1)
            results[name] = Result(
                each, values, tiny.values(each), metrics, gradients
            )
    tf.config.run_functions_eagerly(False)
    return results


BETA = 0.5
Result = collections.namedtuple(
    "Result", ["trainer", "before", "after", "metrics", "gradients"]
)


def test_adam_in_closed_form(eager):
    """Betas 0 and 0.999, each network at its own rate, over two steps.

    TensorFlow's form: epsilon is added before the bias correction.
    """
    trainer, before, after, _, gradients = eager["plain"]
    for network, rate in zip(
        trainer.networks[:3], (1e-3, 5e-3, 5e-3), strict=True
    ):
        for path in paths(network):
            w, v = before[path].astype("float64"), 0.0
            for t, g in enumerate(gradients[path], 1):
                g = g.astype("float64")
                v = 0.999 * v + 0.001 * g**2
                w -= rate * np.sqrt(1 - 0.999**t) * g / (np.sqrt(v) + 1e-8)
            assert t == (2 if network is trainer.generator else 4)
            np.testing.assert_allclose(
                after[path], w, atol=rate / 50, err_msg=path
            )


def test_orthogonal_regularization_adds_its_gradient(eager):
    trainer, before = eager["plain"][:2]
    acted = 0
    for path in paths(trainer.generator):
        plain, found = (
            eager[name].gradients[path][0].astype("float64")
            for name in ("plain", "regularized")
        )
        expected, w = plain.copy(), before[path].astype("float64")
        if w.ndim >= 2 and "class_embedding" not in path:
            w = w.reshape(-1, w.shape[-1])
            gram = w.T @ w
            off = gram - np.diag(np.diag(gram))
            expected += BETA * 4 * (w @ off).reshape(plain.shape)
            acted += not np.allclose(expected, plain, atol=1e-2)
        np.testing.assert_allclose(
            found, expected, rtol=1e-3, atol=1e-3, err_msg=path
        )
    assert acted > 10


def test_replicas_share_the_work_of_one(eager):
    """The same losses, and gradients that sum to the same."""
    one, two = eager["regularized"], eager["replicas"]
    for name in tiny.METRICS:
        if not name.startswith("gradient_norm"):
            np.testing.assert_allclose(
                one.metrics[name], two.metrics[name], atol=1e-3, err_msg=name
            )
    # The first update of D is from equal weights; G's comes after D has
    # moved by different rounding.
    d = paths(one.trainer.d_spatial) + paths(one.trainer.d_temporal)
    for path in d + paths(one.trainer.generator):
        rough = path not in d
        whole, halves = one.gradients[path][0], two.gradients[path][:2]
        np.testing.assert_allclose(
            sum(halves),
            whole,
            rtol=1e-2 if rough else 1e-3,
            atol=1e-2 if rough else 1e-4,
            err_msg=path,
        )
        assert not np.allclose(halves[0], whole, atol=1e-6)


def test_mixed_precision(eager):
    trainer = eager["mixed"].trainer
    assert trainer.generator.compute_dtype == "bfloat16"
    dtypes = {v.dtype for n in trainer.networks for v in n.variables}
    assert dtypes == {"float32"}
    for optimizer in (trainer.optimizer_g, trainer.optimizer_d):
        dtypes = {v.dtype for v in optimizer.variables}
        assert dtypes == {"float32", "int64"}
    gradients = eager["mixed"].gradients
    assert {g.dtype for gs in gradients.values() for g in gs} == {
        np.dtype("float32")
    }
    found, exact = eager["mixed"].metrics, eager["plain"].metrics
    for name in tiny.METRICS:
        assert np.isfinite(found[name][0])
        if name.startswith("loss"):
            np.testing.assert_allclose(
                found[name], exact[name][:1], rtol=0.03, atol=0.1
            )
            assert found[name][0] != exact[name][0]


def test_standing_statistics(trainer):
    steps(trainer, 3)
    before = tiny.values(trainer)
    trainer.update_standing_statistics(tf.constant(3))
    after = tiny.values(trainer)
    assert changed(before, after) <= {
        v.path for v in trainer.ema_generator.non_trainable_variables
    }
    # Batch by batch, with a momentum of 0, the moving ones are the batch's.
    tiny.assign(trainer, before)
    norms = trainer.ema_generator.batch_norms()
    means, variances = [], []
    for i in range(3):
        for norm in norms:
            norm.momentum.assign(0.0)
        z, y = draw(trainer, i)
        trainer.ema_generator(z, y, training=True)
        means.append([n.moving_mean.numpy() for n in norms])
        variances.append([n.moving_variance.numpy() for n in norms])
    for i, norm in enumerate(norms):
        for name, batches in (
            ("moving_mean", means),
            ("moving_variance", variances),
        ):
            expected = np.mean([batch[i] for batch in batches], 0)
            found = after[getattr(norm, name).path]
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
            assert not np.allclose(found, batches[0][i], rtol=1e-3, atol=1e-5)


def draw(trainer, i):
    z, y, _, _ = trainer.strategy.run(
        lambda: trainer.randomness.draw(tf.constant(-1 - i, tf.int64), 0)
    )
    return z, y


def changed(before, after):
    return {k for k in before if not np.array_equal(before[k], after[k])}


def test_samples(trainer):
    steps(trainer, 4)
    trainer.update_standing_statistics(tf.constant(2))
    before = tiny.values(trainer)
    z, y = tf.random.stateless_normal([2, 4], [1, 1]), tf.constant([0, 2])
    sample = functools.partial(trainer.sample, z, y)
    ema = sample().numpy()
    np.testing.assert_array_equal(ema, sample())
    live = sample(ema=False).numpy()
    assert not np.allclose(ema, live, atol=1e-4)
    for videos, generator in (
        (ema, trainer.ema_generator),
        (live, trainer.generator),
    ):
        assert videos.shape == (2, 4, 8, 8, 3) and abs(videos).max() <= 1
        expected = generator(z, y, training=False)
        np.testing.assert_allclose(videos, expected, atol=1e-5)
    assert not changed(before, tiny.values(trainer))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"batch_size": 3},
            "times Trainer.accumulation_steps, 1, times Trainer.shards, 1. "
            "Received: batch_size=3",
        ),
        ({"batch_size": 0}, "batch_size=0"),
        ({"d_steps": 0}, "Received: d_steps=0"),
        ({"precision": "float16"}, "Received: precision='float16'"),
        (
            {
                "spatial_discriminator": functools.partial(
                    tiny.NETWORKS["spatial_discriminator"], k=5
                )
            },
            "CONDITIONING_FRAMES = 4. Received: k=5",
        ),
        (
            {
                "temporal_discriminator": functools.partial(
                    tiny.NETWORKS["temporal_discriminator"], time_pool=5
                )
            },
            "must be 1 or 2. Received: time_pool=5",
        ),
        (
            {"accumulation_steps": 0},
            "Trainer.accumulation_steps must be at least 1. Received",
        ),
        (
            {
                "temporal_discriminator": functools.partial(
                    tiny.NETWORKS["temporal_discriminator"], num_3d_blocks=3
                )
            },
            "Received: num_frames=4",
        ),
    ],
)
def test_impossible_arguments(changes, words):
    with pytest.raises(ValueError) as error:
        tiny.trainer(tiny.mirrored(), **changes)
    message = str(error.value)
    assert words in message and "\n" not in message


@pytest.mark.parametrize(
    ("accumulation_steps", "recompute", "shards"),
    [(2, False, 1), (4, True, 1), (1, True, 1), (1, False, 4), (2, True, 2)],
)
def test_parts_shards_and_recomputation_change_no_gradient_and_no_state(
    trainer, accumulation_steps, recompute, shards, monkeypatch, eagerly
):
    """Gradient accumulation is exact: hinge, batch norm, power iterations."""
    networks = {
        name: functools.partial(network, recompute=recompute)
        for name, network in tiny.NETWORKS.items()
    }
    other = like(
        trainer,
        accumulation_steps=accumulation_steps,
        shards=shards,
        **networks,
    )
    expected_gradients = record_gradients(trainer, monkeypatch)
    gradients = record_gradients(other, monkeypatch)
    expected = steps(trainer)
    metrics = steps(other)
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, atol=1e-5)
    assert len(gradients) == len(expected_gradients) > 50
    for name, values in expected_gradients.items():
        assert len(gradients[name]) == len(values)
        np.testing.assert_allclose(
            gradients[name], values, rtol=1e-3, atol=1e-4, err_msg=name
        )
    state = [
        v.path for n in trainer.networks for v in n.non_trainable_variables
    ]
    now, after = tiny.values(other), tiny.values(trainer)
    for name in state:
        np.testing.assert_allclose(
            now[name], after[name], rtol=1e-4, atol=1e-5, err_msg=name
        )
