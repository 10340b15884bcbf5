"""Who may import whom, and what an import costs."""

import ast
import graphlib
import pathlib
import subprocess
import sys

import pytest

from dvdgan_tf.__main__ import COMMANDS

ROOT = pathlib.Path(__file__).parents[1] / "dvdgan_tf"
MODULES = {
    ".".join(("dvdgan_tf", *path.relative_to(ROOT).with_suffix("").parts)): path
    for path in ROOT.rglob("*.py")
    if path.name != "__init__.py"
}

# The commands, what they share, and config, which registers all that gin
# files name.
SHARED = {
    "config",
    "command_line",
    "devices",
    "errors",
    "gin_files",
    "gin_statements",
    "quiet",
}
ROOTS = SHARED | {"__main__", *COMMANDS}

# Every room may import them; they import nothing of the project.
EVERYWHERE = {
    "arrays",
    "files",
    "frame_size",
    "plain_text",
    "progress_bar",
    "run_folder",
}

# Sub-package: what else of dvdgan_tf it may import, itself included.
ALLOWED = {
    "layers": {"layers"},
    "networks": {"networks", "layers"},
    "video": {"video"},
    "data": {"data"},
    "preparation": {"preparation", "data", "video"},
    "regularization": {"regularization"},
    "training": {
        "training",
        "regularization",
        "generation",
        "layers",
        "named_variables",
        "video",
    },
    "generation": {
        "generation",
        "data",
        "layers",
        "named_variables",
        "video",
    },
    "metrics": {"metrics"},
    "features": {"features", "video"},
    "evaluation": {"evaluation", "metrics", "generation", "video"},
    "exporting": {"exporting", "generation", "layers", "named_variables"},
    "sampling": {"sampling", "archives", "config", "generation", "video"},
    "page": {"page", "sampling", "video"},
    "publishing": {"publishing", "archives", "exporting", "sampling", "video"},
    "plotting": {"plotting"},
    "arrays": set(),
    "files": set(),
    "frame_size": set(),
    "plain_text": set(),
    "run_folder": set(),
    "archives": set(),
    "named_variables": set(),
    "stored_weights": {"archives", "named_variables"},
}


def imports(path):
    """Absolute names of everything that a file imports, where possible."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path.name}"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def own_imports(name):
    return {n for n in imports(MODULES[name]) if n.startswith("dvdgan_tf.")}


def part(name):
    return name.split(".")[1]


def test_there_is_something_to_check():
    assert {part(n) for n in MODULES} >= {"layers", "networks", "training"}
    assert own_imports("dvdgan_tf.networks.generator")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_sub_packages_import_only_what_they_may(name):
    if part(name) in EVERYWHERE:
        assert not own_imports(name)
    elif part(name) in ROOTS:
        return_of = {part(n) for n in own_imports(name)}
        assert not return_of & (ROOTS - SHARED)
    else:
        found = {part(n) for n in own_imports(name)}
        assert found <= ALLOWED[part(name)] | EVERYWHERE


def test_there_is_no_circle():
    graph = {}
    for name in MODULES:
        others = {part(n) for n in own_imports(name)} - {part(name)}
        graph.setdefault(part(name), set()).update(others)
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("generation") < order.index("sampling")


@pytest.mark.parametrize("name", sorted(EVERYWHERE))
def test_what_all_may_import_costs_nothing(name):
    found = {n.split(".")[0] for n in imports(MODULES[f"dvdgan_tf.{name}"])}
    # The one that reads checkpoints imports it in the function that does.
    late = {"run_folder": {"tensorflow"}, "arrays": {"numpy"}}
    more = late.get(name, set())
    assert found - more <= {*sys.stdlib_module_names, "tqdm"}
    code = (
        f"import sys, dvdgan_tf.{name};assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)


def test_generator_and_discriminators_do_not_import_each_other():
    generator = own_imports("dvdgan_tf.networks.generator")
    discriminators = own_imports("dvdgan_tf.networks.discriminators")
    assert not any("discriminators" in n for n in generator)
    assert not any("generator" in n for n in discriminators)


@pytest.mark.parametrize(
    "name", sorted(name for name in MODULES if part(name) not in ROOTS)
)
def test_gin_only_where_something_is_registered(name):
    imported = any(n.split(".")[0] == "gin" for n in imports(MODULES[name]))
    source = MODULES[name].read_text()
    registers = "@gin.register" in source or "@gin.configurable" in source
    assert imported == registers


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_flags_below_the_command_lines(name):
    if part(name) not in ROOTS:
        found = {n for n in imports(MODULES[name]) if n.startswith("absl")}
        assert found <= {"absl.logging"}
    assert not any(n.split(".")[0] == "tests" for n in imports(MODULES[name]))


def test_importing_the_package_does_not_import_tensorflow():
    code = (
        "import sys, dvdgan_tf; assert dvdgan_tf.__version__;"
        "print([m for m in sys.modules if m in ('tensorflow', 'keras')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT.parent,
    )
    assert result.stdout.strip() == "[]", result.stderr
