"""A cell: one small computation of a study, with everything that its outcome depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.records.result import Status


@dataclass(frozen=True)
class Cell:
    """``kind`` names the computation, ``parameters`` (of what JSON can say) and ``seed`` say which one.

    ``alone``: with nothing next to it, because its time or memory is measured. ``all_cores``: its linear algebra has
    all cores instead of one. ``cost`` is about how many seconds of a processor it takes, ``memory_mb`` at least what it
    needs at its peak beyond the loaded libraries. ``images``: the image sets that its function reads.
    """

    kind: str
    parameters: Mapping[str, Any]
    seed: int = 0
    alone: bool = False
    all_cores: bool = False
    cost: float = field(default=1.0, compare=False)
    memory_mb: float = field(default=500.0, compare=False)
    images: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """``a=1 b=2 #seed``: which one of its kind."""
        return " ".join([*(f"{key}={value}" for key, value in self.parameters.items()), f"#{self.seed}"])


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: its ``values``, or the reason there are none; seconds of the clock and the processor."""

    cell: Cell
    status: Status
    values: Mapping[str, Any]
    reason: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it was tried in vain."""
        return self.status not in ("ok", "skipped")


@dataclass(frozen=True)
class Study:
    """``kinds``: the module and function, ``module:function``, that compute each kind of cell.

    A function takes a cell's parameters and seed, and :class:`~bench.study.images.Images` where the cell reads any. It
    returns values that JSON can say, or raises :class:`~bench.errors.JobSkipped`. ``cells(quick)`` are all of them,
    ``quick`` in a small version for a first look and for tests.
    """

    name: str
    title: str
    kinds: Mapping[str, str]
    cells: Callable[[bool], Sequence[Cell]]
