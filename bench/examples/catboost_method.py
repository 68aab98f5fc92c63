"""CatBoost (Prokhorenkova et al., NeurIPS 2018): boosted symmetric trees. Boosting rounds are the iteration path.

Every column is taken as numbers, as the other methods take it. Needs the package `catboost` (Apache 2.0).
"""

import numpy as np
from catboost import CatBoostClassifier, CatBoostRegressor

from bench.methods.plugin import EstimatorMethod

ROUNDS = (10, 20, 30, 50, 75, 100, 150, 200, 300)


class CatBoost(EstimatorMethod):
    name = "catboost"
    title = "CatBoost"
    grid = {"depth": [6, 3], "learning_rate": [0.1, 0.3]}
    iterations = ROUNDS
    iteration_parameter = "iterations"

    def classifier(self, config, fitting):
        return CatBoostClassifier(**config, **fixed(fitting))

    def regressor(self, config, fitting):
        return CatBoostRegressor(**config, **fixed(fitting))

    def fit(self, estimator, X, y, seed):
        # It refuses a table all of whose columns are constant: there a feature of noise says as little.
        if np.ptp(X, axis=0).max() == 0:
            X = np.column_stack([X, np.random.default_rng(seed).standard_normal(len(X))])
        return estimator.fit(X, y)

    def staged_scores(self, estimator, X, iterations):
        if estimator.n_features_in_ > X.shape[1]:
            X = np.column_stack([X, np.zeros(len(X))])
        predict = getattr(estimator, "predict_proba", estimator.predict)
        return (predict(X, ntree_end=rounds) for rounds in iterations)

    def work(self, n, d, c):
        fits = 4 * (len(self.configurations()) + 1)
        return fits * ROUNDS[-1] * (5e-4 + 1e-7 * n * d) * max(1, c - 1)


def fixed(fitting):
    """What all configurations have: one thread, a seed, the longest path, and no files."""
    return {
        "iterations": ROUNDS[-1],
        "thread_count": 1,
        "random_seed": fitting.seed,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
