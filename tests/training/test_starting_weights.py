"""Runs that start from the weights of a run, a checkpoint or a module."""

import functools
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from training import tiny

from dvdgan_tf import archives, stored_weights
from dvdgan_tf.exporting import saved_model
from dvdgan_tf.exporting.discriminator_module import DiscriminatorModule
from dvdgan_tf.generation.generator_module import GeneratorModule
from dvdgan_tf.generation.truncation import TruncationStatistics
from dvdgan_tf.layers.spectral_norm import spectral_weights
from dvdgan_tf.training import class_rows, starting_weights
from dvdgan_tf.training.checkpoints import Checkpoints

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*")

NAMES = list(tiny.Source.class_names)
LEVELS = (1.0, 0.5)


def disturbed(trainer):
    """As after training: other weights, and u's that have followed them."""
    random = np.random.default_rng(5)
    for path, variable in trainer.variables().items():
        if not path.startswith(("optimizer", "step")):
            noise = 0.1 * random.standard_normal(variable.shape)
            if path.endswith(("moving_variance", "momentum")):
                noise = abs(noise)
            variable.assign(variable + noise.astype("float32"))
    for network in trainer.networks:
        for weight in spectral_weights(network):
            matrix = weight.weight.numpy().reshape(-1, weight.u.shape[0])
            weight.u.assign(np.linalg.svd(matrix)[2][0])
    return trainer


@pytest.mark.parametrize("shape", [(3, 3, 5, 7), (4, 9), (1, 6)])
def test_singular_vector(shape):
    weight = np.random.default_rng(2).standard_normal(shape)
    weight = weight.astype(np.float32)
    u = np.random.default_rng(3).standard_normal(shape[-1])
    found = starting_weights.singular_vector(weight, u.astype(np.float32))
    matrix = weight.astype(np.float64).reshape(-1, shape[-1])
    _, sigmas, vectors = np.linalg.svd(matrix)
    np.testing.assert_allclose(abs(found @ vectors[0]), 1.0, atol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(matrix @ found), sigmas[0], rtol=1e-5
    )


def write_run(folder, trainer, names=NAMES, steps=(2, 6)):
    folder.mkdir(exist_ok=True)
    checkpoints = Checkpoints(trainer, str(folder / "ckpt"))
    for step in steps:
        path = checkpoints.save(step)
    if names is not None:
        (folder / "classes.json").write_text(json.dumps(names))
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A trainer, and the folder of its run."""
    folder = tmp_path_factory.mktemp("source")
    trainer = disturbed(tiny.trainer())
    write_run(folder, trainer)
    return trainer, folder


@pytest.fixture(scope="module")
def _new():
    trainer = tiny.trainer(seed=9)
    return trainer, tiny.values(trainer)


@pytest.fixture
def new(_new):
    """A trainer of other weights than the source's, as it was made."""
    trainer, initial = _new
    tiny.assign(trainer, initial)
    return trainer


@pytest.fixture(scope="module")
def module(source, tmp_path_factory):
    """Folder of the module of the averaged generator and of D, and itself."""
    trainer, _ = source
    copy = tiny.trainer()
    tiny.assign(copy, tiny.values(trainer))
    network = copy.ema_generator
    statistics = {
        v.path: v.numpy()
        for norm in network.batch_norms()
        for v in (norm.moving_mean, norm.moving_variance)
    }
    for folded in (network, copy.d_spatial, copy.d_temporal):
        for weight in spectral_weights(folded):
            weight.fold(32)
    facts = {"truncation_levels": sorted(LEVELS)}
    made = GeneratorModule(
        network,
        TruncationStatistics(
            LEVELS, [statistics, {k: 0 * v for k, v in statistics.items()}]
        ),
        NAMES,
        facts,
    )
    folder = tmp_path_factory.mktemp("modules")
    save = functools.partial(
        saved_model.write,
        made,
        class_names=NAMES,
        metadata=facts,
        config="CONFIG = 1",
    )
    save(str(folder / "generator"))
    discriminators = DiscriminatorModule(
        copy.d_spatial, copy.d_temporal, copy.generator
    )
    save(str(folder / "both"), discriminators=discriminators)
    archives.pack(str(folder / "both"), str(folder / "both.tar.gz"))
    return folder, made


