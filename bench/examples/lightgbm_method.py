"""LightGBM: gradient-boosted trees grown leaf by leaf. Boosting rounds are the iteration path."""

from lightgbm import LGBMClassifier, LGBMRegressor

from bench.methods.plugin import EstimatorMethod

FIXED = {"deterministic": True, "force_row_wise": True, "verbose": -1}


class LightGBM(EstimatorMethod):
    name = "lightgbm"
    title = "LightGBM"
    grid = {"num_leaves": [7, 31], "learning_rate": [0.1, 0.3], "min_child_samples": [20, 3]}
    iterations = (10, 20, 30, 50, 75, 100, 150, 200)

    def classifier(self, config, fitting):
        return LGBMClassifier(**config, **FIXED)

    def regressor(self, config, fitting):
        return LGBMRegressor(**config, **FIXED)

    def staged_scores(self, estimator, X, iterations):
        predict = getattr(estimator, "predict_proba", estimator.predict)
        return (predict(X, num_iteration=rounds) for rounds in iterations)
