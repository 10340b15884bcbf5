"""Exported files: TensorFlow alone reads them, and says the same."""

import json
import tarfile

import forked
import numpy as np
import pytest
import tensorflow as tf

from dvdgan_tf import archives, config, export, files
from dvdgan_tf.exporting import (
    discriminator_module,
    saved_model,
    stablehlo,
    tflite,
)
from dvdgan_tf.generation.from_run import generator_module

# Loads an archive as a user without this package would; prints nothing else.
ALONE = """
import json, os, sys, tarfile
sys.modules["dvdgan_tf"] = None
import numpy as np, tensorflow as tf, tensorflow_hub as hub
archive, data = sys.argv[1:]
folder = data + ".module"
tarfile.open(archive).extractall(folder, filter="data")
inputs = {k: tf.constant(v) for k, v in np.load(data).items()}
out = {}
loaded = tf.saved_model.load(folder)
out["tf"], out["hub"] = loaded(inputs), hub.load(folder)(inputs)
layer = hub.KerasLayer(folder, trainable=True)
out["keras"] = layer(inputs)
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(layer(inputs) ** 2)
gradients = tape.gradient(loss, layer.trainable_variables)
assert gradients and all(g is not None for g in gradients)
ids = tf.argmax(inputs["y"], -1, tf.int32)
hot = {**inputs, "y": tf.one_hot(ids, 10)}
out["hot"] = loaded(hot)
out["ids"] = loaded.signatures["ids"](**{**inputs, "y": ids})["videos"]
out["default"] = loaded.signatures["default"](**inputs)["videos"]
scores = loaded.discriminators(
    {"videos": out["ids"], "y": ids, "seed": tf.constant([1, 2])})
out["scores"] = tf.stack([scores["spatial"], scores["temporal"]])
names = [os.path.basename(a.asset_path.numpy().decode())
         for a in loaded.assets]
assert json.loads(loaded.class_names().numpy()) == list("0123456789")
print(json.dumps(names))
np.savez(data + ".out.npz", **out)
"""


@pytest.fixture(scope="module")
def exported(run_folder, tmp_path_factory):
    """The module of a run and the folder of its SavedModel."""
    folder = tmp_path_factory.mktemp("exported")
    with config.of_run(run_folder[0]) as run:
        module = generator_module(run, (1.0, 0.5), standing_batches=1)
        saved_model.write(
            module,
            str(folder / "module"),
            run.class_names,
            module.facts,
            "CONFIG = 1",
            discriminator_module.of_run(run),
        )
    return module, folder


@pytest.fixture(scope="module")
def loaded(exported):
    """Its SavedModel as TensorFlow loads it."""
    return tf.saved_model.load(str(exported[1] / "module"))


def arrays(batch=3, truncation=0.7):
    random = np.random.default_rng(1)
    return {
        "z": (truncation * random.standard_normal((batch, 6))).astype("f"),
        "y": random.dirichlet(np.ones(10), batch).astype("f"),
        "truncation": np.float32(truncation),
    }