def take(trainer, name, class_names=NAMES):
    with stored_weights.opened(str(name)) as stored:
        return starting_weights.take(trainer, stored, class_names)


def group(report, network):
    """The lines of a network, in one."""
    lines = report.splitlines()
    (first,) = (i for i, x in enumerate(lines) if x.startswith(f"  {network}"))
    rows = [lines[first].strip().removeprefix(network).strip()]
    for line in lines[first + 1 :]:
        if not line.startswith("   "):
            break
        rows.append(line.strip())
    return "; ".join(rows)


def inputs(classes=3):
    random = np.random.default_rng(1)
    z = tf.constant(random.standard_normal((3, 4)), tf.float32)
    y = tf.constant(random.dirichlet(np.ones(classes), 3), tf.float32)
    return z, y


def scores(trainer, y):
    videos = tf.random.stateless_uniform([3, tiny.FRAMES, 8, 8, 3], [1, 2], -1)
    noise = tf.random.stateless_uniform([3, tiny.FRAMES + 2], [3, 4])
    parameters = trainer.discriminator.parameters(training=False)
    return trainer.discriminator.scores(videos, y, noise, parameters)


def embeddings(trainer):
    return {
        "generator": trainer.generator.class_embedding,
        "ema_generator": trainer.ema_generator.class_embedding,
        **{
            network.name: network.class_embedding.embeddings.weight
            for network in (trainer.d_spatial, trainer.d_temporal)
        },
    }


def sigma(weight):
    """The largest singular value, exactly."""
    matrix = weight.weight.numpy().astype(np.float64)
    matrix = matrix.reshape(-1, matrix.shape[-1])
    return np.linalg.svd(matrix, compute_uv=False)[0]


