"""TabICL v2 (Qu, Holzmüller, Varoquaux & Le Morvan, arXiv 2502.05564), with weights that the user provides.

A transformer that was trained on synthetic tables and predicts from the training rows as its input: nothing is tuned.
The folder BENCH_WEIGHTS must have its weights for classes, for numbers, or both. Nothing is downloaded. The package
`tabicl` is under the BSD 3-clause licence; of its weights it says nothing else.
"""

from bench.methods.plugin import EstimatorMethod
from bench.methods.weights import fitted, given_weights, require

FILES = {
    "classification": "tabicl-classifier-v2-20260212.ckpt",
    "regression": "tabicl-regressor-v2-20260212.ckpt",
}


class TabICL(EstimatorMethod):
    name = "tabicl"
    title = "TabICL v2"

    def __init__(self):
        require("tabicl")
        self.weights = given_weights("tabicl", FILES)
        self.kinds = tuple(self.weights)

    def configurations(self):
        return [self.weights["classification"].config] if "classification" in self.weights else []

    def regression_configurations(self):
        return [self.weights["regression"].config] if "regression" in self.weights else []

    def classifier(self, config, fitting):
        from tabicl import TabICLClassifier

        return TabICLClassifier(**self.fixed("classification", fitting))

    def regressor(self, config, fitting):
        from tabicl import TabICLRegressor

        return TabICLRegressor(**self.fixed("regression", fitting))

    def fixed(self, kind, fitting):
        file = self.weights[kind].file
        return {
            "model_path": str(file),
            "checkpoint_version": file.name,
            "allow_auto_download": False,
            "device": "cpu",
            "n_jobs": 1,
            "random_state": fitting.seed,
        }

    def fit(self, estimator, X, y, seed):
        kind = "classification" if y.dtype.kind == "i" else "regression"
        return fitted("tabicl", self.weights[kind], estimator, X, y)

    def peak_bytes(self, n, d, c):
        return 1_500_000_000 + 2_000 * n * d

    def work(self, n, d, c):
        return 8 * (1 + 1e-3 * n * (1 + d / 10))
