"""Strict reading of a YAML file that nobody vouches for: plain data, every key typed, every unknown key an error.

Every scalar is read as the text that stands there, and its type is the one that the key asks for: ``no``, ``on``, ``3``
and ``2024-01-31`` are texts where a text is asked for.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml

from bench.errors import RegistryError

MAX_DEPTH = 16

Word = TypeVar("Word", bound=str)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def read_record(path: Path) -> Record:
    """The mapping in the file at ``path``: plain data only, no key twice, no aliases, no deep nesting.

    Raises :class:`RegistryError` naming the file, in one line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_aliases_and_depth(text, path)
        content = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RegistryError(f"{path}: not a readable YAML file: {' '.join(str(error).split())}") from error
    return Record(content, str(path))


class Record:
    """A mapping and where it stands in its file. Reading a key checks its type; :meth:`done` refuses the keys not read.

    All methods raise :class:`RegistryError` naming the place and the key.
    """

    def __init__(self, content: Any, where: str) -> None:
        self.where = where
        if not isinstance(content, dict):
            raise self.error(f"expected a mapping of keys to values, got {type(content).__name__}")
        self._content: dict[str, Any] = content
        self._read: set[str] = set()

    def error(self, message: str) -> RegistryError:
        """An error that names this place."""
        return RegistryError(f"{self.where}: {message}")

    def names(self) -> tuple[str, ...]:
        """All keys, in the file's order."""
        return tuple(self._content)

    def has(self, key: str) -> bool:
        """Whether ``key`` is given."""
        self._read.add(key)
        return key in self._content

    def is_list(self, key: str) -> bool:
        """Whether ``key`` is given as a list."""
        self._read.add(key)
        return isinstance(self._content.get(key), list)

    def done(self) -> None:
        """Refuse keys that nothing has read, naming the nearest one that would have been."""
        for key in self._content:
            if key not in self._read:
                near = difflib.get_close_matches(key, sorted(self._read), n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise self.error(f"unknown key {key!r}{hint} (known: {', '.join(sorted(self._read))})")

    def record(self, key: str) -> Record:
        """The mapping at ``key``."""
        return Record(self._take(key), f"{self.where}: {key}")

    def text(self, key: str, default: str | None = None) -> str:
        """The non-empty text at ``key``."""
        value = self._take(key, default)
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.error(f"{key}: expected text, got {value!r}")
        return value

    def file_name(self, key: str) -> str:
        """The plain name at ``key``: no folder, no leading dot."""
        value = self.text(key)
        if not _FILE_NAME.fullmatch(value):
            raise self.error(f"{key}: {value!r} is not a plain file name")
        return value

    def integer(self, key: str, at_least: int) -> int:
        """The whole number at ``key``."""
        value = self._take(key)
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,18}", value) or int(value) < at_least:
            raise self.error(f"{key}: expected a whole number of at least {at_least}, got {value!r}")
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false at ``key``."""
        value = self._take(key, str(default))
        if not isinstance(value, str) or value.lower() not in ("true", "false"):
            raise self.error(f"{key}: expected true or false, got {value!r}")
        return value.lower() == "true"

    def choice(self, key: str, options: tuple[Word, ...]) -> Word:
        """The one of ``options`` that stands at ``key``."""
        value = self._take(key)
        for option in options:
            if value == option:
                return option
        raise self.error(f"{key}: {value!r} is none of {', '.join(options)}")

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts at ``key``, none of them empty; absent means none."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
            raise self.error(f"{key}: expected a list of texts, got {values!r}")
        return tuple(values)

    def sha256(self, key: str) -> str:
        """The SHA-256 in hexadecimal at ``key``."""
        value = self._take(key)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.error(f"{key}: expected 64 hexadecimal digits, got {value!r}")
        return value

    def _take(self, key: str, default: Any = None) -> Any:
        self._read.add(key)
        if key in self._content:
            return self._content[key]
        if default is None:
            raise self.error(f"key {key!r} is missing")
        return default


def _refuse_aliases_and_depth(text: str, path: Path) -> None:
    """Aliases let a file of a few lines grow to gigabytes, and depth overflows the C loader's stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.events.AliasEvent):
            raise RegistryError(f"{path}: YAML aliases (*{event.anchor}) are refused; write the value out")
        if tag := getattr(event, "tag", None):
            raise RegistryError(f"{path}: not a readable YAML file: tags ({tag}) are refused; write plain text")
        depth += isinstance(event, yaml.events.CollectionStartEvent) - isinstance(event, yaml.events.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RegistryError(f"{path}: nested deeper than {MAX_DEPTH} levels")


_Base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _Loader(_Base):
    """A loader that leaves scalars the texts they are, and refuses duplicate keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, "a key that is not text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
