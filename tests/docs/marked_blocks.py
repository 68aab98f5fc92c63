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
from dataclasses import dataclass, field

_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_MARKS = {"run", "output", "slow", "once"}
_SETTINGS = {"file", "exit", "needs"}


@dataclass(frozen=True)
class Block:
    """One marked block: its language, the line it begins in, its text, its ``marks`` and ``settings``.

    ``replaced`` are the words that are typed for others.
    """

    language: str
    line: int
    text: str
    marks: frozenset[str]
    settings: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)

    @property
    def slow(self) -> bool:
        return "slow" in self.marks

    @property
    def once(self) -> bool:
        return "once" in self.marks

    @property
    def command(self) -> str:
        """The text as it is typed in the test."""
        text = self.text
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text

    @property
    def exit_code(self) -> int:
        return int(self.settings.get("exit", "0"))


def marked_blocks(page: str) -> Iterator[Block]:
    """The marked blocks of a Markdown text, in order. ``ValueError`` for a mark that nothing here understands."""
    for found in _FENCE.finditer(page):
        language, *words = found[1].split() or [""]
        if not words:
            continue
        line = page.count("\n", 0, found.start()) + 1
        pairs = dict(word.split("=", 1) for word in words if "=" in word)
        marks = frozenset(word for word in words if "=" not in word)
        if marks - _MARKS or not (marks & {"run", "output"} or "file" in pairs):
            raise ValueError(f"line {line}: the marks {' '.join(words)!r} mean nothing")
        yield Block(
            language,
            line,
            found[2],
            marks,
            {key: value for key, value in pairs.items() if key in _SETTINGS},
            {key: value for key, value in pairs.items() if key not in _SETTINGS},
        )


def missing_lines(expected: str, printed: str) -> list[str]:
    """The lines of ``expected`` that do not stand in ``printed`` in this order; blanks at the ends do not count."""
    lines = [line.strip() for line in printed.splitlines()]
    missing, position = [], 0
    for line in (line.strip() for line in expected.splitlines()):
        if not line or line == "...":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        rest = [i for i in range(position, len(lines)) if pattern.fullmatch(lines[i])]
        if rest:
            position = rest[0] + 1
        else:
            missing.append(line)
    return missing
