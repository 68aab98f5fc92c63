r"""Sparse linear regression by a linear Recursive Feature Machine with a diagonal metric.

The model f(x) = x'w has gradient w everywhere, so the diagonal of its average gradient outer product is w^2. lin-RFM
(Radhakrishnan, Belkin, Drusvyatskiy, arXiv 2401.04553) alternates between ridge regression on features multiplied by
m = (w^2 / u + s)^alpha and this update of m, u the largest squared coefficient of the first fit: a constant, which
makes m and the ridge mean the same whatever the units of y. In terms of the weights D = m^2 of features, one step is

    w <- D X' (X D X' + ridge I)^-1 y,    D <- (w^2 / u + s)^(2 alpha),

which for ridge -> 0 is a step of IRLS-p (Daubechies et al. 2010; Chartrand and Yin 2008) with p = 2 - 4 alpha: basis
pursuit at alpha = 1/4, the sum of logarithms at alpha = 1/2. The smoothing s starts large and is divided by ten
whenever the iteration has settled for it, as Chartrand and Yin do: a small s from the start ends in the nearest local
minimum.
"""

from __future__ import annotations

import warnings
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d, validate_data

from rfm import parameters
from rfm.linalg import gram_lower, solve_ridge
from rfm.refit import all_or_nothing
from rfm.targets import Validation

FloatArray = NDArray[np.float64]

_LARGE_RIDGE = 0.25
"""A ridge above this part of the features' largest sum of squares takes a fifth or more off every feature's coefficient
where it is fitted alone: no longer the small number that exact targets ask for."""


