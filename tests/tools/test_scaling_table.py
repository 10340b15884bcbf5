"""The tables of docs/scaling.md are those of the tool, by hand for a part."""

import pathlib

import gin
import pytest

from tools.flops import scaling_table

ROOT = pathlib.Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "scaling.md").read_text()
CONFIGURATIONS = [
    path
    for path in sorted((ROOT / "gin").glob("k600_*.gin"))
    # Those with a protocol are of evaluation.
    if "Protocol" not in path.read_text()
]


@pytest.fixture(autouse=True)
def _clean():
    yield
    gin.clear_config()


def test_every_configuration_is_there():
    assert len(CONFIGURATIONS) == 7


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda p: p.stem)
def test_the_tables_of_the_documentation(path):
    tables = scaling_table.rows(scaling_table.Configuration(str(path)))
    assert len(tables) == 4
    for cells in tables.values():
        row = f"| `{path.stem}` | {' | '.join(cells)} |"
        assert row in DOCS


def test_k600_64_by_hand():
    """Widths 1024, 1024, 1024, 512, 256 at 4, 8, 16, 32; 12 frames."""
    c = scaling_table.Configuration(str(ROOT / "gin" / "k600_64.gin"))
    kept = (
        16 * 3 * 1024 + 64 * 2 * 1024,
        64 * 3 * 1024 + 256 * 2 * 1024,
        256 * 3 * 1024 + 1024 * 2 * 512,
        1024 * 3 * 512 + 4096 * 2 * 256,
    )
    assert c.values() == 12 * sum(kept)
    channels = 3 * (1024 * 3 + 512) + 1024 * 2 + 512 + 256 + 256
    assert c.moments() == 4 * 2 * 4 * 12 * channels
    assert c.reductions() == 4 * 17 + 3


def test_prediction_keeps_the_encoder_as_well():
    """Of 5 given frames, blocks of D's widths; the last map makes a state."""
    path = ROOT / "gin" / "k600_prediction_64.gin"
    c = scaling_table.Configuration(str(path))
    used = [1024 * 256, 256 * 512, 64 * 1024, 16 * 2048]
    states = 16 * 1024 + 64 * 1024 + 256 * 1024 + 1024 * 512
    synthesis = scaling_table.Configuration(str(ROOT / "gin" / "k600_64.gin"))
    expected = synthesis.values() * 11 // 12
    # Of the two blocks that end at 4x4 the first one's map is kept, too.
    expected += 5 * (2 * sum(used) + 16 * 2048) + states
    assert c.values() == expected
