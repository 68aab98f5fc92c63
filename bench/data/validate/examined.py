"""The table that the checks look at, and what they find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import first_few
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind

SHOWN = 5
"""Names in a sentence; of more only the number is reported."""


@dataclass(frozen=True)
class Examined:
    """The table that the checks look at: ``X`` (n, d) with NaN where missing, ``y`` (n,) in 0..c-1, and all names.

    Without ``classes``, ``y`` (n,) are numbers to predict. ``inputs`` are the columns before categories were coded:
    ``colour`` for the features ``colour=red``, ``colour=tan``.
    """

    X: FloatArray
    y: IntArray | FloatArray
    features: tuple[str, ...]
    classes: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """Whether classes are predicted, or numbers."""
        return "classification" if self.classes else "regression"

    @property
    def counts(self) -> IntArray:
        """Rows by class (c,)."""
        return np.array([np.sum(self.y == code) for code in range(len(self.classes))], dtype=np.int64)

    def columns(self) -> Iterator[tuple[str, FloatArray]]:
        """Name and values (n,) of each column before coding; a category's levels as numbers."""
        for name in self.inputs:
            parts = [
                i for i, f in enumerate(self.features) if f in (name, f"{name} missing") or f.startswith(f"{name}=")
            ]
            if len(parts) == 1:
                yield self.features[parts[0]], self.X[:, parts[0]]
            elif parts:
                yield name, self.X[:, parts].argmax(axis=1).astype(np.float64)


def unnamed(X: FloatArray, y: IntArray | FloatArray, n_classes: int) -> Examined:
    """A table without names: its features are called f1, f2, ..., its classes 0, 1, ..."""
    features = tuple(f"f{i + 1}" for i in range(X.shape[1]))
    return Examined(X, y, features, tuple(str(c) for c in range(n_classes)), features)


def equal_rows(table: Examined) -> IntArray:
    """Numbers (n,) from 0: the same for rows whose features are equal."""
    rows = np.ascontiguousarray(np.nan_to_num(table.X, nan=np.inf) + 0.0)  # one NaN, one zero
    _, groups = np.unique(rows.view(np.dtype((np.void, rows.strides[0]))).reshape(-1), return_inverse=True)
    return groups


def distinct_values(table: Examined) -> list[FloatArray]:
    """The distinct known values of each column, ascending."""
    return [np.unique(column[~np.isnan(column)]) for column in table.X.T]


def moments(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (d,) of the known values of each column; 0 where there are none."""
    known = ~np.isnan(X)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, X, 0.0).sum(axis=0) / count
    return mean, np.sqrt((np.where(known, X - mean, 0.0) ** 2).sum(axis=0) / count)


def named(table: Examined, chosen: Sequence[bool]) -> tuple[str, ...]:
    """Names of the features for which ``chosen`` (d,) is true."""
    return tuple(name for name, is_chosen in zip(table.features, chosen, strict=True) if is_chosen)


def listed(names: Sequence[str]) -> str:
    """The first few names in a line, and how many more there are."""
    return first_few(names, SHOWN)
