"""Sparse regression without noise: how often are the coefficients found?"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import OrthogonalMatchingPursuit, lars_path

from bench.study.baselines.vector_networks import trained_to_the_end
from rfm.completion.entries import FloatArray
from rfm.linear import LinearRFM

ALPHAS = (0.25, 0.5)
NETWORK_DEPTHS, NETWORK_STARTS = (2, 3, 4), (1e-2, 1e-4, 1e-6, 1e-8)


def sparse(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Relative errors of every method on ``problems`` draws: Gaussian X (n, d), ``nonzeros`` Gaussian coefficients.

    Nothing is held out and nothing chosen: alpha and starts are given, of a network the best of the starts counts, by
    the truth. ``unfinished``: of networks, whether from one of the starts a residual was left.
    """
    n, d, nonzeros, problems = (int(parameters[key]) for key in ("n", "d", "nonzeros", "problems"))
    X, W = problem(n, d, nonzeros, problems, seed)
    y = np.einsum("bnd,bd->bn", X, W)
    methods: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
        **{f"lin-RFM {alpha:g}": _lin_rfm(alpha) for alpha in ALPHAS},
        "Lasso": basis_pursuit,
        "OMP": matching_pursuit,
    }
    errors, seconds, unfinished = {}, {}, {}
    for name, method in methods.items():
        began = time.process_time()
        found = np.stack([method(A, b) for A, b in zip(X, y, strict=True)])
        seconds[name] = (time.process_time() - began) / problems
        errors[name] = _relative(found, W)
    for depth in NETWORK_DEPTHS:
        began = time.process_time()
        tried = [[trained_to_the_end(A, b, depth, a) for A, b in zip(X, y, strict=True)] for a in NETWORK_STARTS]
        seconds[f"network {depth}"] = (time.process_time() - began) / problems
        by_start = np.array([_relative(np.stack([one.w for one in some]), W) for some in tried])
        # The best start problem by problem, by the truth: more than any choice among them could give it.
        errors[f"network {depth}"] = by_start.min(axis=0).tolist()
        unfinished[f"network {depth}"] = np.any([[not one.ended for one in some] for some in tried], axis=0).tolist()
    return {"errors": errors, "seconds": seconds, "unfinished": unfinished, "starts": list(NETWORK_STARTS)}


def problem(n: int, d: int, nonzeros: int, problems: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """X (b, n, d) of independent normal entries with variance 1 / n, and coefficients (b, d)."""
    rng = np.random.default_rng([seed, n, d, nonzeros])
    X = rng.standard_normal((problems, n, d)) / np.sqrt(n)
    W = np.zeros((problems, d))
    for w in W:
        w[rng.choice(d, nonzeros, replace=False)] = rng.standard_normal(nonzeros)
    return X, W


def _relative(found: FloatArray, W: FloatArray) -> list[float]:
    errors: list[float] = (np.linalg.norm(found - W, axis=1) / np.linalg.norm(W, axis=1)).tolist()
    return errors


def _lin_rfm(alpha: float) -> Callable[[FloatArray, FloatArray], FloatArray]:
    def solve(X: FloatArray, y: FloatArray) -> FloatArray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return LinearRFM(alpha, fit_intercept=False).fit(X, y).coef_

    return solve


def basis_pursuit(X: FloatArray, y: FloatArray) -> FloatArray:
    """The Lasso at the end of its path, where nothing is shrunk any more: least absolute values through the data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an early end of the path, where it is degenerate
        _, _, coefficients = lars_path(X, y, method="lasso", alpha_min=0.0, max_iter=5 * X.shape[1])
    last: FloatArray = coefficients[:, -1]
    return last


def matching_pursuit(X: FloatArray, y: FloatArray) -> FloatArray:
    """Orthogonal matching pursuit until nothing is left; the number of nonzeros is not told to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        model = OrthogonalMatchingPursuit(tol=1e-16 * float(y @ y), fit_intercept=False).fit(X, y)
    coefficients: FloatArray = model.coef_
    return coefficients
