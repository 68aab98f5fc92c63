"""RFM with the grid that its authors ran on the benchmark of Grinsztajn et al. (2022), in their fork of its code.

Full and diagonal M, bandwidths 10 and 20, four ridges, at most five M updates, on features that are made normal by
their quantiles among the fitted rows, as the benchmark's networks see them. The fork divides the target by its
variance, here it is standardised as for all methods: from the first update on distances differ by the square root of
that factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from bench.methods.rfm import RFM, ChainSession
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import Choice, Config, CpuClock, Fold, Path, Prediction, Session, Task

MACHINES = tuple({"diagonal": diagonal, "bandwidth": bandwidth} for diagonal in (False, True) for bandwidth in (10, 20))
"""What is tuned besides the chains of one kernel."""
QUANTILES = 1000
SAMPLED_ROWS = 100_000
"""As many as the benchmark's version of scikit-learn took quantiles from."""


class RFMFork(RFM):
    """The fork's grid on quantile-normal features."""

    name = "rfm_fork"
    title = "RFM (fork's grid)"
    iterations = 5
    ridges = (1.0, 0.1, 0.01, 0.001)
    unit_norms = (False,)
    quantile_normal: ClassVar[bool] = True

    def configurations(self) -> list[dict[str, Any]]:
        return [{**machine, **chain} for machine in MACHINES for chain in self.chains()]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return super().peak_bytes(n, d, c) + 8 * 7 * n * d  # features of five folds, and a column's way there

    def session(self, task: Task) -> Session:
        return _ForkSession(task, self)


class RFMForkRaw(RFMFork):
    """The fork's grid on standardised features."""

    name = "rfm_fork_raw"
    title = "RFM (fork's grid, raw features)"
    quantile_normal = False


class _ForkSession(Session):
    def __init__(self, task: Task, method: RFMFork) -> None:
        super().__init__(task)
        self._method = method
        self._first_fit: IntArray = np.arange(0)

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        self._first_fit = folds[0].fit
        tasks = [self._task(fold.fit) for fold in folds]
        paths: list[Path] = []
        for machine in MACHINES:  # one after the other: each has matrices of its own
            tuned = [self._chains(task, machine).tune([fold]) for task, fold in zip(tasks, folds, strict=True)]
            for parts in zip(*tuned, strict=True):
                merit, error = (np.concatenate([getattr(p, key) for p in parts]) for key in ("merit", "squared_error"))
                scores = tuple(part for p in parts for part in p.scores or ()) or None
                paths.append(Path({**machine, **parts[0].config}, parts[0].iterations, merit, error, scores))
        return paths

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        mapping = CpuClock()
        chains = self._chains(self._task(self._first_fit if transfer else train, mapping), choice.config)
        chains.first_fit = self._first_fit
        prediction = chains.predict(choice, train, test, transfer=transfer)
        share = len(test) / len(self.task.X)  # of the rows, which are mapped together
        seconds = (prediction.predict_seconds or 0.0) + share * mapping.seconds
        return replace(prediction, predict_seconds=seconds)

    def _chains(self, task: Task, config: Config) -> ChainSession:
        return ChainSession(task, self._method, bandwidth=config["bandwidth"], diagonal=config["diagonal"])

    def _task(self, fit: IntArray, mapping: CpuClock | None = None) -> Task:
        """The task with the features that are learned from the rows ``fit``."""
        if not self._method.quantile_normal:
            return self.task
        return replace(self.task, X=quantile_normal(self.task.X, fit, mapping))


def quantile_normal(X: FloatArray, fit: IntArray, mapping: CpuClock | None = None) -> FloatArray:
    """``X`` (n, d), each column mapped to normal by its quantiles among the rows ``fit``; ``mapping`` times that.

    A column with at most two values there (a category's) stays as it is: its quantiles would be the ends of the scale.
    """
    ordered = np.sort(X[fit], axis=0)
    numbers = np.flatnonzero((np.diff(ordered, axis=0) > 0).sum(axis=0) > 1)
    if not len(numbers):
        return X
    transformer = QuantileTransformer(
        n_quantiles=min(QUANTILES, len(fit)), output_distribution="normal", subsample=SAMPLED_ROWS, random_state=0
    ).fit(X[np.ix_(fit, numbers)])
    mapped = X.copy()
    with mapping or CpuClock():
        mapped[:, numbers] = transformer.transform(X[:, numbers])
    return mapped
