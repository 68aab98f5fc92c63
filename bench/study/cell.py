"""A cell: one small computation of a study, with everything that its outcome depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.records.method import CPU
from bench.records.result import Status
from bench.run.devices import HOST_BYTES

_DEVICE = "device"


@dataclass(frozen=True)
class Cell:
    """``kind`` names the computation, ``parameters`` (of what JSON can say) and ``seed`` say which one.

    ``alone``: with nothing next to it, because its time or memory is measured. ``all_cores``: its linear algebra has
    all cores instead of one. ``cost`` is about how many seconds of a processor it takes, ``memory_mb`` at least what it
    needs at its peak beyond the loaded libraries. ``images``: the image sets that its function reads.
    ``any_device``: its function computes where the parameter ``device`` says, on the processor without one; the
    parameter is added where the user asks for another device.
    """

    kind: str
    parameters: Mapping[str, Any]
    seed: int = 0
    alone: bool = False
    all_cores: bool = False
    cost: float = field(default=1.0, compare=False)
    memory_mb: float = field(default=500.0, compare=False)
    images: tuple[str, ...] = field(default=(), compare=False)
    any_device: bool = field(default=False, compare=False)

    @property
    def device(self) -> str:
        """Where it is computed."""
        return str(self.parameters.get(_DEVICE, CPU))

    @property
    def name(self) -> str:
        """``a=1 b=2 #seed``: which one of its kind."""
        return " ".join([*(f"{key}={value}" for key, value in self.parameters.items()), f"#{self.seed}"])


def on_device(cell: Cell, device: str) -> Cell:
    """``cell`` to be computed on ``device``; itself if that is the processor, or it is computed nowhere else.

    The device is a parameter: on another one numbers differ in their last digits, and times by far.
    """
    if device == CPU or not cell.any_device:
        return cell
    return replace(cell, parameters={**cell.parameters, _DEVICE: device}, memory_mb=cell.memory_mb + HOST_BYTES / 1e6)


def without_device(cell: Cell) -> Cell:
    """``cell`` as the study lists it, wherever it was computed."""
    return replace(cell, parameters={key: value for key, value in cell.parameters.items() if key != _DEVICE})


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
    kinds: Mapping[str, str]
    cells: Callable[[bool], Sequence[Cell]]
