"""The nouns of the data layer: a dataset, a test fold, the splits of a dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.records.measure import Kind

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

_FILLING = "missing numbers: mean of the training part"
"""The rule of :mod:`bench.protocols.rows` as part of a table's identity: under another rule it is another table."""


@dataclass(frozen=True)
class Holdout:
    """Row numbers of one train/test division of a table (0-based, disjoint, ascending is not promised).

    ``validation``, where a benchmark gives such a part of its own, is what hyperparameters are selected on; nothing is
    fitted on it.
    """

    train: IntArray
    test: IntArray
    validation: IntArray | None = None


@dataclass(frozen=True)
class Splits:
    """The divisions a table is judged on.

    ``name`` is ``"published"`` for the index lists of the 2014 archive, ``"openml-task-N"`` for those of an OpenML
    task, ``"grinsztajn-medium"`` and ``"grinsztajn-large"`` for those of that benchmark, ``"seed-N"`` for drawn ones.
    ``tuning`` is the pair of halves on which the published procedure chooses hyperparameters;
    ``holdouts`` are the (usually four) stratified 75/25 divisions on which methods are tested. ``tuning_rows``, if
    given, bounds the rows on which hyperparameters are selected (:mod:`bench.protocols.reduction`).
    """

    name: str
    tuning: Holdout
    holdouts: tuple[Holdout, ...]
    tuning_rows: int | None = None


@dataclass(frozen=True)
class Dataset:
    """A table with what is to be predicted.

    ``X`` is (n, d) float64, finite but for NaN where a number is missing (tables from OpenML, UCI and users; methods
    never see it: :mod:`bench.protocols.rows`), ``y`` (n,) int64 in 0..n_classes-1, or finite float64 for regression,
    where ``n_classes`` is 0. ``source`` names where the
    table came from (``embedded``, ``archive``, ...). ``published`` holds the divisions that the source itself
    gives, if it does. ``standardised`` says whether the source already scaled the features over all rows.
    ``notes`` tell what was out of the ordinary when the table was read.
    ``nominal`` are the columns of ``X``, ascending, whose numbers are codes of more than two categories without order.
    A source that makes a 0/1 column of every category (:mod:`bench.data.columns`) leaves none.
    """

    name: str
    X: FloatArray
    y: IntArray | FloatArray
    n_classes: int
    source: str
    standardised: bool = False
    published: Splits | None = None
    notes: tuple[str, ...] = ()
    nominal: tuple[int, ...] = ()

    @property
    def kind(self) -> Kind:
        """Whether classes are predicted, or numbers."""
        return "classification" if self.n_classes else "regression"

    @property
    def strata(self) -> IntArray:
        """What divisions are stratified by (n,): the classes; nothing (all 0) for regression."""
        return self.y.astype(np.int64) if self.n_classes else np.zeros(len(self.y), dtype=np.int64)

    @property
    def sha256(self) -> str:
        """Checksum of the table's content (shape, features, labels), part of every job's identity.

        ``nominal`` is not in it: it is part of the identity of the jobs that use it (:mod:`bench.run.jobs`), so the
        results of others stay valid and comparable when the registry learns more.
        """
        digest = hashlib.sha256()
        digest.update(repr((self.X.shape, self.n_classes)).encode())
        if np.isnan(self.X).any():
            digest.update(_FILLING.encode())
        digest.update(np.ascontiguousarray(self.X, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.y, dtype="<i8" if self.n_classes else "<f8").tobytes())
        return digest.hexdigest()
