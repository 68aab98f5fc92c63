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
    """sha256 over the syntax trees of ``module`` and all that it imports from :data:`FOLLOWED`, directly or not.

    Comments and layout do not count.
    """
    seen: set[str] = set()
    left = {module}
    while left:
        name = left.pop()
        seen.add(name)
        left |= _imported(name) - seen
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(f"{name}={hashlib.sha256(ast.dump(_tree(name)).encode()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _imported(name: str) -> set[str]:
    found = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            candidates = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        else:
            continue
        found |= {module for module in candidates if module.startswith(FOLLOWED) and _file(module) is not None}
    return found


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
