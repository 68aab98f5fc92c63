"""Griffe's extension of the documentation site: Sphinx's roles in docstrings become links, or plain code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|attr|mod|data|exc):`(~?)([^`]+)`")
_FOOTNOTE = re.compile(r"^\s*\.\. \[(\d+)\] ", re.MULTILINE)


class Roles(griffe.Extension):
    """Rewrites every docstring once it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """``:class:`Task``` becomes a link to where ``Task`` is documented, ``[1]_`` the number of a reference."""
        if obj.docstring:
            text = _ROLE.sub(lambda found: _reference(obj, found[2], short=bool(found[1])), obj.docstring.value)
            text = _FOOTNOTE.sub(lambda found: f"\n[{found[1]}] ", text)
            obj.docstring.value = re.sub(r"\[(\d+)\]_", r"[\1]", text)


def _reference(obj: griffe.Object, name: str, *, short: bool) -> str:
    """A link to ``name`` as ``obj`` sees it, where some page documents it, else its name as code."""
    shown = name.rpartition(".")[2] if short else name
    first, dot, rest = name.partition(".")
    try:
        identifier = f"{obj.resolve(first)}{dot}{rest}"
    except griffe.NameResolutionError:
        identifier = name  # a full name
    return f'<autoref identifier="{identifier}" optional><code>{shown}</code></autoref>'
