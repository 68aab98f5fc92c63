"""A cell: one small computation of a study, with everything that its outcome depends on."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["ok", "error", "skipped"]
Compute: TypeAlias = Callable[[Mapping[str, Any], int], dict[str, Any]]
"""(parameters, seed) -> values that JSON can say."""


class Skip(Exception):
    """Raised by a computation that cannot be done here for a reason that can be named: data that are not installed."""


@dataclass(frozen=True)
class Cell:
    """``kind`` names the computation, ``parameters`` (of what JSON can say) and ``seed`` say which one.

    ``alone``: in a fresh process, with nothing beside it, because its time or memory is measured. ``threads``:
    of linear algebra; 0 for all cores. ``cost`` is about how many seconds of a processor it takes.
    """

    kind: str
    parameters: Mapping[str, Any]
    seed: int = 0
    alone: bool = False
    threads: int = 1
    cost: float = field(default=1.0, compare=False)

    def identity(self, code: str) -> str:
        """sha256 over kind, parameters, seed, threads and the version of the code that computes them."""
        text = json.dumps(
            [self.kind, self.parameters, self.seed, self.alone, self.threads, code], sort_keys=True, allow_nan=False
        )
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def words(self) -> str:
        """``kind a=1 b=2 #seed`` for people."""
        shown = " ".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"{self.kind} {shown} #{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: its ``values``, or the reason there are none; seconds of the clock and the processor."""

    cell: Cell
    status: Status
    values: Mapping[str, Any]
    reason: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Study:
    """``kinds``: the module and function, ``module:function``, that compute each kind of cell.

    ``cells(quick)`` are all of them, ``quick`` in a small version for a first look and for tests.
    """

    name: str
    title: str
    kinds: Mapping[str, str]
    cells: Callable[[bool], Sequence[Cell]]

    def compute(self, kind: str) -> Compute:
        """The function behind a kind; imports what it needs."""
        module, _, function = self.kinds[kind].partition(":")
        compute: Compute = getattr(importlib.import_module(module), function)
        return compute

    def module(self, kind: str) -> str:
        """The module that computes a kind."""
        return self.kinds[kind].partition(":")[0]
