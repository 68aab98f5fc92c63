"""Random forest (Breiman 2001), scikit-learn's.

Grid: the number of features tried at a split is once, half and twice the square root of d, the three values that
Breiman advises to try (Liaw & Wiener, R News 2(3), 2002), and a quarter and four times of it. With the three alone an
edge was selected in 42 % (half) and 21 % (twice) of the folds under ``clean-cv``, on 20 embedded tables of 100 to 569
rows; with all five in 16 and 11 %, and the mean accuracy is 0.29 +- 0.17 points (standard error) higher. For
regression d, a third and two thirds of it, around R's default of a third and scikit-learn's of all. Trees are grown to
purity. There are TREES of them: more never hurt but help little beyond the first hundred (Probst & Boulesteix, JMLR
18:181, 2018). The 2014 study grew 500: on 12 tables of 148 to 1599 rows that is worth 0.06 +- 0.15 points of accuracy
over 200, at 2.5 times the cost. The number of trees is not offered as an iteration path: picking it on a validation
part would pick noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from bench.methods.classes import fit_classes, known_targets, single_point_paths
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import Choice, Config, CpuClock, Fold, Method, Path, Prediction, Session, Task

TREES = 200
FEATURE_FACTORS = (1.0, 0.5, 2.0, 0.25, 4.0)
FEATURE_SHARES = (1.0, 1 / 3, 2 / 3)


class RandomForest(Method):
    name: ClassVar[str] = "random_forest"
    title: ClassVar[str] = "Random forest"
    kinds = ("classification", "regression")
    probabilities = True

    def configurations(self) -> list[dict[str, Any]]:
        return [{"features_per_sqrt_d": factor} for factor in FEATURE_FACTORS]

    def regression_configurations(self) -> list[dict[str, Any]]:
        return [{"share_of_features": share} for share in FEATURE_SHARES]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # A bootstrap draws 63 % of 3/4 n rows; even one leaf for each makes fewer than n nodes of 64 + 8c bytes.
        return 30_000_000 + TREES * n * (64 + 8 * c) + 24 * n * d

    def work(self, n: int, d: int, c: int) -> float:
        # Fitted to jobs of 100 to 5000 rows: about 1 ms a tree, and 1 ms for every 1000 rows, more with many features.
        forests = 4 * (len(FEATURE_FACTORS) + 1)
        return forests * TREES * (1e-3 + 1e-6 * n * (1 + math.sqrt(d) / 20))

    def session(self, task: Task) -> Session:
        return _ForestSession(task)


class _ForestSession(Session):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        configurations = RandomForest().configurations_for(self.task.kind)
        known: dict[tuple[int, bytes, bytes], FloatArray] = {}

        def scores(config: Config, fit: IntArray, rows: IntArray) -> FloatArray:
            key = self._tried(config), fit.tobytes(), rows.tobytes()  # of few features, several factors try as many
            if key not in known:
                known[key] = self._fitted(config, fit)(rows)
            return known[key]

        return single_point_paths(self.task, configurations, folds, scores)

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        fitted, scoring = self._fitted(choice.config, train), CpuClock()
        with scoring:
            scores = fitted(test)
        return Prediction(scores, predict_seconds=scoring.seconds)

    def _tried(self, config: Config) -> int:
        """Features tried at each split."""
        d = self.task.X.shape[1]
        if self.task.kind == "regression":
            return max(1, round(config["share_of_features"] * d))
        return tried_features(config["features_per_sqrt_d"], d)

    def _fitted(self, config: Config, fit: IntArray) -> Callable[[IntArray], FloatArray]:
        """A forest of the rows ``fit``: what scores rows by mean class shares of the leaves, (m, n_classes), or mean
        targets, (m, 1)."""
        if self.task.kind == "regression":
            return self._fitted_to_numbers(config, fit)
        classes = fit_classes(self.task, fit)
        if classes.single:
            return lambda rows: classes.certain(len(rows))
        forest = RandomForestClassifier(
            n_estimators=TREES,
            max_features=self._tried(config),
            random_state=self.task.seed,
            n_jobs=1,
        )
        forest.fit(self.task.X[fit].astype(np.float32), classes.codes)
        return lambda rows: classes.expand(forest.predict_proba(self.task.X[rows].astype(np.float32)))

    def _fitted_to_numbers(self, config: Config, fit: IntArray) -> Callable[[IntArray], FloatArray]:
        forest = RandomForestRegressor(
            n_estimators=TREES,
            max_features=self._tried(config),
            random_state=self.task.seed,
            n_jobs=1,
        )
        forest.fit(self.task.X[fit].astype(np.float32), known_targets(self.task, fit, "fit"))
        return lambda rows: forest.predict(self.task.X[rows].astype(np.float32))[:, None]


def tried_features(factor: float, d: int) -> int:
    """Features tried at each split: ``factor * sqrt(d)`` rounded, within 1..d."""
    return min(d, max(1, round(factor * math.sqrt(d))))
