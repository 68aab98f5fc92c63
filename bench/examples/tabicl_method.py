"""TabICL v2 (Qu, Holzmüller, Varoquaux & Le Morvan, arXiv 2502.05564), with weights that the user provides.

A transformer that was trained on synthetic tables and predicts from the training rows as its input: nothing is tuned.
The folder BENCH_WEIGHTS must have its weights for classes, for numbers, or both. Nothing is downloaded. The package
`tabicl` is under the BSD 3-clause licence; of its weights it says nothing else.
"""

from bench.methods.weights import PretrainedMethod


class TabICL(PretrainedMethod):
    name = "tabicl"
    title = "TabICL v2"
    library = "tabicl"
    files = {
        "classification": "tabicl-classifier-v2-20260212.ckpt",
        "regression": "tabicl-regressor-v2-20260212.ckpt",
    }

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
