"""Gradient-boosted trees: XGBoost's histogram method through its native interface. Boosting rounds are the path.

Grid: depth 3, 6 x step 0.3, 0.1 x either all rows and features for every tree with leaves of a Hessian of at least 1,
or a random 70 % of each with leaves of any Hessian (MIN_CHILD_WEIGHT 1e-3); all else XGBoost's defaults. A row's
Hessian is at most 1/4: with the default of 1 a table of seven rows cannot be split at all.

Of thirteen grids looked at under clean-cv (seven of them on five or more of nine of the package's tables of 101 to 330
rows) this one had the best accuracy for its cost: 1.6 +- 0.6 points (standard error) above depth and step with both
shares, a weight of 1 and fewer rounds for more classes (nine tables), at 1.6 times the CPU seconds. Those eight and the
four with a weight of 1e-3 of here: 0.7 +- 0.8 on six tables, 2.1 times. Four more configurations with a penalty lambda
of 10: 1.7 +- 0.8 on seven, 2.8 times; two more: 1.3 +- 0.7 on eight, 2.1 times.

Rounds go up to 200, whatever the number of classes. A configuration ends early when PATIENCE points of its path bring
neither a better merit nor a smaller squared error over all validation rows. It ends for all folds together, so that
every point of a path was computed on every fold and nothing is carried on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import xgboost as xgb

from bench.errors import MethodError
from bench.methods.classes import FitClasses, fit_classes, known_targets, validation_targets
from bench.methods.early_stopping import EarlyStopping
from bench.methods.judging import Judging
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import CPU, DEVICES, Choice, Config, CpuClock, Fold, Method, Path, Prediction, Session, Task

DEPTHS = (3, 6)
STEPS = (0.3, 0.1)
SAMPLING = ((1.0, 1.0), (0.7, 1e-3))
"""Share of rows and features for a tree, with the least Hessian of a leaf."""
ROUNDS = (10, 20, 30, 40, 50, 75, 100, 150, 200)
PATIENCE = 3
"""Points of the path without improvement after which a configuration ends."""


class XGBoost(Method):
    name: ClassVar[str] = "xgboost"
    title: ClassVar[str] = "XGBoost"
    kinds = ("classification", "regression")
    devices = DEVICES
    probabilities = True

    def configurations(self) -> list[dict[str, Any]]:
        return [
            {"max_depth": depth, "eta": step, "sampled_share": share, "min_child_weight": weight}
            for share, weight in SAMPLING
            for step in STEPS
            for depth in DEPTHS
        ]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # Measured: 10 MB, and 64 bytes a cell and inner fold (float64 slice, its copy, bins), five under clean-cv.
        return 40_000_000 + 5 * 64 * n * d + 200 * n * c

    def work(self, n: int, d: int, c: int) -> float:
        # Fitted to jobs of 100 to 5000 rows: 20 us a tree, 3 us a feature and 5 ns a cell, with every round grown.
        k = c if c > 2 else 1
        trees = 4 * (len(self.configurations()) + 1) * ROUNDS[-1] * k
        return trees * (2e-5 + 3e-6 * d + 5e-9 * n * d)

    def session(self, task: Task) -> Session:
        if task.device != CPU and not xgb.build_info().get("USE_CUDA"):
            raise MethodError("this build of XGBoost has no CUDA: install the package xgboost, or leave --device out")
        return _XGBoostSession(task)


class _XGBoostSession(Session):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        task = self.task
        parts = [_Part(task, fold.fit, fold.validation) for fold in folds]
        judging = Judging(task, validation_targets(task, folds))
        return [self._path(number, config, parts, judging) for number, config in enumerate(XGBoost().configurations())]

    def _path(self, number: int, config: Config, parts: Sequence[_Part], judging: Judging) -> Path:
        boosters = [_Boosting(part, config, self.task.seed) for part in parts]
        sizes = np.array([part.count for part in parts])
        stopping, reached = EarlyStopping(PATIENCE), 0
        for point, rounds in enumerate(ROUNDS):
            for boosting in boosters:
                boosting.grow_to(rounds)
            figures = np.array([judging.judge(number, f, point, b.scores()) for f, b in enumerate(boosters)])
            reached = point + 1
            if stopping.should_stop(figures, sizes):
                break
        return judging.path(number, config, ROUNDS[:reached])

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
        self.device = task.device
        self.classes: FitClasses | None = fit_classes(task, fit) if task.kind == "classification" else None
        self.count = len(rows)
        self.single = self.classes is not None and self.classes.single
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
                "min_child_weight": config["min_child_weight"],
                "nthread": 1,
                "seed": seed % 2**31,
                # XGBoost draws from one generator per thread; seeded once, boosters grown in turns would share it.
                "seed_per_iteration": True,
                "verbosity": 0,
                **({} if part.device == CPU else {"device": part.device}),
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
