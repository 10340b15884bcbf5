"""Writes pip's constraints for the lowest versions that setup.cfg allows.

    python -m tools.lowest_versions > lowest.txt
    python -m venv lowest && . lowest/bin/activate
    pip install -c lowest.txt -e '.[page,plot]' pytest scikit-learn
    python -m pytest tests/layers tests/metrics

What has no lower bound is left out, and pip takes its newest version.
"""

import configparser
import pathlib
import re
import sys

SETUP = pathlib.Path(__file__).parents[1] / "setup.cfg"

# A name, what it is installed with, and its bounds.
_REQUIREMENT = re.compile(r"([\w.-]+)(\[[\w,-]+\])?\s*(.*)")


def lowest(text: str) -> dict[str, str]:
    """Finds the lowest versions that a setup.cfg allows.

    Args:
        text: the file's text.

    Returns:
        {name of a package: version}, sorted by name.

    Raises:
        ValueError: two lines of the file name different lowest versions.
    """
    setup = configparser.ConfigParser()
    setup.read_string(text)
    groups = [setup["options"]["install_requires"]]
    groups += setup["options.extras_require"].values()
    found = {}
    for line in "\n".join(groups).splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, bounds = _REQUIREMENT.fullmatch(line).groups()
        bound = re.search(r"(?:>=|==)\s*([\w.]+)", bounds)
        if not bound:
            continue
        if found.setdefault(name, bound[1]) != bound[1]:
            raise ValueError(
                f"setup.cfg says {name}>={found[name]} and {name}>={bound[1]}."
            )
    return dict(sorted(found.items()))


def main() -> None:
    """Prints the constraints."""
    for name, version in lowest(SETUP.read_text()).items():
        sys.stdout.write(f"{name}=={version}\n")


if __name__ == "__main__":
    main()
