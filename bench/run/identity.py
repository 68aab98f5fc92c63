"""What a job's outcome depends on, as a hash: a changed method is run again, a changed comment is not."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bench.errors import UsageError
from bench.methods.plugin_file import plugin_of
from bench.records.dataset import Holdout, IntArray, Splits
from bench.records.method import CPU

IDENTITY_FORMAT = 2
"""Raised when the meaning of a job's id changes, so that old ids no longer match."""

PROTOCOL_CODE = ("bench.protocols.selection",)
"""With what it imports, all code on the way of rows and labels: filling, standardising, division, selection, test."""

_FOLLOWED = ("rfm", "bench")
"""Packages in which imports are followed: what is used from there is part of the code."""

_WORDS_ONLY = ("bench.errors",)
"""Modules that decide what a message says, and no number."""

_NUMERICAL = ("numpy", "scipy", "sklearn", "torch")
"""Libraries whose version counts wherever a job's code imports them; the first two count in every job."""

_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


Trees: TypeAlias = tuple[tuple[str, ast.Module], ...]


@dataclass(frozen=True)
class Fingerprint:
    """What computes a job's outcome: the ``code``'s hash, and the ``versions`` of its libraries, major and minor."""

    code: str
    versions: dict[str, str]

    @property
    def words(self) -> str:
        """``numpy 2.4, torch 2.13``."""
        return ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))


def fingerprint(
    module: str, named: Iterable[str] = (), harness: Iterable[str] = PROTOCOL_CODE, device: str = CPU
) -> Fingerprint:
    """Of what ``module`` computes on ``device``, called by the ``harness``; ``named`` are further modules or packages
    of its own.

    The code is hashed as syntax trees without docstrings: all of the project's modules that these import, directly or
    not. Of libraries, those of :data:`_NUMERICAL` count that any of this code imports, and whatever else ``module``
    and ``named`` import themselves. Raises :class:`UsageError` for code whose source is not to be found.
    """
    own = {module, *named}
    code = own | _closure(own | set(harness))
    digest = hashlib.sha256()
    for name in sorted(code):
        plugin = plugin_of(name)  # its module's name changes with every comment
        digest.update(f"{plugin.title if plugin else name}={_module_hash(name)}\n".encode())
    roots = _roots(code) & set(_NUMERICAL) | _roots(own) | set(_NUMERICAL[:2])
    engine = {"rfm engine": _engine(device)} if "rfm.engines" in code else {}
    return Fingerprint(digest.hexdigest(), {**_versions(roots), **engine})


def _engine(device: str) -> str:
    """The engine that RFM's chains run on here on ``device``, with the version of its sources."""
    from rfm.engines import engine

    try:
        return engine(device).version
    except ValueError as error:
        raise UsageError(str(error)) from None


def imported_modules(module: str, named: Iterable[str] = ()) -> tuple[str, ...]:
    """Absolute imports anywhere in the code, inside functions too: what a process should have loaded."""
    own = _closure({module}) | set(named)
    found = {module for name in own for module, _ in _imports(name)}
    return tuple(sorted({*found, module} - {"__future__"}))


def job_ids(found: Fingerprint, **effective: Any) -> tuple[str, str]:
    """(id, id without the versions of libraries): sha256 over the canonical JSON of the effective configuration."""
    work = _hash({"format": IDENTITY_FORMAT, "code": found.code, **effective})
    return _hash({"work": work, "versions": found.versions}), work


def splits_hash(splits: Splits) -> str:
    """sha256 over all row numbers of the tuning halves and of every test fold, in order, and ``tuning_rows``."""
    start = splits.name + ("" if splits.tuning_rows is None else f"tuning_rows={splits.tuning_rows}")
    return _rows_hash(start, (rows for division in (splits.tuning, *splits.holdouts) for rows in _parts(division)))


def fold_hashes(splits: Splits) -> tuple[str, ...]:
    """sha256 of every test fold: its row numbers, those of the tuning halves, and ``tuning_rows``.

    Results on folds of one checksum, of tables of one checksum, can be compared whatever the divisions are called and
    however many more there are.
    """
    return tuple(
        _rows_hash(f"tuning_rows={splits.tuning_rows}", (*_parts(splits.tuning), *_parts(fold)))
        for fold in splits.holdouts
    )


def _parts(fold: Holdout) -> list[IntArray]:
    return [fold.train, fold.test, *([] if fold.validation is None else [fold.validation])]


def _rows_hash(start: str, parts: Iterable[IntArray]) -> str:
    digest = hashlib.sha256(start.encode())
    for rows in parts:
        digest.update(len(rows).to_bytes(8, "little"))
        digest.update(rows.astype("<i8").tobytes())
    return digest.hexdigest()


