"""RealMLP with its tuned defaults (Holzmüller, Grinsztajn & Steinwart, NeurIPS 2024), by its authors' `pytabkit`.

It selects its epoch on rows that it must be given: a stratified fifth of what it is fitted on. Its defaults are meant
to need no tuning, so there is one configuration. Needs the package `pytabkit` (Apache 2.0).
"""

import numpy as np
from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

from bench.methods.plugin import EstimatorMethod
from bench.protocols.rows import inner_split


class RealMLP(EstimatorMethod):
    name = "realmlp"
    title = "RealMLP-TD"

    def classifier(self, config, fitting):
        return RealMLP_TD_Classifier(**fixed(fitting))

    def regressor(self, config, fitting):
        return RealMLP_TD_Regressor(**fixed(fitting))

    def fit(self, estimator, X, y, seed):
        strata = y if y.dtype.kind == "i" else np.zeros(len(y), dtype=np.int64)
        _, held_out = inner_split(strata, seed)
        return estimator.fit(X, y, val_idxs=held_out)

    def peak_bytes(self, n, d, c):
        return super().peak_bytes(n, d, c) + 400_000_000

    def work(self, n, d, c):
        return 8 * (3.0 + 256 * n / 256 * 5e-3)


def fixed(fitting):
    """On one thread of the CPU, with the seed of the session."""
    return {"device": "cpu", "n_threads": 1, "random_state": fitting.seed, "verbosity": 0}
