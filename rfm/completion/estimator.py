"""Matrix completion by linear Recursive Feature Machines, as an estimator."""

from __future__ import annotations

import warnings
from functools import cached_property
from numbers import Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from rfm import parameters
from rfm.completion.entries import Entries, FloatArray, observed_entries, root_mean_square, row_entries
from rfm.completion.fitting import Fit, Schedule, fit
from rfm.completion.kernels import (
    ColumnKernel,
    DenseCompletion,
    FactoredCompletion,
    FactoredKernel,
    above_floor,
    dense_bytes,
    dense_kernel,
    floor_of,
)
from rfm.completion.rows import RowSystems
from rfm.refit import all_or_nothing

_FEWEST_HELD_OUT = 4
"""With fewer held-out entries than this nothing can be selected by them: none are held out then."""

_DENSE_LIMIT_BYTES = 4 << 30
"""Matrices whose dense form, with its kernels, would take more than this need ``max_rank``."""


class MatrixCompletion(TransformerMixin, BaseEstimator):
    """Fill in a low-rank matrix from some of its entries: lin-RFM, arXiv 2401.04553 (:mod:`rfm.completion.fitting`).

    Parameters
    ----------
    alpha : float, default=0.5
        Power of the AGOP, > 0. At 1/2, the default, no eigenvalues are computed; 1/2 - p/4 is the weighting of IRLS-p.
    sides : str, default="alternate"
        ``"alternate"``: the kernel is between the columns and between the rows in turn; ``"columns"``: always between
        the columns, which is the published algorithm's side (its two ridges and its use of unobserved entries are not
        taken over).
    max_rank : int or None, default=None
        None: dense kernels, memory of a few dense matrices, square ones of the larger side if sides alternate: for a
        matrix much longer than wide take ``"columns"`` or a rank. An integer: kernels of at most this rank, kept as
        factors, memory proportional to entries and factors. Take it larger than the rank that is expected (twice is
        plenty).
    ridge : float, default=1.0
        Where the ridge starts, in units of the observed entries' mean square; it shrinks by ``ridge_decay`` an
        iteration, or to the held-out error if that is smaller, down to ``ridge_end``.
    iterations : int, default=1000
        At most so many.
    tol : float, default=1e-7
        Relative root mean squared error on held-out entries at which to stop (without held-out entries: relative change
        of the completed matrix's norm, once the ridge is at its end).
    patience : int, default=30
        Iterations without a better held-out error after which to stop.
    validation_fraction : float, default=0.05
        Part of the *observed* entries that selects the iteration; 0 for none. They take part in the final completion.
        Of fewer than 4 / validation_fraction entries (80 by default, 70 with rounding) none are held out, with a
        warning: the iteration then stops by change, and noise is fitted.
    dtype : str, default="auto"
        ``"auto"``: float32 while the ridge allows it, then float64; or ``"float64"`` throughout.
    random_state : int, RandomState or None, default=0
        Draws the held-out entries.

    Attributes
    ----------
    n_iter_ : int
        Iterations done.
    best_iteration_ : int
        The iteration that was kept.
    ridge_ : float
        The ridge of the best iteration, in the data's units.
    converged_ : bool
        Whether it stopped before the iterations were used up.
    stopped_ : str
        Why it stopped.
    path_ : ndarray of shape (n_iter_, 2)
        Ridge and held-out root mean squared error of each iteration, in the data's units.
    empty_rows_, empty_columns_ : ndarray
        Those without any entry: filled with 0.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        *,
        sides: str = "alternate",
        max_rank: int | None = None,
        ridge: float = 1.0,
        ridge_decay: float = 0.9,
        ridge_end: float = 1e-10,
        iterations: int = 1000,
        tol: float = 1e-7,
        patience: int = 30,
        validation_fraction: float = 0.05,
        dtype: str = "auto",
        random_state: Any = 0,
    ) -> None:
        self.alpha = alpha
        self.sides = sides
        self.max_rank = max_rank
        self.ridge = ridge
        self.ridge_decay = ridge_decay
        self.ridge_end = ridge_end
        self.iterations = iterations
        self.tol = tol
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.dtype = dtype
        self.random_state = random_state

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        mask: ArrayLike | None = None,
        shape: tuple[int, int] | None = None,
        validation: Any = None,
    ) -> Self:
        """Complete ``X``: its observed entries in any form that :func:`rfm.completion.entries.observed_entries` takes.

        ``validation`` are further observed entries of the same matrix, in such a form too, that select the iteration
        instead of a random part of those of ``X``. Raises ``ValueError`` for entries or parameters that make no sense;
        warns where rows or columns have no entry (``UserWarning``) and when the iteration did not converge
        (``ConvergenceWarning``: the best iteration is kept).
        """
        given = observed_entries(X, mask, shape)
        schedule = self._schedule(given)
        if validation is None:
            entries, held_out = self._divided(given)
        else:
            free = given.shape if isinstance(validation, tuple) else None  # other forms have a shape of their own
            entries, held_out = given, observed_entries(validation, shape=free)
            if held_out.shape != given.shape:
                raise ValueError(f"validation entries are of a {held_out.shape} matrix, the others of {given.shape}")
            if len(np.intersect1d(_flat(entries), _flat(held_out))):
                raise ValueError("some validation entries are among the entries to fit: give each in one of the two")
        self._scale = root_mean_square(entries.values) or 1.0
        result = fit(entries.scaled(1 / self._scale), held_out.scaled(1 / self._scale), schedule)
        self._keep(result, given.shape)
        self._warn(entries, held_out, result)
        return self

    def predict(self, rows: ArrayLike, cols: ArrayLike) -> FloatArray:
        """The completed matrix at ``rows`` and ``cols``, (m,) each: ridge regression's value where observed too."""
        check_is_fitted(self)
        i, j = np.asarray(rows), np.asarray(cols)
        if i.shape != j.shape or i.ndim != 1:
            raise ValueError(f"rows and cols must be 1-D of one length, got shapes {i.shape} and {j.shape}")
        if not len(i):
            return np.zeros(0)
        for name, part, size in (("rows", i, self._shape[0]), ("cols", j, self._shape[1])):
            if part.dtype.kind not in "iu" or part.min() < 0 or part.max() >= size:
                raise ValueError(f"{name} must be integers from 0 to {size - 1}")
        if self._dense is not None:
            return self._dense[i, j]
        U, V = self.factors_
        return np.einsum("ij,ij->i", U[i], V[j])

    def transform(self, X: Any, *, mask: ArrayLike | None = None, shape: tuple[int, int] | None = None) -> FloatArray:
        """New rows (m, d), in any form that ``fit`` takes, with what is missing filled in; the observed stays as it is.

        ``mask`` and ``shape`` are as in ``fit``; without a shape the last of (rows, cols, values) says how many rows
        there are. A row is completed in the kernel that the fitted matrix gives; without any entry it is filled with 0.
        """
        check_is_fitted(self)
        entries = row_entries(X, self._shape[1], mask, shape)
        completion = self._column_kernel().complete(RowSystems(entries.scaled(1 / self._scale)))
        if isinstance(completion, DenseCompletion):
            filled = completion.X * self._scale
        else:
            assert isinstance(completion, FactoredCompletion)
            filled = np.asarray(completion.U @ completion.V.T) * self._scale
        filled[entries.rows, entries.cols] = entries.values
        return filled

    def fit_transform(
        self,
        X: Any,
        y: None = None,
        *,
        mask: ArrayLike | None = None,
        shape: tuple[int, int] | None = None,
        validation: Any = None,
    ) -> FloatArray:
        """Fit ``X`` and give its rows (n, d) as ``transform`` fills them in; arguments as in ``fit``."""
        return self.fit(X, mask=mask, shape=shape, validation=validation).transform(X, mask=mask, shape=shape)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        return tags

    @property
    def completed_(self) -> FloatArray:
        """The completed matrix (n, d), dense."""
        check_is_fitted(self)
        if self._dense is not None:
            return self._dense
        U, V = self.factors_
        return np.asarray(U @ V.T)

    @cached_property
    def factors_(self) -> tuple[FloatArray, FloatArray]:
        """U (n, r) with orthonormal columns and V (d, r) with U V' the completed matrix up to the rank estimate r."""
        check_is_fitted(self)
        U, s, V = _singular_vectors(self._dense) if self._dense is not None else _of_product(*self._product)
        # Ridge regression takes for noise what has an eigenvalue of X' X / n (of X X' / d, when the last kernel was
        # between the rows) below the ridge.
        rounding = (np.finfo(float).eps * max(self._shape) * s[0]) ** 2
        kept = s**2 > max(self.ridge_ * self._averaged, rounding)
        return U[:, kept], V[:, kept] * s[kept]

    @property
    def rank_(self) -> int:
        """Singular values of the completed matrix above what the ridge takes for noise."""
        return self.factors_[0].shape[1]

    def _column_kernel(self) -> ColumnKernel:
        """The kernel between the columns that the completed matrix gives, in units of the observed entries' size."""
        ridge = max(self.ridge_ / self._scale**2, np.finfo(float).tiny)
        if self._dense is not None:
            return dense_kernel(torch.from_numpy(self._dense / self._scale), ridge, self._alpha)
        V = self.factors_[1]
        s = np.linalg.norm(V, axis=0)
        powers = above_floor((s / self._scale) ** 2 / self._shape[0], ridge, self._alpha)
        return FactoredKernel(V / s * np.sqrt(powers), floor_of(powers, ridge, self._alpha))

    def _schedule(self, entries: Entries) -> Schedule:
        owner = type(self).__name__
        n, d = entries.shape
        alpha = parameters.positive(owner, "alpha", self.alpha)
        alternate = parameters.one_of(owner, "sides", self.sides, ("alternate", "columns")) == "alternate"
        rank = self.max_rank
        if rank is not None:
            rank = parameters.count(owner, "max_rank", rank, at_least=1)
            if rank > min(n, d):
                raise ValueError(f"max_rank is {rank}, more than a {n} x {d} matrix can have: at most {min(n, d)}")
        elif dense_bytes(n, d, alternate, alpha) > _DENSE_LIMIT_BYTES:
            ways = "give max_rank, an upper bound of its rank"
            if alternate and dense_bytes(n, d, False, alpha) <= _DENSE_LIMIT_BYTES:
                ways += f'; or sides="columns", whose kernel is {d} x {d} only'
            elif dense_bytes(d, n, False, alpha) <= _DENSE_LIMIT_BYTES:
                ways += f'; or complete its transpose with sides="columns", whose kernel is {n} x {n} only'
            raise ValueError(f"a {n} x {d} matrix is too large for dense kernels: {ways}")
        ridge = parameters.positive(owner, "ridge", self.ridge)
        return Schedule(
            alpha=alpha,
            alternate=alternate,
            rank=rank,
            ridge=ridge,
            ridge_decay=parameters.positive(owner, "ridge_decay", self.ridge_decay, at_most=1.0),
            ridge_end=parameters.positive(owner, "ridge_end", self.ridge_end, at_most=ridge),
            iterations=parameters.count(owner, "iterations", self.iterations, at_least=1),
            tol=parameters.positive(owner, "tol", self.tol),
            patience=parameters.count(owner, "patience", self.patience, at_least=1),
            single_precision=parameters.one_of(owner, "dtype", self.dtype, ("auto", "float64")) == "auto",
        )

    def _divided(self, entries: Entries) -> tuple[Entries, Entries]:
        """Entries to fit and those held out."""
        share = self.validation_fraction
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share < 1:
            raise ValueError(f"validation_fraction must be in [0, 1), got {share!r}")
        n, d = entries.shape
        count = round(float(share) * len(entries))
        chosen = np.zeros(len(entries), dtype=bool)
        if share > 0 and len(entries) < n * d and count < _FEWEST_HELD_OUT:
            warnings.warn(
                f"{len(entries)} observed entries are too few to hold {share:g} of them out: the iteration stops by "
                "change, and noise is fitted; give validation, a larger validation_fraction, or 0 to say that this "
                "is meant",
                stacklevel=4,
            )
        elif share > 0 and len(entries) < n * d:  # of a matrix in full, nothing is to be predicted
            if count == len(entries):
                raise ValueError(f"validation_fraction {share} holds out all {count} entries: none is left to fit")
            chosen[check_random_state(self.random_state).permutation(len(entries))[:count]] = True
        return entries.part(~chosen), entries.part(chosen)

    def _keep(self, result: Fit, shape: tuple[int, int]) -> None:
        self.__dict__.pop("factors_", None)
        completion, scale = result.completion, self._scale
        self._shape, self._alpha = shape, float(self.alpha)
        self._averaged = shape[1] if result.transposed else shape[0]
        self._dense: FloatArray | None = None
        if isinstance(completion, DenseCompletion):
            fitted = completion.fitted() * scale
            self._dense = np.ascontiguousarray(fitted.T) if result.transposed else fitted
        elif isinstance(completion, FactoredCompletion):
            parts = (completion.U * scale, completion.V)
            self._product = parts[::-1] if result.transposed else parts
        self.n_features_in_ = shape[1]
        self.n_iter_, self.best_iteration_ = len(result.path), result.best_iteration
        self.ridge_ = result.ridge * scale**2
        self.converged_, self.stopped_ = result.converged, result.stopped
        self.path_ = np.array([(i.ridge * scale**2, np.sqrt(i.held_out_error) * scale) for i in result.path])

    def _warn(self, entries: Entries, held_out: Entries, result: Fit) -> None:
        n, d = entries.shape
        self.empty_rows_ = np.setdiff1d(np.arange(n), np.concatenate([entries.rows, held_out.rows]))
        self.empty_columns_ = np.setdiff1d(np.arange(d), np.concatenate([entries.cols, held_out.cols]))
        for name, empty in (("rows", self.empty_rows_), ("columns", self.empty_columns_)):
            if len(empty):
                warnings.warn(
                    f"{len(empty)} {name} have no observed entry ({empty[0]}, ...): filled with 0", stacklevel=4
                )
        if not result.converged:
            warnings.warn(
                f"{type(self).__name__} did not converge ({result.stopped} after {len(result.path)} iterations, "
                f"ridge {result.path[-1].ridge:.2g}): iteration {result.best_iteration} is kept; raise iterations, or "
                "lower ridge_decay",
                ConvergenceWarning,
                stacklevel=4,
            )


def _flat(entries: Entries) -> Any:
    return entries.rows * entries.shape[1] + entries.cols


def _singular_vectors(Z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    U, s, Vt = np.linalg.svd(Z, full_matrices=False)
    return U, s, Vt.T


def _of_product(U: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Singular value decomposition of U V' by QR of both."""
    left, right = np.linalg.qr(U), np.linalg.qr(V)
    inner, s, outer = np.linalg.svd(left.R @ right.R.T)
    return left.Q @ inner, s, right.Q @ outer.T
