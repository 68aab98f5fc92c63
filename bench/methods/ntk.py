"""Kernel ridge regression with the neural tangent kernel of ReLU networks with one to five hidden layers.

The kernel of a row with itself is (depth + 1) |x|^2, so the paper's ridges, which suit kernels of size 1, are small,
and the largest is selected in more than half of the folds. ``relative_ridge`` is a ridge in units of that size, its
mean over the fitted rows: with the same values no edge is selected in more than 22 % of the folds (26 of the package's
datasets, `clean-cv`), and the mean accuracy is 0.15 +- 0.40 points (standard error) higher. Protocols that repeat the
paper's procedure have its own grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.methods.classes import only_seen, validation_targets
from bench.methods.judging import Judging
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import DEVICES, Choice, Config, CpuClock, Fold, Method, Path, Prediction, Session, Task
from bench.seeds import derive_seed
from rfm.ntk_ridge import ntk_points
from rfm.solvers.choice import solve_blocks, solver_bytes, solver_seconds
from rfm.solvers.tangent import TangentBlocks

DEPTHS = (1, 2, 3, 4, 5)
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)


class NTK(Method):
    """The paper's baseline: depth 1 to 5 with RFM's ridges, absolute under its own protocols, else relative.

    What is left tied goes to the larger ridge, then to the shallower network.
    """

    name = "ntk"
    title = "NTK"
    kinds = ("classification", "regression")
    devices = DEVICES

    def configurations(self) -> list[dict[str, Any]]:
        return _grid("relative_ridge")

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        if n > LARGE_ROWS:
            # As many rows as choose a configuration in float64, as below; then the rows, and the kernel matrix and its
            # factor or preconditioner in float32.
            matrices = solver_bytes(0.75 * n, c) + 3e8
            return int(max(_matrices_bytes(TUNING_ROWS), matrices) + 40 * n * d + 32 * n * c)
        return int(_matrices_bytes(n) + 16 * n * (d + c) + 6e7)

    def work(self, n: int, d: int, c: int) -> float:
        if n > LARGE_ROWS:
            return _grid_seconds(TUNING_ROWS) + 3 * solver_seconds(0.75 * n, d, c)
        return 4 * _grid_seconds(n)

    def session(self, task: Task) -> Session:
        return _NTKSession(task)


def _grid(ridges: str) -> list[dict[str, Any]]:
    return [{ridges: ridge, "depth": depth} for ridge in RIDGES for depth in DEPTHS]


def _size(X: FloatArray) -> float:
    """The mean of |x|^2 over the rows ``X`` (n, d), a kernel's diagonal over depth + 1; 1 where all rows are 0."""
    return float(np.mean(np.sum(X * X, axis=1))) or 1.0


def _matrices_bytes(n: int) -> float:
    """What a fit of three quarters of ``n`` rows takes: natively angles, kernel and factors in both precisions.

    In Python, which takes more: cosines, tangents and two depths' kernels in float64 of both parts, and a factor.
    """
    m = 0.75 * n
    return 8 * (5 * m * m + 4 * m * (n - m))


def _grid_seconds(n: int) -> float:
    """All configurations on one test fold of ``n`` rows."""
    return 16 * (0.6 * n) ** 3 / 3 / 6e10 + 5 * n * n * 1e-8 + 0.003


class _NTKSession(Session):
    """Kernel and residuals in float64.

    On a large dataset what was selected is fitted block by block, in float32.
    """

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        judging = Judging(self.task, validation_targets(self.task, folds))
        configurations = _grid("ridge" if self.task.paper_grid else "relative_ridge")
        X, Y = self.task.X, self.task.targets
        for number, fold in enumerate(folds):
            fit, rest = X[fold.fit], X[fold.validation]
            scale = 1.0 if self.task.paper_grid else np.sqrt(_size(fit))
            for point in ntk_points(
                fit / scale,
                Y[fold.fit],
                rest / scale,
                depths=DEPTHS,
                ridges=RIDGES,
                unit_size=not self.task.paper_grid,
                device=self.task.device,
            ):
                place = RIDGES.index(point.ridge) * len(DEPTHS) + DEPTHS.index(point.depth)
                judging.judge(place, number, 0, only_seen(self.task, fold.fit, point.scores))
        return [judging.path(i, config, (0,)) for i, config in enumerate(configurations)]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        depth, ridge = int(choice.config["depth"]), self._ridge(choice.config, train)
        if len(self.task.X) > LARGE_ROWS:
            return self._predict_by_blocks(depth, ridge, train, test)
        X, Y = self.task.X, self.task.targets
        (point,) = ntk_points(X[train], Y[train], X[test], depths=(depth,), ridges=(ridge,), device=self.task.device)
        scoring = CpuClock()
        with scoring:
            scores = only_seen(self.task, train, point.scores)
        return Prediction(scores, predict_seconds=point.score_seconds + scoring.seconds)

    def _ridge(self, config: Config, train: IntArray) -> float:
        """What is added to the kernel matrix's diagonal."""
        if "ridge" in config:
            return float(config["ridge"])
        return float(config["relative_ridge"]) * (int(config["depth"]) + 1) * _size(self.task.X[train])

    def _predict_by_blocks(self, depth: int, ridge: float, train: IntArray, test: IntArray) -> Prediction:
        X, Y = (torch.as_tensor(part).to(self.task.device) for part in (self.task.X, self.task.targets))
        seed = derive_seed(self.task.seed, "large table")
        shuffled = np.random.default_rng(seed).permutation(train)
        n = len(train)
        blocks = TangentBlocks(X[np.concatenate([shuffled, test])].float(), depth)
        solution = solve_blocks(blocks, Y[shuffled], ridge, seed=seed)
        scoring = CpuClock()
        with scoring:
            scores = blocks.product(slice(n, n + len(test)), slice(0, n), solution.alpha).cpu().numpy()
            scores = only_seen(self.task, train, scores)
        details = {"solver": solution.solver, "fitted_rows": n, **solution.account}
        return Prediction(scores, details, scoring.seconds)
