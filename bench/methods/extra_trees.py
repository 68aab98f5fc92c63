"""Extremely randomised trees (Geurts, Ernst & Wehenkel, Machine Learning 63, 2006), scikit-learn's.

Splits are drawn at random and the best of a few is kept; every tree sees all rows.

Grid: the number of features tried at a split, half to twice the authors' default for classes (the square root of d) and
up to that for numbers (d), and leaves of one row (their default for classes) or of three: larger leaves are their means
against noise. Two tables were looked at (lymphography, molec-biol-promoter): one row was selected in all folds there,
so the second value rests on the paper. The wider range of the random forest was not measured here.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from bench.methods import random_forest
from bench.methods.plugin import EstimatorMethod, Fitting
from bench.methods.random_forest import FEATURE_SHARES, tried_features
from bench.records.method import Config

LEAF_ROWS = (1, 3)
FEATURE_FACTORS = (1.0, 0.5, 2.0)


class ExtraTrees(EstimatorMethod):
    name: ClassVar[str] = "extra_trees"
    title: ClassVar[str] = "Extra trees"
    grid: ClassVar[Any] = {"min_samples_leaf": list(LEAF_ROWS), "features_per_sqrt_d": list(FEATURE_FACTORS)}
    regression_grid: ClassVar[Any] = {"min_samples_leaf": list(LEAF_ROWS), "share_of_features": list(FEATURE_SHARES)}

    def classifier(self, config: Config, fitting: Fitting) -> ExtraTreesClassifier:
        tried = tried_features(config["features_per_sqrt_d"], fitting.d)
        return ExtraTreesClassifier(
            random_forest.TREES, max_features=tried, min_samples_leaf=config["min_samples_leaf"]
        )

    def regressor(self, config: Config, fitting: Fitting) -> ExtraTreesRegressor:
        tried = max(1, round(config["share_of_features"] * fitting.d))
        return ExtraTreesRegressor(random_forest.TREES, max_features=tried, min_samples_leaf=config["min_samples_leaf"])

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # Every tree has all 3/4 n rows: fewer than 2n nodes of 64 + 8c bytes.
        return 30_000_000 + random_forest.TREES * 2 * n * (64 + 8 * c) + 24 * n * d

    def work(self, n: int, d: int, c: int) -> float:
        forests = 4 * (len(self.configurations()) + 1)
        return forests * random_forest.TREES * (5e-4 + 5e-7 * n * (1 + math.sqrt(d) / 20))
