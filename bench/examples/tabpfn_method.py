"""TabPFN v2 (Hollmann et al., Nature 637, 2025), by its authors' package `tabpfn`, with weights that the user provides.

A transformer that was trained on synthetic tables and predicts from the training rows as its input: nothing is tuned.
The folder BENCH_WEIGHTS must have its version 2 weights for classes, for numbers, or both. Nothing is downloaded. The
package is under Apache 2.0; these weights are, as their authors say, under the Prior Labs License (Apache 2.0 with an
attribution clause). Those of later versions are for non-commercial use and are not run here.
"""

import os

from bench.methods.weights import PretrainedMethod

MOST_ROWS, MOST_FEATURES, MOST_CLASSES = 10_000, 500, 10
"""What these weights were trained for."""


class TabPFN(PretrainedMethod):
    name = "tabpfn"
    title = "TabPFN v2"
    library = "tabpfn"
    files = {"classification": "tabpfn-v2-classifier.ckpt", "regression": "tabpfn-v2-regressor.ckpt"}

    def classifier(self, config, fitting):
        from tabpfn import TabPFNClassifier

        return TabPFNClassifier(**self.fixed("classification", fitting))

    def regressor(self, config, fitting):
        from tabpfn import TabPFNRegressor

        return TabPFNRegressor(**self.fixed("regression", fitting))

    def fixed(self, kind, fitting):
        os.environ["TABPFN_ALLOW_CPU_LARGE_DATASET"] = "1"  # it refuses more than 1,000 rows on a CPU otherwise
        return {"model_path": str(self.weights[kind].file), "device": "cpu", "random_state": fitting.seed}

    def limitation(self, n, d, c):
        if n > MOST_ROWS or d > MOST_FEATURES or c > MOST_CLASSES:
            return (
                f"{n:,} rows, {d} features, {c} classes: TabPFN v2 was trained for at most {MOST_ROWS:,}, "
                f"{MOST_FEATURES}, {MOST_CLASSES}"
            )
        return None