class LinearRFM(RegressorMixin, BaseEstimator):
    """Linear regression whose features are reweighted by their learned importance until few are left.

    Ridge regression on features multiplied by m = (w^2 / u + s)^alpha alternates with this update of m (lin-RFM, arXiv
    2401.04553); :mod:`rfm.linear` has the formulas.

    Parameters
    ----------
    alpha : float, default=0.5
        Power of the AGOP, > 0; p = 2 - 4 alpha of IRLS-p.
    ridge : float, default=1e-10
        Above 0, added to the diagonal of X D X': in the units of squared features, as in ridge regression. With noisy
        targets select it by validation; with exact ones leave it small.
    smoothing : float, default=1.0
        Where the smoothing s starts, in units of the largest squared coefficient of the first fit.
    smoothing_end : float, default=1e-12
        Where it ends, in the same units. Equal to ``smoothing``, s stays as it is.
    iterations : int, default=300
        At most so many fits after the first, which is ridge regression.
    tol : float, default=1e-7
        Relative change of the coefficients at which to stop once s is at its end.
    patience : int, default=30
        With a validation set: iterations without a better R^2 on it after which to stop.
    fit_intercept : bool, default=True
        Whether to fit a constant, unpenalised.

    Attributes
    ----------
    coef_ : ndarray of shape (d,)
        Coefficients.
    intercept_ : float
        The constant; 0 without one.
    M_ : ndarray of shape (d,)
        The diagonal metric m, without units.
    n_iter_ : int
        Fits after the first.
    best_iteration_ : int
        The iteration that was kept.
    converged_ : bool
        Whether the iteration settled, or the validation set ended it.
    stopped_ : str
        Why it stopped: ``"change"``, ``"validation"`` or, not converged, ``"iterations"``.
    path_ : ndarray of shape (n_iter_ + 1,) or None
        R^2 on the validation set after 0, 1, ... updates; None without one.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        *,
        ridge: float = 1e-10,
        smoothing: float = 1.0,
        smoothing_end: float = 1e-12,
        iterations: int = 300,
        tol: float = 1e-7,
        patience: int = 30,
        fit_intercept: bool = True,
    ) -> None:
        self.alpha = alpha
        self.ridge = ridge
        self.smoothing = smoothing
        self.smoothing_end = smoothing_end
        self.iterations = iterations
        self.tol = tol
        self.patience = patience
        self.fit_intercept = fit_intercept

    @all_or_nothing
    def fit(self, X: ArrayLike, y: ArrayLike, validation: Validation | None = None) -> Self:
        """Fit targets ``y`` (n,) on the rows of ``X`` (n, d).

        With ``validation``, rows and targets (Xv, yv), the iteration with the best R^2 on them is kept, the first of
        equals, and ``patience`` ends the search. Bad parameters and targets raise ``ValueError``; an iteration that has
        not settled when its steps are used up warns (``ConvergenceWarning``) and keeps the best it has. A ridge that is
        not small against the features' sums of squares warns (``UserWarning``): the coefficients are shrunk then.
        """
        owner = type(self).__name__
        alpha = parameters.positive(owner, "alpha", self.alpha)
        ridge = parameters.positive(owner, "ridge", self.ridge)
        start = parameters.positive(owner, "smoothing", self.smoothing)
        end = parameters.positive(owner, "smoothing_end", self.smoothing_end, at_most=start)
        iterations = parameters.count(owner, "iterations", self.iterations, at_least=0)
        tol = parameters.positive(owner, "tol", self.tol)
        patience = parameters.count(owner, "patience", self.patience, at_least=1)
        centred = parameters.flag(owner, "fit_intercept", self.fit_intercept)
        features, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        targets = column_or_1d(targets, warn=True).astype(np.float64)
        judge = None if validation is None else self._checked(validation)

        center, level = (features.mean(axis=0), targets.mean()) if centred else (np.zeros(features.shape[1]), 0.0)
        # Squares of coefficients would over- or underflow in the units of targets that are very large or small.
        scale = float(np.max(np.abs(targets - level), initial=0.0)) or 1.0
        self._warn_of_ridge(features - center, ridge)
        problem = _Weighted(features - center, (targets - level) / scale, ridge)
        if judge is not None:
            judge = judge[0] - center, (judge[1] - level) / scale
        path: list[float] = []
        D = np.ones(features.shape[1])
        w = problem.solve(D)
        unit = float(np.max(w**2, initial=0.0))
        best = (self._worth(judge, w, path), 0, w, D)
        self.stopped_, step, relative = "change" if unit == 0.0 else "iterations", 0, start
        while self.stopped_ == "iterations" and step < iterations:
            step += 1
            D = (w**2 / unit + relative) ** (2 * alpha)
            previous, w = w, problem.solve(D)
            worth = self._worth(judge, w, path)
            if judge is None or worth > best[0]:
                best = (worth, step, w, D)
            change = np.linalg.norm(w - previous) / max(float(np.linalg.norm(w)), np.finfo(float).tiny)
            if relative > end:
                if change < np.sqrt(relative) / 100:
                    relative = max(end, relative / 10)
            elif change <= tol:
                self.stopped_ = "change"
            if judge is not None and step - best[1] >= patience:
                self.stopped_ = "validation"
        self.converged_ = self.stopped_ != "iterations"
        self.n_iter_, self.path_ = step, np.array(path) if judge is not None else None
        _, self.best_iteration_, w, D = best
        self.coef_ = scale * w
        self.intercept_ = float(level - center @ self.coef_)
        self.M_ = np.sqrt(D)
        if not self.converged_ and iterations:
            warnings.warn(
                f"{owner} did not converge in {iterations} iterations (smoothing {relative:.1g} of {end:.1g}): "
                f"iteration {self.best_iteration_} is kept; raise iterations, or smoothing_end",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """x'w + intercept (m,) for the rows of ``X`` (m, d)."""
        check_is_fitted(self)
        checked = validate_data(self, X, dtype=np.float64, reset=False)
        predicted: FloatArray = checked @ self.coef_ + self.intercept_
        return predicted

    def _warn_of_ridge(self, features: FloatArray, ridge: float) -> None:
        largest = float(np.max(np.einsum("ij,ij->j", features, features), initial=0.0))
        if largest > 0 and ridge > _LARGE_RIDGE * largest:
            mean_square = float(np.mean(features**2))
            warnings.warn(
                f"ridge {ridge:.2g} is not small against the features (mean square {mean_square:.2g}, largest sum of "
                f"squares {largest:.2g}): coefficients are shrunk towards 0; scale the features, or lower ridge, which "
                "is in units of squared features",
                UserWarning,
                stacklevel=4,
            )

    def _checked(self, validation: Validation) -> tuple[FloatArray, FloatArray]:
        try:
            rows, truth = validation
        except (TypeError, ValueError):
            raise ValueError(f"validation must be a pair (X, y), got {type(validation).__name__}") from None
        checked = validate_data(self, rows, dtype=np.float64, reset=False)
        truth = check_array(truth, dtype=np.float64, ensure_2d=False, input_name="validation y")
        check_consistent_length(checked, truth)
        return checked, column_or_1d(truth)

    @staticmethod
    def _worth(judge: tuple[FloatArray, FloatArray] | None, w: FloatArray, path: list[float]) -> float:
        """R^2 of coefficients ``w`` on the validation set, noted in ``path``; 0 without one."""
        if judge is None:
            return 0.0
        rows, truth = judge
        spread = float(np.sum((truth - truth.mean()) ** 2)) or 1.0
        path.append(1.0 - float(np.sum((truth - rows @ w) ** 2)) / spread)
        return path[-1]


class _Weighted:
    """Ridge regression with weighted features, in the coordinates of the directions that the rows of X span.

    With X = U Z (U (n, r) orthonormal, r the rank of X), w = D Z' (Z D Z' + ridge I)^-1 U'y. Directions in which X is
    zero up to rounding have no part in it: with a ridge as small as rounding, their noise would be all that is seen.
    """

    def __init__(self, X: FloatArray, y: FloatArray, ridge: float) -> None:
        U, s, Vt = np.linalg.svd(X, full_matrices=False)
        kept = s > max(X.shape) * np.finfo(float).eps * s.max(initial=0.0)
        self._Z, self._ridge = torch.from_numpy(np.ascontiguousarray(s[kept, None] * Vt[kept])), ridge
        self._y = torch.from_numpy(U[:, kept].T @ y)[:, None]

    def solve(self, D: FloatArray) -> FloatArray:
        """w (d,) for weights ``D`` (d,) of the features."""
        root = torch.from_numpy(np.sqrt(D))
        scaled = (self._Z * root).T.contiguous()  # (d, r)
        if not scaled.shape[1]:
            return np.zeros(len(D))
        K = gram_lower(scaled)
        # A ridge below the rounding of K's diagonal would regularise nothing.
        least = 4 * float(np.finfo(float).eps) * float(K.diagonal().max())
        u = scaled @ solve_ridge(K, max(self._ridge, least), self._y).alpha
        w: FloatArray = (root[:, None] * u)[:, 0].numpy()
        return w
