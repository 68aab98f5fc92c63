"""A grid that widens until its edges are not selected: settings, moved to a neighbour where that is better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

LEAST = 0.02
"""Part of the held-out squared error by which another setting must be better to be preferred: less is noise of 200
rows, and would carry the search to the edges of its grid."""


@dataclass(frozen=True)
class Axis:
    """A hyperparameter's ``values`` in order, and the first one tried. ``first_is_natural``: nothing lies before it."""

    name: str
    values: Sequence[float]
    start: float
    first_is_natural: bool = False

    def at_edge(self, value: float) -> bool:
        """Whether ``value`` is the last one, or the first where others could come before it."""
        return value == self.values[-1] or (value == self.values[0] and not self.first_is_natural)


@dataclass(frozen=True)
class Selected:
    """``settings`` by name, their held-out ``error``, how many settings were ``tried``, names of axes ``at_edge``."""

    settings: dict[str, Any]
    error: float
    tried: int
    at_edge: list[str]


def search(axes: Sequence[Axis], error: Callable[[Mapping[str, Any]], float], *, diagonal: bool = False) -> Selected:
    """The settings than which no neighbour in the grid has an ``error`` lower by the part :data:`LEAST`.

    Neighbours are one value away along one axis; ``diagonal``: along all axes at once too, and the best of them is
    moved to instead of the first that is better. What was tried once is not tried again.
    """
    known: dict[tuple[int, ...], float] = {}

    def at(place: tuple[int, ...]) -> float:
        if place not in known:
            found = error({axis.name: axis.values[i] for axis, i in zip(axes, place, strict=True)})
            known[place] = found if found == found else float("inf")  # a fit that diverged
        return known[place]

    here = tuple(axis.values.index(axis.start) for axis in axes)
    last: tuple[int, ...] | None = None
    while True:
        limit = at(here) * (1 - LEAST)
        better = (place for place in _neighbours(axes, here, last, diagonal=diagonal) if at(place) < limit)
        there = min(better, key=at, default=None) if diagonal else next(better, None)
        if there is None:
            break
        last = tuple(b - a for a, b in zip(here, there, strict=True))
        here = there
    settings: dict[str, Any] = {axis.name: axis.values[i] for axis, i in zip(axes, here, strict=True)}
    return Selected(settings, at(here), len(known), [a.name for a in axes if a.at_edge(settings[a.name])])


def _neighbours(
    axes: Sequence[Axis], here: tuple[int, ...], last: tuple[int, ...] | None, *, diagonal: bool
) -> Iterator[tuple[int, ...]]:
    """The places next to ``here``; the one in the direction of the ``last`` move first."""
    moves = [move for move in product((0, 1, -1), repeat=len(axes)) if diagonal or sum(map(abs, move)) == 1]
    for move in sorted(moves, key=lambda move: move != last):
        place = tuple(i + step for i, step in zip(here, move, strict=True))
        if place != here and all(0 <= i < len(axis.values) for axis, i in zip(axes, place, strict=True)):
            yield place
