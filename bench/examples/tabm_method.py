"""TabM (Gorishniy, Kotelnikov & Babenko, ICLR 2025) with the defaults of `pytabkit`: 32 networks that share weights.

It stops early on rows that it must be given: a stratified fifth of what it is fitted on. Needs the package `pytabkit`
(Apache 2.0).
"""

import numpy as np
from pytabkit import TabM_D_Classifier, TabM_D_Regressor

from bench.methods.plugin import EstimatorMethod
from bench.protocols.rows import inner_split


class TabM(EstimatorMethod):
    name = "tabm"
    title = "TabM"

    def classifier(self, config, fitting):
        return TabM_D_Classifier(**fixed(fitting))

    def regressor(self, config, fitting):
        return TabM_D_Regressor(**fixed(fitting))

    def fit(self, estimator, X, y, seed):
        strata = y if y.dtype.kind == "i" else np.zeros(len(y), dtype=np.int64)
        _, held_out = inner_split(strata, seed)
        return estimator.fit(X, y, val_idxs=held_out)

    def peak_bytes(self, n, d, c):
        return super().peak_bytes(n, d, c) + 600_000_000

    def work(self, n, d, c):
        return 8 * (3.0 + 100 * n / 256 * 3e-2)


def fixed(fitting):
    """On one thread of the CPU, with the seed of the session."""
    return {"device": "cpu", "n_threads": 1, "random_state": fitting.seed, "verbosity": 0}
