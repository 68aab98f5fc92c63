"""Methods that are not part of the package: from a file of the user's, or from an installed package's entry points.

A file's *source* is what counts. It is read once, when the command starts; its hash names the module that is made of
it; and the spec under which other processes find the method carries it, so that a worker, on this machine or on
another, runs exactly what the command was started with. For the same reason a plug-in is one file: what it imports must
be installed wherever it runs.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.metadata
import importlib.util
import inspect
import json
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from bench.errors import UsageError
from bench.records.method import Method

ENTRY_POINTS = "rfmbench.methods"
"""Group under which an installed package offers methods: ``name = "package.module:Class"``."""

SPEC_PREFIX = "plugin:"
MAX_BYTES = 1 << 20

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_loading = threading.Lock()
_WHATEVER = (Exception, SystemExit)
"""What a plug-in's code may raise: with a ``sys.exit()`` it would end the command as if all were done."""


@dataclass(frozen=True)
class PluginFile:
    """A file with methods: its name without the folder, and its text."""

    file: str
    source: str

    @property
    def module(self) -> str:
        """Name of the module made of it: another text makes another module, wherever it is loaded."""
        stem = re.sub(r"\W", "_", self.file.removesuffix(".py"))
        return f"plugin_{stem}_{hashlib.sha256(self.source.encode()).hexdigest()[:16]}"

    @property
    def title(self) -> str:
        """What it is called where its text is hashed apart."""
        return f"plugin {self.file}"

    def spec(self, class_name: str) -> str:
        """What :func:`method_from_spec` makes the method of, in any process."""
        return SPEC_PREFIX + json.dumps({**asdict(self), "class": class_name})

    def load(self) -> ModuleType:
        """The module, executed once a process. Raises :class:`UsageError` with the file's own error in it."""
        with _loading:
            if self.module in sys.modules:
                return sys.modules[self.module]
            spec = importlib.util.spec_from_loader(self.module, _Loader(self))
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[self.module] = module
            try:
                spec.loader.exec_module(module)  # type: ignore[union-attr]
            except _WHATEVER as error:
                del sys.modules[self.module]
                raise UsageError(f"plug-in {self.file} cannot be loaded: {_described(error)}") from error
            return module


class _Loader(importlib.abc.SourceLoader):
    """Gives a plug-in's text to Python, to tracebacks and to :func:`plugin_of`; nothing is read from disk again."""

    def __init__(self, plugin: PluginFile) -> None:
        self.plugin = plugin

    def get_filename(self, fullname: str) -> str:
        return self.plugin.file

    def get_data(self, path: str | bytes) -> bytes:
        return self.plugin.source.encode()


def plugin_of(module: str) -> PluginFile | None:
    """The file of which the loaded module of this name was made; None if it is an ordinary module."""
    loader = getattr(sys.modules.get(module), "__loader__", None)
    return loader.plugin if isinstance(loader, _Loader) else None


