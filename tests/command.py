"""``python -m bench`` in the test's own process, importable by name everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from bench.command_line import main


class Printed(NamedTuple):
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """Called with the words of a command: what it prints. The fixture ``command`` is one."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: object, code: int = 0) -> Printed:
        """What the command prints that ends with ``code``."""
        self.capsys.readouterr()
        found = main([str(word) for word in words])
        printed = Printed(*self.capsys.readouterr())
        assert found == code, printed
        return printed

    def refuses(self, said: str, *words: object) -> Printed:
        """Exit code 2, and what is ``said`` in the last line, the one that says why; all that is printed."""
        printed = self(*words, code=2)
        *_, line = printed.err.splitlines()
        assert line.startswith("bench: "), printed
        assert said in line
        return printed
