"""YAML from a file that nobody has to trust."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.errors import RegistryError

MAX_DEPTH = 16


def read_yaml(path: Path) -> Any:
    """The document in the file at ``path``: plain data only, no key twice, no aliases, no deep nesting.

    Raises :class:`RegistryError` naming the file, in one line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_bombs(text, path)
        return yaml.load(text, Loader=_Loader)  # a SafeLoader that also refuses duplicate keys
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RegistryError(f"{path}: not a readable YAML file: {' '.join(str(error).split())}") from error


def _refuse_bombs(text: str, path: Path) -> None:
    """Aliases let a file of a few lines grow to gigabytes, and depth overflows the C loader's stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.events.AliasEvent):
            raise RegistryError(f"{path}: YAML aliases (*{event.anchor}) are refused; write the value out")
        depth += isinstance(event, yaml.events.CollectionStartEvent) - isinstance(event, yaml.events.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RegistryError(f"{path}: nested deeper than {MAX_DEPTH} levels")


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str):
                if key in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key!r} given twice", key_node.start_mark)
                seen.add(key)
        return super().construct_mapping(node, deep=deep)
