"""What a job's outcome depends on, as a hash: a changed method is run again, a changed comment is not."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.methods.plugin_file import plugin_of
from bench.records.dataset import Splits
from bench.records.method import Method

HARNESS_CODE = ("bench.records.method", "bench.protocols", "bench.seeds")
"""Modules that take part in every result: what hands out rows and labels, chooses and scores."""

FOLLOWED = ("rfm.", "bench.methods.")
"""Where imports are followed: what a method uses from there is part of its code."""

IDENTITY_FORMAT = 1
"""Raised when the meaning of a job's id changes, so that old ids no longer match."""


def job_id(
    *,
    method: str,
    configurations: list[dict[str, Any]],
    code: str,
    protocol: str,
    seed: int,
    splits: str,
    table: str,
) -> str:
    """sha256 over the canonical JSON of the effective configuration; ``splits`` and ``table`` are hashes themselves."""
    effective = {
        "format": IDENTITY_FORMAT,
        "method": method,
        "configurations": configurations,
        "code": code,
        "protocol": protocol,
        "seed": seed,
        "splits": splits,
        "table": table,
    }
    text = json.dumps(effective, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def splits_hash(splits: Splits) -> str:
    """sha256 over the row numbers of the tuning halves and of every hold-out, in order, and ``tuning_rows``."""
    digest = hashlib.sha256(splits.name.encode())
    if splits.tuning_rows is not None:
        digest.update(f"tuning_rows={splits.tuning_rows}".encode())
    for division in (splits.tuning, *splits.holdouts):
        for rows in (division.train, division.test):
            digest.update(len(rows).to_bytes(8, "little"))
            digest.update(rows.astype("<i8").tobytes())
    return digest.hexdigest()


def code_version(method: Method) -> str:
    """sha256 over the syntax trees (docstrings, comments and layout dropped) of all code behind ``method``'s results.

    That is the method's own module and :data:`HARNESS_CODE`, with what they import from :data:`FOLLOWED` packages,
    directly or not, and the modules and packages that the method names in ``code``.
    """
    digest = hashlib.sha256()
    for name in sorted(_closure({type(method).__module__, *HARNESS_CODE}) | set(method.code)):
        plugin = plugin_of(name)  # its module's name changes with every comment
        digest.update(f"{plugin.title if plugin else name}={_module_hash(name)}\n".encode())
    return digest.hexdigest()


def imported_modules(method: Method) -> tuple[str, ...]:
    """Absolute imports anywhere in the method's own code, inside functions too: what a worker should have loaded."""
    own = _closure({type(method).__module__}) | set(method.code)
    found = {module for name in own for module, _ in _imports(name)}
    return tuple(sorted(found - {"__future__"}))


def _closure(names: set[str]) -> set[str]:
    """``names`` and all modules of the :data:`FOLLOWED` packages that they import, directly or not."""
    seen: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        seen.add(name)
        for module, attribute in _imports(name):
            submodule = f"{module}.{attribute}"
            target = submodule if attribute and _is_module(submodule) else module
            if target.startswith(FOLLOWED) and target not in seen:
                left.add(target)
    return seen


@functools.cache
def _imports(name: str) -> tuple[tuple[str, str], ...]:
    """The absolute imports in a module, inside functions too, as (module, imported name or nothing)."""
    found: list[tuple[str, str]] = []
    for _, source in _sources(name):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found += [(alias.name, "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found += [(node.module, alias.name) for alias in node.names]
    return tuple(found)


def _is_module(name: str) -> bool:
    if not name.startswith(FOLLOWED):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@functools.cache
def _module_hash(name: str) -> str:
    digest = hashlib.sha256()
    for file, source in _sources(name):
        digest.update(file.encode())
        digest.update(ast.dump(_without_docstrings(ast.parse(source))).encode())
    return digest.hexdigest()


def _sources(name: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of the ``.py`` files of a module, or of a whole package, in a fixed order.

    A plug-in's content is what it was loaded from, whatever has become of its file since.
    """
    plugin = plugin_of(name)
    if plugin is not None:
        yield plugin.file, plugin.source.encode()
        return
    for path in _source_files(name):
        yield path.name, path.read_bytes()


def _source_files(name: str) -> Iterator[Path]:
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        origin = spec.origin if spec else None
    if origin is None or not origin.endswith(".py"):
        raise UsageError(f"the source of module {name!r} is not to be found, so its results cannot be identified")
    path = Path(origin)
    if path.name == "__init__.py":
        yield from sorted(path.parent.rglob("*.py"))
    else:
        yield path


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A string that stands alone is documentation wherever it stands (attribute docstrings too).
            node.body = [item for item in node.body if not _is_string(item)]
    return tree


def _is_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
