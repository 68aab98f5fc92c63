"""Kernel ridge regression with the neural tangent kernel of ReLU networks with one to five hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.methods.classes import only_seen, validation_targets
from bench.methods.judging import Judging
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS
from bench.records.dataset import IntArray
from bench.records.method import Choice, CpuClock, Fold, Method, Path, Prediction, Session, Task
from bench.seeds import derive_seed
from rfm.linalg import matmul_float64, solve_ridge
from rfm.ntk import ntk_matrices, ntk_matrix
from rfm.solvers.choice import DIRECT_ROWS, solve_blocks
from rfm.solvers.tangent import TangentBlocks
from rfm.sweep import ridge_scores

DEPTHS = (1, 2, 3, 4, 5)
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)


class NTK(Method):
    """The paper's baseline: depth 1 to 5 with RFM's ridges.

    What is left tied goes to the larger ridge, then to the shallower network.
    """

    name = "ntk"
    title = "NTK"
    kinds = ("classification", "regression")

    def configurations(self) -> list[dict[str, Any]]:
        return [{"ridge": ridge, "depth": depth} for ridge in RIDGES for depth in DEPTHS]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        if n > LARGE_ROWS:
            # As many rows as choose a configuration in float64, as below; then the rows, and the kernel matrix and its
            # factor in float32, or EigenPro's subsample.
            m = 0.75 * n
            matrices = 8 * m * m if m <= DIRECT_ROWS else 2e8
            return int(max(_matrices_bytes(TUNING_ROWS), matrices + 3e8) + 40 * n * d + 32 * n * c)
        return int(_matrices_bytes(n) + 16 * n * (d + c) + 6e7)

    def work(self, n: int, d: int, c: int) -> float:
        if n > LARGE_ROWS:
            m = 0.75 * n
            solve = 1.2 * m**3 / 3 / 7e10 if m <= DIRECT_ROWS else 15 * m * m * 1e-8
            return _grid_seconds(TUNING_ROWS) + solve
        return 4 * _grid_seconds(n)

    def session(self, task: Task) -> Session:
        return _NTKSession(task)


def _matrices_bytes(n: int) -> float:
    """Angles, tangents and the kernel of ``n`` rows in float64, the fitted square twice and the kernel of the rest."""
    return 8 * (3 * n * n + 1.5 * (0.75 * n) ** 2 + 0.75 * n * n)


def _grid_seconds(n: int) -> float:
    """All configurations on one test fold of ``n`` rows."""
    return 25 * (0.6 * n) ** 3 / 3 / 3.2e10 + 5 * n * n * 1e-8 + 0.01


class _NTKSession(Session):
    """Gram matrices of all rows, in float64.

    On a large dataset those of the rows that select; what is selected is fitted block by block, in float32.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._X = torch.as_tensor(task.X)
        self._Y = torch.as_tensor(task.targets)
        self._kept: tuple[int, torch.Tensor] | None = None

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        judging = Judging(self.task, validation_targets(self.task, folds))
        configurations = NTK().configurations()
        rows = np.arange(len(self._X))
        if len(rows) > LARGE_ROWS:
            rows = np.unique(np.concatenate([part for fold in folds for part in (fold.fit, fold.validation)]))
        for k, K in enumerate(ntk_matrices(self._X[rows], DEPTHS[-1])):
            for number, fold in enumerate(folds):
                fit, validation = np.searchsorted(rows, fold.fit), np.searchsorted(rows, fold.validation)
                for j, (_, scores) in enumerate(ridge_scores(K, self._Y[rows], fit, validation, RIDGES)):
                    judging.judge(j * len(DEPTHS) + k, number, 0, only_seen(self.task, fold.fit, scores))
        return [judging.path(i, config, (0,)) for i, config in enumerate(configurations)]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        depth, ridge = int(choice.config["depth"]), float(choice.config["ridge"])
        if len(self._X) > LARGE_ROWS:
            return self._predict_by_blocks(depth, ridge, train, test)
        if self._kept is None or self._kept[0] != depth:
            for K in ntk_matrices(self._X, depth):
                self._kept = depth, K
        assert self._kept is not None
        square = self._kept[1][:, torch.as_tensor(train)][train]
        alpha = solve_ridge(square, ridge, self._Y[train]).alpha
        scoring = CpuClock()
        with scoring:  # not sliced from the matrix of all rows: what scoring takes could not be told from fitting
            between = ntk_matrix(self._X[test], self._X[train], depth)
            scores = only_seen(self.task, train, matmul_float64(between, alpha).numpy())
        return Prediction(scores, predict_seconds=scoring.seconds)

    def _predict_by_blocks(self, depth: int, ridge: float, train: IntArray, test: IntArray) -> Prediction:
        seed = derive_seed(self.task.seed, "large table")
        shuffled = np.random.default_rng(seed).permutation(train)
        n = len(train)
        blocks = TangentBlocks(self._X[np.concatenate([shuffled, test])].float(), depth)
        solution = solve_blocks(blocks, self._Y[shuffled], ridge, seed=seed)
        scoring = CpuClock()
        with scoring:
            scores = blocks.product(slice(n, n + len(test)), slice(0, n), solution.alpha).numpy()
            scores = only_seen(self.task, train, scores)
        details = {"solver": solution.solver, "fitted_rows": n, **solution.account}
        return Prediction(scores, details, scoring.seconds)
