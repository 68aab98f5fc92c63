"""What the documentation says a reader can type, found in the text: fenced blocks that carry marks.

```` ```sh run ````                 a command; run in the page's folder, it must exit with 0
```` ```sh run exit=1 slow ````     ... with 1, and only where slow tests run; ``needs=lightgbm`` an installed module
```` ```sh run once ````            ... and nothing later on the page needs it: left out where slow ones run
```` ```sh run small90=smoke ````   ... with ``smoke`` typed for ``small90``, so that it ends today
```` ```yaml file=my.yaml ````      a file that the reader is to write
```` ```text output ````            lines that the command before it prints; ``...`` stands for anything in a line
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^```[^ \n`]* *([^\n`]*)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_MARKS = {"run", "output", "slow", "once"}
_SETTINGS = {"file", "exit", "needs"}


@dataclass(frozen=True)
class Block:
    """One marked block: the line it begins in, its text, its marks, and those with a value, by name."""

    line: int
    text: str
    marks: set[str]
    settings: dict[str, str]

    @property
    def command(self) -> str:
        """The text as it is typed in the test."""
        text = self.text
        for old, new in self.settings.items():
            text = text if old in _SETTINGS else text.replace(old, new)
        return text


def marked_blocks(page: str) -> Iterator[Block]:
    """The marked blocks of a Markdown text, in order. ``ValueError`` for a mark that nothing here understands."""
    for found in _FENCE.finditer(page):
        words = found[1].split()
        marks, settings = {w for w in words if "=" not in w}, dict(w.split("=", 1) for w in words if "=" in w)
        line = page.count("\n", 0, found.start()) + 1
        if words and (marks - _MARKS or not (marks & {"run", "output"} or "file" in settings)):
            raise ValueError(f"line {line}: the marks {found[1]!r} mean nothing")
        if words:
            yield Block(line, found[2], marks, settings)


def missing_lines(expected: str, printed: str) -> list[str]:
    """The lines of ``expected`` that do not stand in ``printed`` in this order; blanks at the ends do not count."""
    lines = [line.strip() for line in printed.splitlines()]
    missing, position = [], 0
    for line in (line.strip() for line in expected.splitlines()):
        if not line or line == "...":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        at = next((i for i in range(position, len(lines)) if pattern.fullmatch(lines[i])), None)
        if at is None:
            missing.append(line)
        else:
            position = at + 1
    return missing
