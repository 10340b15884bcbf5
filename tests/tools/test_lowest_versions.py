"""The constraints that a CI job installs, made of the lower bounds."""

import re

import pytest

from tools.lowest_versions import SETUP, lowest

TEXT = """
[options]
install_requires =
    a-b>=1.2
    # A comment>=3.
    c
    d[x,y]>=2.20, <2.22
    e<81
[options.extras_require]
one =
    f==3.1
two =
    a-b>=1.2
"""


def test_lower_bounds_become_versions():
    assert lowest(TEXT) == {"a-b": "1.2", "d": "2.20", "f": "3.1"}


def test_two_bounds_of_one_package():
    with pytest.raises(ValueError, match=r"a-b>=1\.2 and a-b>=1\.3"):
        lowest(f"{TEXT}three =\n    a-b>=1.3\n")


def test_all_that_a_user_installs_has_a_lower_bound():
    needed = SETUP.read_text().partition("install_requires =")[2]
    needed = needed.partition("[options.entry_points]")[0]
    names = set(re.findall(r"^    ([\w-]+)", needed, re.MULTILINE))
    assert len(names) > 10 and names <= set(lowest(SETUP.read_text()))
