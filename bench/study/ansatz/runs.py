"""The study's results as networks: what was measured of each, and the groups that the claims are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from bench.study.ansatz.cells import DATASETS, DEFAULT, MAIN
from bench.study.cell import Outcome
from bench.study.summary import grouped, student_half

COSINE, PEARSON = 0, 1
"""Places in a likeness."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One network: which one, and what was measured."""

    data: str
    start: str
    variant: str
    seed: int
    parameters: Values
    values: Values

    @property
    def diverged(self) -> bool:
        return bool(self.values["diverged"])

    @property
    def end(self) -> Values:
        """The look at the end of training."""
        look: Values = self.values["path"][-1]
        return look

    @property
    def best(self) -> Values:
        """The look with the best held-out accuracy, the last of equals: the one that the authors' trainer keeps."""
        look: Values = self.values["path"][self.values["best"]]
        return look


Look: TypeAlias = Callable[[Run, int], float | None]
"""A value of a network's layer (0, 1, ...)."""


def runs_of(outcomes: Sequence[Outcome]) -> list[Run]:
    """Every network that has a result, in the study's order of datasets."""
    found = [
        Run(p["data"], p["start"], p["variant"], o.cell.seed, p, o.values)
        for o in outcomes
        if o.status == "ok" and o.cell.kind == "network"
        for p in [o.cell.parameters]
    ]
    return sorted(found, key=lambda run: DATASETS.index(run.data))


def main_runs(runs: Iterable[Run], start: str = DEFAULT) -> list[Run]:
    """Those that the claims are about: gradient descent from ``start``, trained to the end."""
    return [run for run in runs if run.variant == MAIN and run.start == start and not run.diverged]


def by_dataset(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Dataset: its runs."""
    return grouped(runs, lambda run: run.data)


def at(look: Values, layer: int, name: str, which: int = COSINE) -> float | None:
    """A likeness of a layer (0, 1, ...) at a look."""
    value: float | None = look["layers"][layer][name][which]
    return value


def layer_count(run: Run) -> int:
    """Hidden layers, which are those that are compared."""
    return int(run.parameters["depth"])


def over_layers(run: Run, value: Look) -> float | None:
    """The mean of a value over the hidden layers of a run; None if any is missing."""
    found = [value(run, layer) for layer in range(layer_count(run))]
    there = [v for v in found if v is not None]
    return float(np.mean(there)) if len(there) == len(found) else None


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are there; None of none."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % Student interval, which is unbounded for a single value."""

    mean: float
    half: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        count = len(values)
        if count < 2:
            return cls(float(np.mean(values)), float("inf"), count)
        return cls(float(np.mean(values)), student_half(values), count)

    @property
    def excludes_zero(self) -> bool:
        return abs(self.mean) > self.half
