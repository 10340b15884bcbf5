"""Puts the folder gin/ into the package; all else is in setup.cfg.

In a checkout the configurations lie at the top, where readers look for them,
and in an installation in `dvdgan_tf/gin/`, which setup.cfg cannot say.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["dvdgan_tf*"]), "dvdgan_tf.gin"],
    package_dir={"dvdgan_tf.gin": "gin"},
)
