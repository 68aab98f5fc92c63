"""Which methods a run is about: ``--methods`` and ``--plugin`` together, and what is recorded of those not built in."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from bench.errors import UsageError, unknown_name
from bench.methods import get_method, known_methods, method_names, plugin_methods
from bench.methods.plugin_file import plugin_of
from bench.run.identity import imported_modules
from bench.run.jobs import NamedMethod

_OWN = {"bench", "rfm"}


def named_methods(words: str | None, plugins: Sequence[str] = ()) -> list[NamedMethod]:
    """The methods of ``--methods`` in the order given (None: all built-in ones), then those of the plug-in files.

    A file none of whose methods is named adds all of them; of a file with a method that is named, only those named
    count. Raises :class:`UsageError`.
    """
    offered: dict[str, NamedMethod] = {}
    files: list[list[str]] = []
    for path in plugins:
        found = [NamedMethod(spec, method) for spec, method in plugin_methods(path).items()]
        for named in found:
            if offered.get(named.method.name, named).spec != named.spec:
                raise UsageError(f"--plugin {path}: another plug-in has a method named {named.method.name!r} too")
        files.append([named.method.name for named in found])
        offered |= {named.method.name: named for named in found}
    specs = list(method_names()) if words is None else [word.strip() for word in words.split(",") if word.strip()]
    if not specs:
        raise UsageError("--methods names no method")
    specs += [name for names in files if not set(names) & set(specs) for name in names]
    methods = [offered[spec] if spec in offered else _known(spec, offered) for spec in dict.fromkeys(specs)]
    names = [m.method.name for m in methods]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--methods: two methods are both named {', '.join(twice)}")
    return methods


def _known(spec: str, offered: dict[str, NamedMethod]) -> NamedMethod:
    if spec.endswith(".py"):
        raise UsageError(f"--methods {spec}: the methods in a file are run with --plugin {spec}")
    if ":" not in spec and spec not in known_methods():
        raise unknown_name("method", spec, [*known_methods(), *offered])
    return NamedMethod(spec, get_method(spec))


def additions(methods: Sequence[NamedMethod]) -> dict[str, dict[str, Any]]:
    """Of each method that is not built in, by name: ``title``, ``origin`` (its file or module), ``libraries``.

    ``libraries`` are the versions of the installed distributions that its code imports.
    """
    record: dict[str, dict[str, Any]] = {}
    for named in methods:
        method = named.method
        if method.name in method_names():
            continue
        module = type(method).__module__
        plugin = plugin_of(module)
        record[method.name] = {
            "title": method.title,
            "origin": plugin.file if plugin else module,
            "libraries": _libraries(named),
        }
    return record


def _libraries(named: NamedMethod) -> dict[str, str]:
    distributions = importlib.metadata.packages_distributions()
    roots = {
        module.partition(".")[0] for module in imported_modules(type(named.method).__module__, named.method.code)
    } - _OWN
    names = sorted({name for root in roots for name in distributions.get(root, ())})
    return {name: importlib.metadata.version(name) for name in names}
