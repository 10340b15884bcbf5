"""What the README and the docs point at is there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
# It also names what has moved or gone.
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]

# Rooms and modules may be named from inside of the package.
BASES = (ROOT, ROOT / "dvdgan_tf")


def name(page):
    return str(page.relative_to(ROOT))


def prose(page):
    """A page without its indented and its fenced code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    return re.sub(r"^    .*$", "", text, flags=re.M)


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("page", CURRENT, ids=name)
def test_files_that_are_named_exist(page):
    named = re.findall(
        r"`([\w/]+/(?:[\w.]+\.(?:py|gin|md|jsonl|ipynb))?)`", prose(page)
    )
    rooms = {path.name for base in BASES for path in base.iterdir()}
    # TF-Hub's repository has a folder of that name, too.
    rooms -= {"assets"}
    for path in named:
        if path.split("/")[0] in rooms:
            assert any((base / path).exists() for base in BASES), path


@pytest.mark.parametrize("page", CURRENT, ids=name)
def test_gin_files_and_tools_of_commands_exist(page):
    text = page.read_text()
    for path in re.findall(r"--gin_file=(gin/\S+\.gin)", text):
        assert (ROOT / path).is_file(), path
    for module in re.findall(r"python -m (tools\.[\w.]+\w)", text):
        path = ROOT / module.replace(".", "/")
        program = path / "__main__.py" if path.is_dir() else f"{path}.py"
        assert pathlib.Path(program).is_file(), module


def test_the_readme_fits_its_150_lines():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
