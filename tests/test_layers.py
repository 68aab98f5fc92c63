"""Imports run one way, and what only reads results does not load what computes them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

LAYERS = [
    {"rfm", "bench.errors", "bench.records", "bench.seeds"},
    {"bench.files", "bench.protocols"},
    {"bench.data", "bench.methods", "bench.stats", "bench.store"},
    {"bench.command_line", "bench.examples", "bench.report", "bench.run"},
    {"bench.study"},
    {"bench.cli"},
]
"""The floors from the lowest up: a package imports lower ones, and nothing of its own floor but itself."""

COMPUTES = {"torch", "sklearn", "xgboost", "rfm"}
FIGURES = {"matplotlib"}
SERVICES = {"openml", "requests", "pyarrow"}
LIGHT = [
    ("bench.data.sources bench.cli.list bench.cli.run bench.cli.fetch", COMPUTES | FIGURES | SERVICES),
    ("bench.report.build bench.cli.report bench.study.lin_rfm.findings", COMPUTES | FIGURES),
    ("bench.protocols bench.stats bench.report bench.files bench.store bench.command_line", COMPUTES),
    ("bench.cli.export bench.cli.notebook bench.cli.status bench.cli.validate bench.cli.study", COMPUTES),
    ("bench.study.report bench.study.low_rank.findings bench.study.ansatz.findings", COMPUTES),
    ("bench.study.phenomena.findings", COMPUTES),
    ("rfm.sweep", {"sklearn"}),
]
"""Modules, and what they do not load; in this order, as a library that is loaded once stays loaded."""


def modules() -> dict[str, Path]:
    """All modules of both packages by dotted name."""
    found = {}
    for package in ("rfm", "bench"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(name: str, path: Path) -> Iterator[str]:
    """Dotted names that a module imports anywhere, type-checking blocks and functions included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def layer(name: str) -> int | None:
    """The layer of a dotted name; None for what lies outside them (other packages, ``bench`` itself)."""
    for level, members in enumerate(LAYERS):
        if any(name == member or name.startswith(f"{member}.") for member in members):
            return level
    return None


MODULES = modules()


def above(name: str, imported: str) -> bool:
    """Whether ``imported`` is of a higher layer than ``name``, or of another package of the same."""
    own, floor = layer(name), layer(imported)
    if own is None or floor is None:
        return False
    return floor > own or (floor == own and room(imported) != room(name))


def room(name: str) -> str:
    """The package or module below ``bench``; ``rfm`` is one."""
    return name.split(".")[0] if name.startswith("rfm") else ".".join(name.split(".")[:2])


def test_no_module_imports_a_layer_above_its_own() -> None:
    homeless = {name for name in MODULES if layer(name) is None} - {"bench", "bench.__main__"}
    assert not homeless, "without a layer: give them one here, or move them into one"
    wrong = {(name, target) for name, path in MODULES.items() for target in imports(name, path) if above(name, target)}
    assert not wrong


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Neither directly nor by way of others, wherever in a module an import stands."""
    known = set(MODULES)
    graph = {name: {i for i in imports(name, path) if i in known} - {name} for name, path in MODULES.items()}
    for name in graph:  # a package whose submodule is imported by name is run, but nothing is taken from it
        graph[name] = {target for target in graph[name] if not any(i.startswith(f"{target}.") for i in graph[name])}
    left = dict(graph)
    while free := [name for name, targets in left.items() if not targets & set(left)]:
        for name in free:
            del left[name]
    assert not left, f"among these is a circle: {sorted(left)}"


def test_the_numerical_library_knows_neither_harness_nor_files_nor_printing() -> None:
    foreign = {"bench", "os", "sys", "pathlib", "io", "json", "yaml", "pickle", "logging", "subprocess"}
    wrong = {}
    for name, path in MODULES.items():
        if name.split(".")[0] == "rfm":
            calls = (node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))
            called = {function.id for function in calls if isinstance(function, ast.Name)}
            roots = {imported.split(".")[0] for imported in imports(name, path)}
            wrong[name] = (roots & foreign) | (called & {"print", "open", "input"})
    assert wrong.pop("rfm.engines") == {"os"}, "a variable of the environment may ask for an engine"
    assert not {name: found for name, found in wrong.items() if found}


def test_what_does_not_need_a_library_does_not_load_it() -> None:
    heavy = {name: libraries for names, libraries in LIGHT for name in names.split()}
    code = "".join(f"import {name}; print(*{{name.split('.')[0] for name in sys.modules}})\n" for name in heavy)
    command = [sys.executable, "-c", f"import sys\n{code}"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    loaded = dict(zip(heavy, map(set, map(str.split, process.stdout.splitlines())), strict=True))
    assert "torch" in loaded["rfm.sweep"]
    assert not {name: found for name in heavy if (found := loaded[name] & heavy[name])}, "the first of them does"


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    """The tests above rest on this reading of a module."""
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b as c\n"
        "from bench.run import jobs\n"
        "from . import sibling\n"
        "from ..report.html import render\n"
        "def late():\n    from rfm.sweep import Sweep\n"
    )
    found = set(imports("bench.data.module", path))
    assert {"a.b", "bench.run.jobs", "bench.data.sibling", "bench.report.html", "rfm.sweep"} <= found
    named = ("rfm.sweep", "bench.data.tar", "bench.cli", "numpy", "rfmish")
    assert [layer(name) for name in named] == [0, 2, 5, None, None]
