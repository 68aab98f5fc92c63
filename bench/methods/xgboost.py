"""Gradient-boosted trees: XGBoost's histogram method through its native interface. Boosting rounds are the path.

Grid: depth 3, 6 x step 0.3, 0.1 x all rows and features for every tree, or a random 70 % of each; all else
XGBoost's defaults. This spans what caret's and common tuning guides search for tables of this size. Rounds go up to
200, fewer where a round grows many trees (one a class): at most TREE_BUDGET trees a configuration, never under 50
rounds. A configuration ends early when PATIENCE points of its path bring neither a better merit nor a smaller squared
error over all validation rows. It ends for all folds together, so that every point of a path was computed on every
fold and nothing is carried on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import xgboost as xgb

from bench.methods.classes import FitClasses, fit_classes, known_targets, validation_targets
from bench.methods.early_stopping import EarlyStopping
from bench.methods.judging import Judging
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import Choice, Config, CpuClock, Fold, Method, Path, Prediction, Session, Task

DEPTHS = (3, 6)
STEPS = (0.3, 0.1)
SAMPLED_SHARES = (1.0, 0.7)
ROUNDS = (10, 20, 30, 40, 50, 75, 100, 150, 200)
TREE_BUDGET = 900
FEWEST_ROUNDS = 50
PATIENCE = 3
"""Points of the path without improvement after which a configuration ends."""


class XGBoost(Method):
    name: ClassVar[str] = "xgboost"
    title: ClassVar[str] = "XGBoost"
    kinds = ("classification", "regression")
    probabilities = True

    def configurations(self) -> list[dict[str, Any]]:
        return [
            {"max_depth": depth, "eta": step, "sampled_share": share}
            for share in SAMPLED_SHARES
            for step in STEPS
            for depth in DEPTHS
        ]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # Measured: 10 MB, and 64 bytes a cell and inner fold (float64 slice, its copy, bins), five under clean-cv.
        return 40_000_000 + 5 * 64 * n * d + 200 * n * c

    def work(self, n: int, d: int, c: int) -> float:
        # Fitted to jobs of 100 to 5000 rows: 20 us a tree, 3 us a feature and 5 ns a cell, with every round grown.
        k = c if c > 2 else 1
        trees = 4 * (len(self.configurations()) + 1) * path_rounds(c)[-1] * k
        return trees * (2e-5 + 3e-6 * d + 5e-9 * n * d)

    def session(self, task: Task) -> Session:
        return _XGBoostSession(task)


def path_rounds(k: int) -> tuple[int, ...]:
    """The path's points for k classes: one tree a round for two classes, k trees a round for more."""
    most = max(FEWEST_ROUNDS, TREE_BUDGET // (k if k > 2 else 1))
    return tuple(rounds for rounds in ROUNDS if rounds <= most)


class _XGBoostSession(Session):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        task = self.task
        parts = [_Part(task, fold.fit, fold.validation) for fold in folds]
        judging = Judging(task, validation_targets(task, folds))
        points = path_rounds(max(part.trees for part in parts))
        return [
            self._path(number, config, parts, judging, points)
            for number, config in enumerate(XGBoost().configurations())
        ]

    def _path(
        self, number: int, config: Config, parts: Sequence[_Part], judging: Judging, points: Sequence[int]
    ) -> Path:
        boosters = [_Boosting(part, config, self.task.seed) for part in parts]
        sizes = np.array([part.count for part in parts])
        stopping, reached = EarlyStopping(PATIENCE), 0
        for point, rounds in enumerate(points):
            for boosting in boosters:
                boosting.grow_to(rounds)
            figures = np.array([judging.judge(number, f, point, b.scores()) for f, b in enumerate(boosters)])
            reached = point + 1
            if stopping.should_stop(figures, sizes):
                break
        return judging.path(number, config, points[:reached])

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        boosting = _Boosting(_Part(self.task, train, test), choice.config, self.task.seed)
        boosting.grow_to(choice.iteration)
        scoring = CpuClock()
        with scoring:
            scores = boosting.scores()
        return Prediction(scores, predict_seconds=scoring.seconds)


class _Part:
    """Fit rows (binned once for all configurations) and the rows to score."""

    def __init__(self, task: Task, fit: IntArray, rows: IntArray) -> None:
        self._task, self._rows = task, rows
        self.classes: FitClasses | None = fit_classes(task, fit) if task.kind == "classification" else None
        self.count = len(rows)
        self.single = self.classes is not None and self.classes.single
        self.trees = 1 if self.classes is None else len(self.classes.present)
        if not self.single:
            label = known_targets(task, fit, "fit") if self.classes is None else self.classes.codes
            self.fit = xgb.QuantileDMatrix(task.X[fit], label=label, nthread=1)

    @cached_property
    def rows(self) -> xgb.DMatrix:
        """The rows to score, made when they first are: that is part of scoring."""
        return xgb.DMatrix(self._task.X[self._rows], nthread=1)


class _Boosting:
    """One booster, grown on demand."""

    def __init__(self, part: _Part, config: Config, seed: int) -> None:
        self._part = part
        self._rounds = 0
        if part.single:
            return
        self._booster = xgb.Booster(
            {
                "tree_method": "hist",
                "max_depth": config["max_depth"],
                "eta": config["eta"],
                "subsample": config["sampled_share"],
                "colsample_bytree": config["sampled_share"],
                "nthread": 1,
                "seed": seed % 2**31,
                # XGBoost draws from one generator per thread; seeded once, boosters grown in turns would share it.
                "seed_per_iteration": True,
                "verbosity": 0,
                **_objective(part.classes),
            },
            cache=[part.fit],
        )

    def grow_to(self, rounds: int) -> None:
        """Boost until ``rounds`` rounds are done in all, not fewer than before."""
        if not self._part.single:
            for number in range(self._rounds, rounds):
                self._booster.update(self._part.fit, number)
        self._rounds = rounds

    def scores(self) -> FloatArray:
        """Class probabilities (m, n_classes) or numbers (m, 1) of the part's rows."""
        part = self._part
        if part.classes is not None and part.classes.single:
            return part.classes.certain(part.count)
        p: FloatArray = self._booster.predict(part.rows).astype(np.float64)
        if part.classes is None:
            return p[:, None]
        return part.classes.expand(np.stack([1 - p, p], axis=1) if p.ndim == 1 else p)


def _objective(classes: FitClasses | None) -> dict[str, Any]:
    if classes is None:
        return {"objective": "reg:squarederror"}
    k = len(classes.present)
    return {"objective": "binary:logistic"} if k == 2 else {"objective": "multi:softprob", "num_class": k}
