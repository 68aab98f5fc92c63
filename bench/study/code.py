"""The version of the code behind a kind of cell: a hash over its module and the project's modules that it imports."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path

from bench.errors import UsageError

FOLLOWED = ("rfm.", "bench.study.", "bench.methods.")
"""Where imports are followed: what a computation uses from there takes part in its results."""


def source_version(module: str) -> str:
    """sha256 over the syntax trees of :func:`source_modules`; comments and layout do not count."""
    digest = hashlib.sha256()
    for name in sorted(source_modules(module)):
        digest.update(f"{name}={hashlib.sha256(ast.dump(_tree(name)).encode()).hexdigest()}\n".encode())
    return digest.hexdigest()


def source_modules(module: str) -> set[str]:
    """``module`` and all that it imports from :data:`FOLLOWED`, directly or not."""
    seen: set[str] = set()
    left = {module}
    while left:
        name = left.pop()
        seen.add(name)
        left |= _imported(name) - seen
    return seen


def _imported(name: str) -> set[str]:
    found = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            candidates = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if f"{node.module}." in FOLLOWED:
                candidates += [_home(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        else:
            continue
        for module in candidates:
            if module.startswith(FOLLOWED) and _file(module) is not None:
                found |= {module, *_packages(module)}
    return found


def _packages(module: str) -> set[str]:
    """The packages below the roots of :data:`FOLLOWED` whose code runs when ``module`` is imported."""
    parts = module.split(".")
    parents = (".".join(parts[:end]) for end in range(1, len(parts)))
    return {parent for parent in parents if parent.startswith(FOLLOWED)}


def _home(package: str, name: str) -> str:
    """The module from which ``package`` has ``name``.

    A package that imports its names when they are first asked for says where they are to the type checker alone, so
    its own syntax tree is read; all of its imports are not followed, as one name would take the others along.
    """
    for node in ast.walk(_tree(package)):
        if isinstance(node, ast.ImportFrom) and node.module and name in (a.asname or a.name for a in node.names):
            return node.module
    return f"{package}.{name}"


@functools.cache
def _tree(name: str) -> ast.Module:
    file = _file(name)
    if file is None:
        raise UsageError(f"the source of module {name!r} is not to be found, so its results cannot be identified")
    return ast.parse(file.read_bytes())


@functools.cache
def _file(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a class or function, not a module
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None and spec.origin.endswith(".py") else None