def read_plugin(path: str | Path) -> PluginFile:
    """The plug-in file at ``path``. Raises :class:`UsageError` if it is not one file of Python text."""
    path = Path(path).expanduser()
    if path.suffix != ".py":
        raise UsageError(f"plug-in {path}: expected a Python file, my_method.py")
    if path.exists() and not path.is_file():
        raise UsageError(f"plug-in {path}: not a file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"plug-in {path}: larger than {MAX_BYTES} bytes")
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, filename=path.name)
    except OSError as error:
        raise UsageError(f"plug-in {path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, ValueError, SyntaxError) as error:
        raise UsageError(f"plug-in {path}: not Python: {_described(error)}") from error
    for name in sorted(_imported(tree)):
        if _stands_next_to(path, name):
            raise UsageError(
                f"plug-in {path} imports {name!r}, a file next to it: a plug-in is one file, so that all of its "
                "code is part of its results' identity and reaches every worker. Put both into one file, or install "
                f"them as a package with an entry point in the group {ENTRY_POINTS!r}"
            )
    return PluginFile(path.name, source)


def methods_in_file(path: str | Path) -> dict[str, Method]:
    """The methods in the file at ``path`` by spec, in the order they are defined. Raises :class:`UsageError`."""
    plugin = read_plugin(path)
    classes = list(_method_classes(plugin.load()))
    if not classes:
        raise UsageError(
            f"plug-in {path} defines no method: a class derived from bench.methods.plugin.EstimatorMethod with a "
            "classifier() or a regressor(), or from bench.records.method.Method with all its abstract methods defined"
        )
    found = {plugin.spec(c.__name__): made(c, f"plug-in {path}") for c in classes}
    names = [method.name for method in found.values()]
    if len(set(names)) < len(names):
        raise UsageError(f"plug-in {path}: two of its methods have the same name: {', '.join(sorted(names))}")
    return found


def method_from_spec(spec: str) -> Method:
    """The method of :meth:`PluginFile.spec`. Raises :class:`UsageError` if its file cannot be loaded here."""
    content = json.loads(spec.removeprefix(SPEC_PREFIX))
    plugin = PluginFile(content["file"], content["source"])
    return made(getattr(plugin.load(), content["class"]), f"plug-in {plugin.file}")


def installed_names() -> tuple[str, ...]:
    """Names of the methods that installed packages offer. Nothing is imported."""
    return tuple(sorted({entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}))


def installed_method(name: str) -> Method:
    """The method that an installed package offers as ``name``. Raises :class:`UsageError`."""
    entries = list(importlib.metadata.entry_points(group=ENTRY_POINTS, name=name))
    if len({entry.value for entry in entries}) != 1:
        offered = ", ".join(sorted(entry.value for entry in entries)) or "none"
        raise UsageError(f"method {name!r}: expected one entry point in {ENTRY_POINTS!r}, found {offered}")
    entry = entries[0]
    where = f"method {name!r} ({entry.value})"
    try:
        found = entry.load()
    except _WHATEVER as error:
        raise UsageError(f"{where} cannot be loaded: {_described(error)}{_extra_hint(entry)}") from error
    method = made(found, where)
    if method.name != name:
        raise UsageError(f"{where} calls itself {method.name!r}: entry point and method must have one name")
    return method


def made(found: object, where: str) -> Method:
    """An instance of the method class ``found``, whose name, title and grid can be stored.

    Raises :class:`UsageError` naming ``where`` it comes from.
    """
    try:
        method = found() if isinstance(found, type) else found
    except _WHATEVER as error:
        raise UsageError(f"{where}: {getattr(found, '__name__', found)} cannot be made: {_described(error)}") from error
    if not isinstance(method, Method):
        raise UsageError(f"{where}: a {type(method).__name__}, not a bench.records.method.Method")
    kind = type(method).__name__
    for attribute in ("name", "title"):
        value = getattr(method, attribute, None)
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{where}: {kind} needs a text as its {attribute}, got {value!r}")
    if not _NAME.fullmatch(method.name):
        raise UsageError(f"{where}: {method.name!r} is not a valid method name: use letters, digits, '_', '.', '-'")
    if not method.kinds:
        raise UsageError(f"{where}: {kind} predicts nothing: give it a classifier() or a regressor()")
    try:
        json.dumps([method.configurations_for(predicted) for predicted in method.kinds], allow_nan=False)
    except _WHATEVER as error:
        raise UsageError(f"{where}: the grid of {kind} cannot be written as JSON: {_described(error)}") from error
    return method


def _method_classes(module: ModuleType) -> Iterator[type[Method]]:
    for value in vars(module).values():
        own = inspect.isclass(value) and issubclass(value, Method) and value.__module__ == module.__name__
        if own and value.kinds and not inspect.isabstract(value):
            yield value


def _imported(tree: ast.Module) -> set[str]:
    """Top-level names of all that is imported anywhere; a relative import counts as what it names."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or node.names[0].name).partition(".")[0]}
    return found


def _stands_next_to(path: Path, name: str) -> bool:
    """Whether ``import name`` would be served, if at all, by a file in the plug-in's own folder."""
    folder = path.resolve().parent
    candidates = [folder / f"{name}.py", folder / name / "__init__.py"]
    if not any(file.exists() for file in candidates):
        return False
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    return spec is None or spec.origin is None or Path(spec.origin).resolve() in candidates


def _extra_hint(entry: importlib.metadata.EntryPoint) -> str:
    """What a method needs, if its package has an extra of the method's name, and how to install it."""
    asked = entry.dist.requires or [] if entry.dist else []
    needed = [text.partition(";")[0].strip() for text in asked if f"extra == '{entry.name}'" in text.replace('"', "'")]
    return "; it needs: pip install " + " ".join(f"'{each}'" for each in needed) if needed else ""


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
