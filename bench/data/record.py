"""Strict reading of a mapping from a file: every key typed, every unknown key an error."""

from __future__ import annotations

import difflib
import re
from typing import Any, TypeVar

from bench.errors import RegistryError

Word = TypeVar("Word", bound=str)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Record:
    """A mapping and where it stands in its file. Reading a key checks its type; :meth:`done` refuses the keys not read.

    All methods raise :class:`RegistryError` naming the place and the key.
    """

    def __init__(self, content: Any, where: str) -> None:
        self.where = where
        if not isinstance(content, dict):
            raise self.error(f"expected a mapping of keys to values, got {type(content).__name__}")
        for key in content:
            if not isinstance(key, str):
                raise self.error(f"key {key!r} is not text; put it in quotes")
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
        if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
            raise self.error(f"{key}: expected a whole number of at least {at_least}, got {value!r}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false at ``key``."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(f"{key}: expected true or false, got {value!r}")
        return value

    def choice(self, key: str, options: tuple[Word, ...]) -> Word:
        """The one of ``options`` that stands at ``key``."""
        value = self._take(key)
        for option in options:
            if value == option:
                return option
        raise self.error(f"{key}: {value!r} is none of {', '.join(options)}")

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts at ``key``; absent means none."""
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
