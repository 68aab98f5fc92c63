"""Strict reading of a YAML file that nobody vouches for: plain data, every key typed, every unknown key an error.

Every scalar is read as the text that stands there, and its type is the one that the key asks for: ``no``, ``on``, ``3``
and ``2024-01-31`` are texts where a text is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import yaml
from msgspec import Meta
from msgspec import inspect as types

from bench.errors import RegistryError, one_line, unknown_name

MAX_BYTES = 4 << 20
MAX_DEPTH = 16

Kind = TypeVar("Kind")
Text = Annotated[str, Meta(pattern=r"\S", title="text")]
FileName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", title="a plain file name")]
SHA256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z", title="64 hexadecimal digits")]
Positive = Annotated[int, Meta(ge=1, title="a whole number of at least 1")]
Several = Annotated[int, Meta(ge=2, title="a whole number of at least 2")]


def read_yaml(path: Path) -> Any:
    """What the file at ``path`` says, in mappings, lists and texts: no key twice, no aliases or tags, no deep nesting.

    Raises :class:`RegistryError` naming the file, in one line, and :class:`OSError`.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise RegistryError(f"{path}: {size} bytes; such a file has at most {MAX_BYTES}")
    try:
        parsed = yaml.parse(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        events = (event for event in parsed if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent))
        first = next(events, None)
        content = None if first is None else _built(first, events, depth=1)
        if (second := next(events, None)) is not None:
            raise _refused(second, "a second document")
    except (yaml.YAMLError, ValueError) as error:
        raise RegistryError(f"{path}: not a readable YAML file: {one_line(error)}") from error
    return content


def convert(content: Any, kind: type[Kind], where: str, name: str | None = None) -> Kind:
    """``content`` as a ``kind``, whose field ``name`` is not in the content but the given one, if any.

    Raises :class:`RegistryError` naming the place in the file (``where``) and the key.
    """
    given = {} if name is None else {"name": name}
    if isinstance(content, dict):
        if given.keys() & content.keys():
            raise RegistryError(f"{where}: unknown key 'name'; it is called {name!r} already")
        content = content | given
    try:
        return msgspec.convert(content, kind, strict=False)
    except msgspec.ValidationError as error:
        raise RegistryError(_in_words(error, kind, content, where, given.keys())) from error


def _built(event: Any, events: Iterator[Any], depth: int) -> Any:
    """The value that begins with ``event``.

    Aliases would let a file of a few lines grow to gigabytes, and depth overflow the stack.
    """
    if isinstance(event, yaml.AliasEvent):
        raise _refused(event, f"YAML aliases (*{event.anchor}) are refused; write the value out")
    if event.tag:
        raise _refused(event, f"tags ({event.tag}) are refused; write plain text")
    if isinstance(event, yaml.ScalarEvent):
        return event.value
    if depth > MAX_DEPTH:
        raise _refused(event, f"nested deeper than {MAX_DEPTH} levels")
    inner = takewhile(lambda event: not isinstance(event, yaml.CollectionEndEvent), events)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_built(item, events, depth + 1) for item in inner]
    mapping: dict[str, Any] = {}
    for item in inner:
        key = _built(item, events, depth + 1)
        if not isinstance(key, str):
            raise _refused(item, "a key that is not text")
        if key in mapping:
            raise _refused(item, f"key {key!r} given twice")
        mapping[key] = _built(next(events), events, depth + 1)
    return mapping


def _refused(event: Any, problem: str) -> yaml.YAMLError:
    return yaml.YAMLError(f"{problem} (line {event.start_mark.line + 1})")


def _in_words(error: msgspec.ValidationError, kind: Any, content: Any, where: str, given: Set[str]) -> str:
    """What is wrong with ``content``. Of the error only its path and its cause are used; the words are ours."""
    options = _options(types.type_info(kind))
    path = re.search(r" - at `\$\.([\w.]+)(\[\S*)?`$", str(error))
    for key in [*(path[1].split(".") if path else ()), None]:
        fields = _fields(options)
        if fields and isinstance(content, dict):  # first of all: a key that is not known may look like a path
            for unknown in (key for key in content if key not in fields):
                return f"{where}: {unknown_name('key', unknown, fields.keys() - given)}"
        if key is not None:
            options, content, where = _options(fields[key].type), content[key], f"{where}: {key}"
            given = frozenset()
    if isinstance(error.__cause__, ValueError):
        return f"{where}: {error.__cause__}"
    for key, field in fields.items():
        if isinstance(content, dict) and field.required and key not in content:
            return f"{where}: key {key!r} is missing"
    expected = " or ".join(_words(option) for option in options if not isinstance(option, types.NoneType))
    return f"{where}: expected {expected}, got {one_line(repr(content), limit=100)}"


def _options(kind: types.Type) -> tuple[types.Type, ...]:
    return kind.types if isinstance(kind, types.UnionType) else (kind,)


def _fields(options: tuple[types.Type, ...]) -> dict[str, types.Field]:
    return {field.encode_name: field for kind in options if isinstance(kind, types.StructType) for field in kind.fields}


def _words(kind: types.Type) -> str:
    if isinstance(kind, types.Metadata) and kind.extra_json_schema:
        return str(kind.extra_json_schema["title"])
    if isinstance(kind, types.LiteralType):
        return f"one of {', '.join(map(str, kind.values))}" if len(kind.values) > 1 else str(kind.values[0])
    if isinstance(kind, types.VarTupleType):
        item = _words(kind.item_type)
        return "a list of texts" if item == "text" else f"a list, each {item}"
    words = {types.StrType: "text", types.BoolType: "true or false"}
    return words.get(type(kind), "a mapping of keys to values")