@pytest.mark.parametrize("kind", ["run", "checkpoint", "index"])
def test_the_same_networks_are_equal_bit_for_bit(source, kind, new):
    old, folder = source
    name = {
        "run": folder,
        "checkpoint": folder / "ckpt" / "step-6",
        "index": folder / "ckpt" / "step-6.index",
    }[kind]
    report = take(new, name)
    assert "step-6:" in report and "initialised" not in report
    found, expected = tiny.values(new), tiny.values(old)
    for path, value in expected.items():
        if path.startswith(("optimizer", "step")):
            assert not found[path].any()
        elif path.endswith("/momentum"):
            assert found[path] == np.float32(0.9)
        else:
            np.testing.assert_array_equal(found[path], value, err_msg=path)
    # The average is the source's, which is not its live generator.
    assert (found["ema_generator/head/bias"] != found["generator/head/bias"])[0]
    z, y = inputs()
    for a, b in zip(old.networks[::3], new.networks[::3], strict=True):
        np.testing.assert_array_equal(a(z, y), b(z, y))
    for a, b in zip(scores(old, y), scores(new, y), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_follow_the_names_of_the_classes(source):
    old, folder = source
    new = tiny.trainer(seed=9, num_classes=5)
    fresh = {k: v.numpy() for k, v in embeddings(new).items()}
    report = take(new, folder, ["c", "run", "a", "jump"])
    stored = embeddings(old)
    for name, variable in embeddings(new).items():
        value = stored[name].numpy()
        expected = fresh[name].copy()
        expected[0], expected[2] = value[2], value[0]
        np.testing.assert_array_equal(variable.numpy(), expected)
        sentence = "2 of 5 rows by name, 3 new (run, jump, class 4)"
        assert sentence in group(report, name)
    for network in (new.d_spatial, new.d_temporal):
        weight = network.class_embedding.embeddings
        np.testing.assert_allclose(weight.sigma(), sigma(weight), rtol=1e-3)


def test_another_order_of_the_same_classes_is_the_same_function(source, new):
    old, folder = source
    report = take(new, folder, ["c", "a", "b"])
    assert "3 of 3 rows by name" in report and "power" not in report
    z, y = inputs()
    order = tf.gather(y, [2, 0, 1], axis=1)
    np.testing.assert_allclose(
        new.generator(z, order), old.generator(z, y), atol=1e-6
    )
    for a, b in zip(scores(old, y), scores(new, order), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("own", "count", "names", "stored", "rows", "words"),
    [
        (["x"], 1, ["y"], 1, {0: 0}, "the one row"),
        (["x", "y"], 1, ["y", "z"], 1, {0: 0}, "the one row"),
        (["x", "y"], 2, None, 2, {0: 0, 1: 1}, "by position"),
        (["x", "y"], 2, None, 3, {}, "no classes.json"),
        (["x", "y"], 1, ["x", "y"], 2, {}, "this run is not conditioned"),
        (["x", "y"], 2, ["x", "y"], 1, {}, "the source is not conditioned"),
        (["x", "y"], 2, ["video"], 1, {}, "0 of 2 rows by name"),
        (["x", "y"], 2, ["y"], 1, {1: 0}, "1 of 2 rows by name, 1 new (x)"),
        (["y"], 1, ["x", "y"], 2, {0: 1}, "1 of 1 rows by name"),
        (["y"], 2, ["x", "y"], 2, {0: 1}, "1 of 2 rows by name, 1 new (class"),
    ],
)
def test_which_rows_are_taken(own, count, names, stored, rows, words):
    found = class_rows.matched_rows(own, count, names, stored)
    assert found[0] == rows and words in found[1]


def with_frames(num_frames, **changes):
    generator = tiny.NETWORKS["generator"]
    return tiny.trainer(
        generator=functools.partial(generator, num_frames=num_frames),
        seed=9,
        **changes,
    )


@pytest.mark.parametrize("frames", [2, 6])
def test_other_numbers_of_frames(source, frames):
    old, folder = source
    new = with_frames(frames)
    report = take(new, folder)
    kept = [0, 1, 2, 3, 3, 3][:frames]
    for name in ("generator", "ema_generator"):
        a, b = getattr(old, name), getattr(new, name)
        count = 2 * len(b.batch_norms())
        words = f"{count} statistics [T, C] fitted (4 -> {frames} frames)"
        assert words in group(report, name)
        for x, y in zip(a.batch_norms(), b.batch_norms(), strict=True):
            for key in ("moving_mean", "moving_variance"):
                expected = getattr(x, key).numpy()[kept]
                found = getattr(y, key).numpy()
                np.testing.assert_array_equal(found, expected)
    # Frames do not depend on later ones, nor on how many there are.
    z, y = inputs()
    shared = min(frames, tiny.FRAMES)
    np.testing.assert_allclose(
        new.generator(z, y)[:, :shared],
        old.generator(z, y)[:, :shared],
        atol=1e-6,
    )
    # D does not depend on the frames at all.
    words = "variables taken; class_embedding: 3 of 3 rows by name"
    assert group(report, "spatial_discriminator").endswith(words)


@pytest.mark.parametrize("form", ["both", "both.tar.gz"])
def test_from_a_module_with_discriminators(source, module, form, new):
    old, _ = source
    folder, made = module
    report = take(new, folder / form)
    assert "initialised" not in report and "left out" not in report
    assert f"the module {folder / form}" in report
    z, y = inputs()
    expected = made({"z": z, "y": y, "truncation": tf.constant(1.0)})
    assert float(tf.math.reduce_std(expected)) > 0.05
    for network in (new.generator, new.ema_generator):
        found = network(z, y)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    for a, b in zip(scores(old, y), scores(new, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    for network in new.networks:
        for weight in spectral_weights(network):
            np.testing.assert_allclose(weight.sigma(), 1.0, atol=1e-4)


def test_from_a_module_without_discriminators(module, new):
    folder, _ = module
    fresh = tiny.values(new)
    report = take(new, folder / "generator")
    for name in ("spatial_discriminator", "temporal_discriminator"):
        lines = group(report, name)
        assert lines == "new: it is not stored there"
        for path, value in tiny.values(new).items():
            if path.startswith(name):
                np.testing.assert_array_equal(value, fresh[path])
    assert "power iterations" in group(report, "ema_generator")


def test_what_does_not_fit_is_as_initialised(source, tmp_path):
    _, folder = source
    spatial = functools.partial(
        tiny.NETWORKS["spatial_discriminator"], channel_multipliers=(1, 3)
    )
    new = tiny.trainer(spatial_discriminator=spatial, seed=9)
    fresh = tiny.values(new)
    report = take(new, folder)
    found = tiny.values(new)
    stored = tiny.values(source[0])
    path = "spatial_discriminator/4x4_block1/conv1/kernel"
    assert found[path].shape == (3, 3, 2, 6)
    # A vector goes with its weight only.
    for name in (path, f"{path}_u"):
        np.testing.assert_array_equal(found[name], fresh[name])
    first = "spatial_discriminator/8x8_block0/conv1/kernel"
    for name in (first, f"{first}_u"):
        np.testing.assert_array_equal(found[name], stored[name])
    lines = group(report, "spatial_discriminator")
    words = "4x4_block1/conv1/kernel ([3, 3, 2, 6] here, [3, 3, 2, 4] there)"
    assert words in lines
    assert "class_embedding: initialised: [3, 6] here, [3, 4] there" in lines


def test_variables_of_layers_that_are_not_here_are_left_out(tmp_path):
    plain, larger = (
        functools.partial(
            tiny.NETWORKS["temporal_discriminator"],
            ch=8,
            attention_resolutions=resolutions,
        )
        for resolutions in ((), (2,))
    )
    old = tiny.trainer(temporal_discriminator=larger)
    write_run(tmp_path, old)
    new = tiny.trainer(temporal_discriminator=plain, seed=9)
    lines = group(take(new, tmp_path), "temporal_discriminator")
    assert "initialised" not in lines
    assert "9 stored ones left out: 2x2_attention/g/kernel" in lines
    write_run(tmp_path / "plain", new)
    lines = group(take(old, tmp_path / "plain"), "temporal_discriminator")
    assert "5 initialised: 2x2_attention/" in lines
    assert "missing there" in lines


def test_without_names_rows_go_by_position(source, tmp_path, new):
    old, _ = source
    path = write_run(tmp_path, old, names=None)
    assert "3 rows by position" in take(new, path, ["x", "y", "z"])
    for name, variable in embeddings(new).items():
        expected = embeddings(old)[name].numpy()
        np.testing.assert_array_equal(variable.numpy(), expected)


def test_two_replicas(source):
    old, folder = source
    new = tiny.trainer(tiny.mirrored(), seed=9, num_classes=2)
    take(new, folder, ["c", "d"])
    for name, variable in embeddings(new).items():
        copies = tiny.mirrored().experimental_local_results(variable.value)
        assert len(copies) == 2
        for copy in copies:
            expected = embeddings(old)[name].numpy()[2]
            np.testing.assert_array_equal(copy.numpy()[0], expected)


# ----- Refusals -----


def test_nothing_of_g_fits(source, tmp_path, new):
    _, folder = source
    wide = functools.partial(tiny.NETWORKS["generator"], ch=3)
    with pytest.raises(ValueError, match="No weight fits") as error:
        take(tiny.trainer(generator=wide), folder)
    assert "\n" not in str(error.value) and "there)" in str(error.value)
    other = tf.train.Checkpoint(v=tf.Variable(1.0)).save(tmp_path / "other")
    with pytest.raises(ValueError, match="No weight fits"):
        take(new, other)


def test_what_is_not_there_or_is_something_else(tmp_path):
    cases = {
        tmp_path / "none": (FileNotFoundError, "There is no"),
        tmp_path: (ValueError, "is not a run's folder"),
        tmp_path / "text": (ValueError, "no readable archive"),
        tmp_path / "empty": (FileNotFoundError, "has no checkpoint yet"),
        tmp_path / "hollow": (ValueError, "There are no variables in"),
    }
    (tmp_path / "text").write_text("text")
    for folder, file in (
        ("empty", "operative_config.gin"),
        ("hollow", "saved_model.pb"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text("")
    for path, (kind, words) in cases.items():
        with pytest.raises(kind, match=words) as error:
            take(None, path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["cut", "removed"])
@pytest.mark.parametrize("kind", ["run", "module"])
def test_damaged_files(source, module, tmp_path, part, damage, kind, new):
    if kind == "run":
        path = write_run(tmp_path, source[0], steps=(6,))
        file = pathlib.Path(f"{path}.{part}")
    else:
        path = tmp_path
        (tmp_path / "variables").mkdir()
        (tmp_path / "saved_model.pb").write_text("")
        old = module[0] / "generator" / "variables"
        for copied in old.iterdir():
            (tmp_path / "variables" / copied.name).write_bytes(
                copied.read_bytes()
            )
        file = tmp_path / "variables" / f"variables.{part}"
    content = file.read_bytes()
    file.unlink()
    if damage == "cut":
        # What is last in these files is the graph of objects, not weights.
        file.write_bytes(content[: len(content) // 8])
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        take(new, path)
    assert "\n" not in str(error.value)
    assert damage == "removed" or "is damaged or" in str(error.value)


def test_damaged_classes(source, tmp_path, new):
    path = write_run(tmp_path, source[0])
    (tmp_path / "classes.json").write_text("[")
    with pytest.raises(ValueError, match="names of the classes cannot be read"):
        take(new, path)


def test_blocks_to_freeze_must_come_from_elsewhere(module):
    new = tiny.trainer(frozen_d_blocks=1)
    with pytest.raises(ValueError, match="missing there") as error:
        take(new, module[0] / "generator")
    assert "Trainer.frozen_d_blocks" in str(error.value)
    take(new, module[0] / "both")


# ----- In a run -----


def test_a_run_starts_and_resumes(source, trainer, tmp_path, capsys, eagerly):
    old, folder = source
    starts = []

    class Recording:
        """As `stored_weights.opened`, and counted."""

        def __call__(self):
            starts.append(1)
            return stored_weights.opened(str(folder))

    run = functools.partial(
        tiny.train, tmp_path, trainer, init_from=Recording()
    )
    trainer.optimizer_g.learning_rate.assign(0.0)
    assert run(num_steps=1) == 1
    out = capsys.readouterr().out
    assert out.count("Starting from the checkpoint") == 1
    np.testing.assert_array_equal(
        trainer.generator.seed.kernel.weight.numpy(),
        old.generator.seed.kernel.weight.numpy(),
    )
    (events,) = tmp_path.glob("events.*")
    texts = [
        value.tensor.string_val[0].decode()
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
        if value.tag == "init_from"
    ]
    assert len(texts) == 1 and "class_embedding: 3 of 3 rows" in texts[0]
    assert "init_from" not in (tmp_path / "operative_config.gin").read_text()
    assert run(num_steps=2) == 2
    out = capsys.readouterr().out
    assert "--init_from was for step 0 and is ignored." in out
    assert "Starting from" not in out and len(starts) == 1


def test_a_run_that_cannot_start_writes_nothing(trainer, tmp_path):
    workdir = tmp_path / "new"
    opened = functools.partial(stored_weights.opened, str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        tiny.train(workdir, trainer, 1, init_from=opened)
    assert not workdir.exists()
