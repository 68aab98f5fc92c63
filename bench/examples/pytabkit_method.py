"""RealMLP and TabM with their default settings, by the package `pytabkit` (Apache 2.0; needs PyTorch Lightning).

RealMLP-TD: Holzmüller, Grinsztajn & Steinwart, NeurIPS 2024. TabM, 32 networks that share most of their weights:
Gorishniy, Kotelnikov & Babenko, ICLR 2025. Both choose their epoch on rows that they must be given: a stratified fifth
of what they are fitted on. Their defaults are made to need no tuning, so there is one configuration.
"""

import contextlib
import io
import warnings

import numpy as np
from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor, TabM_D_Classifier, TabM_D_Regressor
from sklearn.dummy import DummyClassifier, DummyRegressor

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
        classes = y.dtype.kind == "i"
        if np.ptp(X, axis=0).max() == 0:  # it drops constant columns, and none would be left
            return (DummyClassifier() if classes else DummyRegressor()).fit(X, y)
        strata = y if classes else np.zeros(len(y), dtype=np.int64)
        _, held_out = inner_split(strata, seed)
        # Lightning's advice on loggers and workers; what TabM prints of its bins on few rows
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return estimator.fit(X, y, val_idxs=held_out)

    def peak_bytes(self, n, d, c):
        return super().peak_bytes(n, d, c) + 500_000_000

    def work(self, n, d, c):
        # Measured on 150 and 194 rows: 2 s for one of the eight fits.
        return 8 * 2.0 * max(1.0, 0.6 * n / 256)


class TabM(RealMLP):
    name = "tabm"
    title = "TabM"

    def classifier(self, config, fitting):
        return TabM_D_Classifier(**fixed(fitting))

    def regressor(self, config, fitting):
        return TabM_D_Regressor(**fixed(fitting))

    def work(self, n, d, c):
        # Measured on 150 rows: 4 s a fit.
        return 2 * super().work(n, d, c)


def fixed(fitting):
    """On one thread of the CPU, with the seed of the session."""
    return {"device": "cpu", "n_threads": 1, "random_state": fitting.seed, "verbosity": 0}