def test_tensorflow_and_hub_alone_say_the_same(exported):
    module, folder = exported
    archive, data = folder / "module.tar.gz", folder / "data.npz"
    archives.pack(str(folder / "module"), str(archive))
    np.savez(data, **arrays())
    result = forked.run(
        forked.script, ALONE, str(archive), str(data), cwd=folder
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert json.loads(result.stdout) == list(saved_model.ASSETS)
    expected = module({k: tf.constant(v) for k, v in arrays().items()})
    with np.load(f"{data}.out.npz") as out:
        for name in ("tf", "hub", "keras", "default"):
            np.testing.assert_allclose(out[name], expected, atol=1e-5)
        np.testing.assert_allclose(out["ids"], out["hot"], atol=1e-5)
        assert out["scores"].shape == (2, 3) and np.ptp(out["scores"]) > 0


def test_the_assets_say_what_it_is(exported):
    module, folder = exported
    assets = folder / "module" / "assets"
    assert json.loads((assets / "module.json").read_text()) == module.facts
    assert (assets / "operative_config.gin").read_text() == "CONFIG = 1"
    assert len(json.loads((assets / "classes.json").read_text())) == 10


def test_an_archive_names_no_user_and_is_the_same_again(exported):
    _, folder = exported
    first, second = folder / "a.tar.gz", folder / "b.tar.gz"
    for path in (first, second):
        archives.pack(str(folder / "module"), str(path))
    with tarfile.open(first) as archive:
        names = archive.getnames()
        assert {e.uid for e in archive} == {0}
        assert {e.uname for e in archive} == {""}
    # tfhub.dev's layout: no folder around it.
    assert "saved_model.pb" in names
    assert first.stat().st_size == second.stat().st_size


def test_signatures(loaded):
    assert set(loaded.signatures) == {
        "default",
        "serving_default",
        "ids",
        "discriminate",
    }
    _, default = loaded.signatures["default"].structured_input_signature
    assert {n: s.shape.as_list() for n, s in default.items()} == {
        "z": [None, 6],
        "y": [None, 10],
        "truncation": [],
    }
    outputs = loaded.signatures["default"].structured_outputs
    assert outputs["videos"].shape.as_list() == [None, 4, 32, 32, 3]
    outputs = loaded.signatures["discriminate"].structured_outputs
    assert set(outputs) == {"spatial", "temporal"}


@pytest.mark.parametrize(
    ("signature", "changes", "words"),
    [
        ("default", {"z": np.zeros((3, 5))}, "z must be float32 [B, 6], with"),
        ("default", {"y": np.zeros((3, 9))}, "y must be float32 [B, 10], with"),
        ("default", {"y": np.zeros((1, 10))}, "one B for z and y.] [Received:"),
        ("default", {"truncation": 0.0}, "from 0.5 to 1"),
        ("default", {"truncation": np.nan}, "from 0.5 to 1"),
        ("ids", {"y": [0, 1, 10]}, "ids from 0 to 9.] [Received:] [0 1 10]"),
        ("ids", {"y": [0, -1, 1]}, "ids from 0 to 9."),
        ("discriminate", {"videos": np.zeros((1, 4, 32, 31, 3))}, "32, 32, 3]"),
        ("discriminate", {"y": [10]}, "ids from 0 to 9."),
    ],
)
def test_signatures_say_what_is_wrong(loaded, signature, changes, words):
    """Signatures that are called by name check types alone by themselves."""
    call = loaded.signatures[signature]
    given = {
        "default": arrays(),
        "ids": {**arrays(), "y": [0, 1, 2]},
        "discriminate": {
            "videos": np.zeros((1, 4, 32, 32, 3)),
            "y": [1],
            "seed": [1, 2],
        },
    }[signature]
    types = call.structured_input_signature[1]
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        call(
            **{
                name: tf.constant(value, types[name].dtype)
                for name, value in {**given, **changes}.items()
            }
        )
    assert words in str(error.value)


def test_archives_of_a_folder_are_equal_to_the_byte(tmp_path):
    for name, mode in (("a", 0o600), ("b", 0o664)):
        (tmp_path / name / "inner").mkdir(parents=True)
        for file in ("one", "inner/two"):
            (tmp_path / name / file).write_text(file)
            (tmp_path / name / file).chmod(mode)
    packed = [tmp_path / f"{name}.tar.gz" for name in "ab"]
    for folder, path in zip("ab", packed, strict=True):
        archives.pack(str(tmp_path / folder), str(path))
    first, second = (path.read_bytes() for path in packed)
    assert first == second
    # RFC 1952: no name of a file, and time 0.
    assert first[:8] == b"\x1f\x8b\x08" + bytes(5)
    with tarfile.open(packed[0]) as archive:
        assert archive.getnames() == ["inner", "inner/two", "one"]


def test_an_archive_that_fails_leaves_nothing(
    command, run_folder, tmp_path, monkeypatch
):
    def fail(*_):
        raise OSError(28, "No space left on device", "somewhere")

    def write(module, folder, *_):
        (tmp_path / folder).mkdir()

    monkeypatch.setattr(saved_model, "write", write)
    monkeypatch.setattr(archives, "pack", fail)
    code, line = command(
        f"--workdir={run_folder[0]}",
        f"--output={tmp_path / 'module.tar.gz'}",
        "--truncations=1.0",
        "--standing_batches=0",
    )
    assert (code, line) == (2, "error: No space left on device: somewhere")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_or_left_half_done(exported, tmp_path):
    module, folder = exported
    with pytest.raises(FileExistsError, match="exists already"):
        saved_model.write(module, str(folder / "module"), [], {}, "")
    with pytest.raises(RuntimeError), files.new_folder(tmp_path / "a"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_stablehlo_runs_in_jax(exported, tmp_path):
    jax_module = pytest.importorskip(
        "tools.jax.jax_module", exc_type=ImportError
    )
    import jax

    module, _ = exported
    stablehlo.write(module, str(tmp_path / "s"), module.facts, batch_size=3)
    facts = json.loads((tmp_path / "s" / "sampler.json").read_text())
    artifact = (tmp_path / "s" / "sampler.mlir").read_bytes()
    given = arrays()
    with np.load(tmp_path / "s" / "weights.npz") as weights:
        values = [
            weights[x["weights"]] if "weights" in x else given[x["name"]]
            for x in facts["inputs"]
        ]
    types = [
        {"shape": list(v.shape), "dtype": v.dtype.name}
        for v in map(np.asarray, values)
    ]
    call = jax_module.as_function(artifact, types, facts["outputs"])
    (videos,) = jax.jit(call)(*values)
    expected = module({k: tf.constant(v) for k, v in given.items()})
    np.testing.assert_allclose(videos, expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter:UserWarning")
def test_tflite_runs_in_its_interpreter(exported, tmp_path):
    module, _ = exported
    path = str(tmp_path / "new" / "m.tflite")
    tflite.write(module, path, batch_size=3)
    with pytest.raises(FileExistsError, match="exists already"):
        tflite.write(module, path, batch_size=3)
    interpreter = tf.lite.Interpreter(path)
    interpreter.allocate_tensors()
    given = arrays()
    for detail in interpreter.get_input_details():
        name = detail["name"].split(":")[0].removeprefix("serving_default_")
        interpreter.set_tensor(detail["index"], given[name])
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    expected = module({k: tf.constant(v) for k, v in given.items()})
    videos = interpreter.get_tensor(output["index"])
    np.testing.assert_allclose(videos, expected, atol=1e-4)


@pytest.fixture
def command(capsys):
    """Runs the command; returns exit code and last line of its output."""

    def run(*args):
        try:
            export.main(list(args))
            code = 0
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        text = printed.out if code == 0 else printed.err
        assert "Traceback" not in text
        return code, text.strip().splitlines()[-1]

    return run


def test_the_command(command, run_folder, tmp_path):
    output = str(tmp_path / "module.tar.gz")
    code, line = command(
        f"--workdir={run_folder[0]}",
        f"--output={output}",
        "--truncations=1.0",
        "--standing_batches=0",
        "--step=10",
    )
    assert (code, line) == (0, f"Exported: {output}")
    assert [p.name for p in tmp_path.iterdir()] == ["module.tar.gz"]
    with tarfile.open(output) as archive:
        facts = json.load(archive.extractfile("assets/module.json"))
    assert facts["step"] == 10 and facts["standing_batches"] == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Name the --workdir"),
        (["--workdir=/nowhere"], "Name the --output"),
        (["--workdir=/nowhere", "--output=/tmp/no"], "no folder of a run"),
        (["--workdir=RUN", "--output=RUN"], "exists already"),
        (["--workdir=RUN", "--output=OUT", "--step=3"], "step 3"),
        (["--workdir=RUN", "--output=OUT", "--truncations=5"], "Levels of"),
        (["--workdir=RUN", "--output=OUT", "--truncations=a"], "be numbers"),
        (["--workdir=RUN", "--output=OUT", "--format=onnx"], "onnx"),
        (
            ["--workdir=RUN", "--output=O", "--format=tflite"]
            + ["--discriminators"],
            "saved_model only",
        ),
    ],
)
def test_mistakes_are_one_sentence(command, run_folder, tmp_path, args, words):
    args = [a.replace("RUN", run_folder[0]) for a in args]
    args = [a.replace("OUT", str(tmp_path / "out")) for a in args]
    code, line = command(*args)
    assert code == 2 and words in line and line.startswith("error: ")
    assert not list(tmp_path.iterdir())