def _hash(parts: dict[str, Any]) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions(roots: set[str]) -> dict[str, str]:
    """Major and minor version of the distributions that provide these top-level modules, as far as they are known."""
    found = {}
    for root in roots:
        for name in _distributions(root):
            found[name] = ".".join(importlib.metadata.version(name).split(".")[:2])
    return found


@functools.cache
def _distributions(root: str) -> tuple[str, ...]:
    """Names of the installed distributions that provide a top-level module; none for what belongs to Python."""
    if root in sys.stdlib_module_names or root in _FOLLOWED:
        return ()
    name = _DISTRIBUTIONS.get(root, root)
    try:
        return (importlib.metadata.distribution(name).name,)
    except importlib.metadata.PackageNotFoundError:
        return tuple(sorted(set(importlib.metadata.packages_distributions().get(root, ()))))


def _roots(names: Iterable[str]) -> set[str]:
    return {module.partition(".")[0] for name in names for module, _ in _imports(name)}


def _closure(names: set[str]) -> set[str]:
    """``names`` and all of the project's modules that they import, directly or not."""
    seen: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        seen.add(name)
        found = {target for module, attribute in _imports(name) for target in _targets(module, attribute)}
        left |= {target for target in found if _counts(target)} - seen
    return seen


def _counts(name: str) -> bool:
    return name.partition(".")[0] in _FOLLOWED and name not in _WORDS_ONLY and _is_module(name)


def _targets(module: str, attribute: str) -> Iterator[str]:
    """The modules that ``from module import attribute`` takes code from."""
    if module.partition(".")[0] not in _FOLLOWED:
        return
    if attribute and _is_module(f"{module}.{attribute}"):
        yield f"{module}.{attribute}"
    elif attribute and _is_package(module) and (home := _home(module, attribute)):
        # A package that passes names on, perhaps only when they are asked for, is not followed with all its imports.
        yield from _targets(home, attribute)
    else:
        yield module


def _home(package: str, name: str) -> str:
    """The module from which ``package`` has ``name``; empty if it is its own."""
    for node in ast.walk(_trees(package)[0][1]):
        if isinstance(node, ast.ImportFrom) and node.module and name in (a.asname or a.name for a in node.names):
            return node.module
    return ""


def _imports(name: str) -> tuple[tuple[str, str], ...]:
    """The absolute imports in a module, inside functions too, as (module, imported name or nothing)."""
    return _imports_of(_trees(name))


@functools.cache
def _imports_of(trees: Trees) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for _, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [(alias.name, "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found += [(node.module, alias.name) for alias in node.names]
    return tuple(found)


def _module_hash(name: str) -> str:
    return _hash_of(_trees(name))


@functools.cache
def _hash_of(trees: Trees) -> str:
    digest = hashlib.sha256()
    for file, tree in trees:
        digest.update(file.encode())
        digest.update(ast.dump(_without_docstrings(tree)).encode())
    return digest.hexdigest()


def _trees(name: str) -> Trees:
    """Name and syntax tree of the files of a module, or of a package outside the project, in a fixed order.

    Of the files as they are now: in a notebook they may be edited between two runs, and the jobs' processes read them
    anew. A plug-in's content is what it was loaded from, whatever has become of its file since.
    """
    plugin = plugin_of(name)
    if plugin is not None:
        return _parsed_text(plugin.file, plugin.source)
    stamps = ((path, path.stat().st_mtime_ns, path.stat().st_size) for path in _source_files(name))
    return _parsed_files(tuple(stamps))


@functools.cache
def _parsed_files(stamps: tuple[tuple[Path, int, int], ...]) -> Trees:
    return tuple((path.name, ast.parse(path.read_bytes())) for path, _, _ in stamps)


@functools.cache
def _parsed_text(file: str, source: str) -> Trees:
    return ((file, ast.parse(source)),)


def _source_files(name: str) -> Iterator[Path]:
    origin = _origin(name)
    if origin is None or not origin.endswith(".py"):
        raise UsageError(f"the source of module {name!r} cannot be found, so its results cannot be identified")
    path = Path(origin)
    if path.name == "__init__.py" and name.partition(".")[0] not in _FOLLOWED:
        yield from sorted(path.parent.rglob("*.py"))
    else:
        yield path


@functools.cache
def _origin(name: str) -> str | None:
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is not None:
        return str(loaded)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a class or function, not a module
        spec = None
    return spec.origin if spec else None


def _is_module(name: str) -> bool:
    return name.partition(".")[0] in _FOLLOWED and _origin(name) is not None


def _is_package(name: str) -> bool:
    return (_origin(name) or "").endswith("__init__.py")


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A string that stands alone is documentation wherever it stands (attribute docstrings too).
            node.body = [item for item in node.body if not _is_string(item)]
    return tree


def _is_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
