"""xRFM (Beaglehole et al., arXiv 2508.10053): a tree of recursive feature machines, by its authors' package `xrfm`.

It chooses its own iteration, on rows that it must be given: a stratified fifth of what it is fitted on. It is a
classifier for whole numbers and a regressor for others.
"""

import numpy as np
from xrfm import xRFM

from bench.methods.plugin import EstimatorMethod
from bench.protocols.rows import inner_split


class XRFM(EstimatorMethod):
    name = "xrfm"
    title = "xRFM"
    grid = {"reg": [1e-3, 1e-2, 0.1, 1.0], "diag": [False, True]}

    def classifier(self, config, fitting):
        model = {
            "kernel": "l2",
            "bandwidth": 10.0,
            "exponent": 1.0,
            "diag": config["diag"],
            "bandwidth_mode": "constant",
        }
        fit = {"reg": config["reg"], "iters": 5, "verbose": False, "early_stop_rfm": True}
        return xRFM({"model": model, "fit": fit}, device="cpu", n_threads=1, random_state=fitting.seed, verbose=False)

    regressor = classifier

    def fit(self, estimator, X, y, seed):
        strata = y if y.dtype.kind == "i" else np.zeros(len(y), dtype=np.int64)
        fitted, held_out = inner_split(strata, seed)
        return estimator.fit(X[fitted], y[fitted], X[held_out], y[held_out])

    def peak_bytes(self, n, d, c):
        # Measured at 1500 rows: 4 (3 + 2.2 c) bytes for each pair of the rows it is fitted on, at most 0.6 n.
        return super().peak_bytes(n, d, c) + 3 * n * n * (2 + c)
