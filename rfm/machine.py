"""A kernel machine without ceremony: fit f(z) = sum_i K(x_i, z) alpha_i by ridge regression, score new rows.

The estimators of :mod:`rfm.estimators` check what users give and hand it to :func:`fit_machine`. A fitted machine is
plain NumPy (factors of a metric: tensors of the CPU), so that it can be pickled where there is a GPU and used where
there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.arrays import row_blocks
from rfm.factored import FactoredMatrix
from rfm.kernels import RadialKernel, kernel_between_
from rfm.large import SWEEP_ROWS, chains_of
from rfm.linalg import RidgeSolution, solve_ridge
from rfm.ntk import ntk_matrices, ntk_matrix
from rfm.problem import Point, Problem, unit_rows
from rfm.rows import Metric, euclidean_rows, feature_sizes, in_coordinates, metric_root
from rfm.solvers.blocks import Cache
from rfm.solvers.choice import CACHE_BYTES, BlockSolution, solve_blocks
from rfm.solvers.tangent import TangentBlocks
from rfm.weighted import weighted_chains

FloatArray = NDArray[np.float64]
Judge = Callable[[FloatArray], float]
"""The worth of scores (m, t) of the validation rows: the larger, the better."""

_PREDICTION_BYTES = 64 << 20
"""The kernel between new rows and training rows is formed in blocks of about this size."""


@dataclass(frozen=True)
class NeuralTangent:
    """The kernel of :mod:`rfm.ntk` with ``depth`` hidden layers."""

    depth: int = 1


@dataclass(frozen=True)
class Recipe:
    """How to fit a machine; the values are taken as checked.

    ``iterations`` metric updates follow plain kernel ridge regression (radial kernels only). ``dtype`` is the working
    precision of kernels and factors (the neural tangent kernel works in float64, on large tables in float32). The
    remaining fields are those
    of :class:`rfm.problem.Problem`.
    """

    kernel: RadialKernel | NeuralTangent
    ridge: float
    unit_norm: bool = False
    iterations: int = 0
    diagonal: bool = False
    center_gradients: bool = False
    metric_scaling: str = "none"
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    solver: str = "auto"
    cache_bytes: int = CACHE_BYTES


@dataclass(frozen=True)
class Machine:
    """A fitted machine.

    ``rows`` (n, d) are the training rows as the kernel sees them (divided by their norms if ``unit_norm``, shifted by
    ``-center`` (d,), in working precision), ``alpha`` (n, t) the dual coefficients, ``metric`` the M learned in
    ``iterations`` updates: (d, d), its diagonal (d,), factors of it where d > n, or None for the identity. ``solver``
    says how the last system was solved; ``path`` (iterations + 1,) is the judge's value after 0, 1, ... updates if
    there was a judge.
    """

    kernel: RadialKernel | NeuralTangent
    unit_norm: bool
    center: FloatArray
    rows: NDArray[np.floating]
    alpha: FloatArray
    metric: FloatArray | FactoredMatrix | None
    iterations: int
    solver: str
    path: FloatArray | None = None

    def scores(self, X: FloatArray, device: str = "cpu") -> FloatArray:
        """f (m, t) at the rows of ``X`` (m, d), in float64: a row's score does not depend on the others' presence.

        Raises ``ValueError`` when a row is so large that float64 does not hold its score.
        """
        Z = _as_seen(X, self.unit_norm, self.center)
        _refuse_overflow(Z, _bandwidth(self.kernel), torch.float64, "X")
        Z = _rounded(Z, self.rows.dtype)
        rows, alpha = (_tensor(a, device).double() for a in (self.rows, self.alpha))
        metric = self._metric(device)
        # What of the metric is rounding, the training rows say, as they did in fitting: the new ones in a block must
        # not change each other's distances.
        root = None if metric is None else metric_root(metric, feature_sizes(rows, metric))
        rows = in_coordinates(rows, root)
        kernel = self._kernel_with(rows)
        scores = np.empty((len(Z), self.alpha.shape[1]))
        for start, stop in row_blocks(len(Z), len(rows), 8, budget=_PREDICTION_BYTES):
            new = in_coordinates(torch.as_tensor(Z[start:stop], device=device), root)
            scores[start:stop] = (kernel(new) @ alpha).cpu().numpy()
        beyond = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(beyond):
            raise ValueError(
                f"row {beyond[0]} of X, of norm {np.linalg.norm(Z[beyond[0]]):.3g}, is too large: its score exceeds "
                "float64; standardise the features, or clip them to the range of the training rows"
            )
        return scores

    def _metric(self, device: str) -> Metric | None:
        metric = self.metric
        if isinstance(metric, FactoredMatrix):
            return metric.to(device)
        return None if metric is None else _tensor(metric, device)

    def _kernel_with(self, rows: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """The kernel (m, n) between any rows (m, r) and ``rows`` (n, r), both where the metric is the identity."""
        kernel = self.kernel
        if isinstance(kernel, NeuralTangent):
            return lambda Z: ntk_matrix(Z, rows, kernel.depth)
        fitted = euclidean_rows(rows, kernel.bandwidth)

        def between(Z: torch.Tensor) -> torch.Tensor:
            K = Z.new_empty((len(Z), len(rows)))
            new = euclidean_rows(Z, kernel.bandwidth)
            kernel_between_(kernel, new, fitted, K)
            # A row whose norm in the metric overflows is at no known distance, and its kernel may look like any number.
            return K.masked_fill_(~torch.isfinite(new.close), torch.nan)

        return between


def fit_machine(
    recipe: Recipe,
    X: FloatArray,
    Y: FloatArray,
    validation: tuple[FloatArray, Judge] | None = None,
    weights: FloatArray | None = None,
) -> Machine:
    """Fit targets ``Y`` (n, t) on the rows of ``X`` (n, d), with ``weights`` (n,) > 0 of the rows if given.

    With ``validation``, rows (m, d) and the judge of their scores, the number of updates (at most
    ``recipe.iterations``) that the judge values most is kept, the smallest of equals. Raises ``ValueError`` when values
    are too large or small for the working precision, those of validation rows included.
    """
    if isinstance(recipe.kernel, NeuralTangent):
        if recipe.iterations or validation is not None:
            raise ValueError("no metric is learned with a neural tangent kernel: choose a radial kernel")
        if weights is not None:
            raise ValueError("rows have no weights with a neural tangent kernel: choose a radial kernel")
        return _fit_neural_tangent(recipe, recipe.kernel, X, Y)
    # Distances do not change under a shift, and products in float32 keep their digits. An outlier among the rows does
    # not move their median.
    with np.errstate(over="ignore"):
        center = np.median(_as_seen(X, recipe.unit_norm, np.zeros(X.shape[1])), axis=0)
    rows = _as_seen(X, recipe.unit_norm, center)
    _refuse_overflow(rows, recipe.kernel.bandwidth, recipe.dtype, "X")
    _refuse_large_targets(Y, recipe.dtype)
    numpy_type = np.dtype(np.float32 if recipe.dtype == torch.float32 else np.float64)
    rows = rows.astype(numpy_type).astype(np.float64)  # what is kept is what is fitted
    n = len(rows)
    table, targets = rows, Y
    if validation is not None:
        held_out = _as_seen(validation[0], recipe.unit_norm, center)
        _refuse_overflow(held_out, recipe.kernel.bandwidth, recipe.dtype, "validation X")
        table = np.concatenate([rows, held_out])
        targets = np.concatenate([Y, np.zeros((len(validation[0]), Y.shape[1]))])  # never fitted
    path = None if validation is None else np.full(recipe.iterations + 1, -np.inf)
    best: tuple[int, Point] | None = None
    for iteration, solved in _chain(recipe, table, targets, n, weights):
        if path is not None and validation is not None:
            path[iteration] = validation[1](solved.scores)
        if best is None or path is None or path[iteration] > path[best[0]]:
            best = iteration, solved
    assert best is not None
    iterations, solved = best
    return Machine(
        kernel=recipe.kernel,
        unit_norm=recipe.unit_norm,
        center=center,
        rows=rows.astype(numpy_type),
        alpha=solved.alpha.cpu().numpy().copy(),  # of the native engine it is a slice of all points'
        metric=_kept(solved.metric),
        iterations=iterations,
        solver=solved.solver,
        path=path,
    )


def _kept(metric: Metric | None) -> FloatArray | FactoredMatrix | None:
    if isinstance(metric, FactoredMatrix):
        return metric.to("cpu").clone()  # it may be a slice of all points'
    return None if metric is None else metric.double().cpu().numpy().copy()


def _chain(
    recipe: Recipe, table: FloatArray, targets: FloatArray, n: int, weights: FloatArray | None
) -> Iterator[tuple[int, Point]]:
    """(iteration, predictor) fitted on the first ``n`` rows: every iteration's if there are others, else the last."""
    assert isinstance(recipe.kernel, RadialKernel)
    train, held = np.arange(n), np.arange(n, len(table))
    ridge, iterations = recipe.ridge, recipe.iterations
    problem = Problem(
        table,
        targets,
        kernel=recipe.kernel,
        dtype=recipe.dtype,
        device=recipe.device,
        diagonal=recipe.diagonal,
        center_gradients=recipe.center_gradients,
        metric_scaling=recipe.metric_scaling,
        solver=recipe.solver,
        cache_bytes=recipe.cache_bytes,
    )
    chains = chains_of(problem, n) if weights is None else weighted_chains(problem, weights)
    if len(held):
        for point in chains.points(train, held, ridges=(ridge,), unit_norms=(False,), iterations=iterations):
            yield point.iteration, point
    else:
        yield iterations, chains.fit(train, held, ridge=ridge, unit_norm=False, iterations=iterations)


def _fit_neural_tangent(recipe: Recipe, kernel: NeuralTangent, X: FloatArray, Y: FloatArray) -> Machine:
    center = np.zeros(X.shape[1])  # the kernel depends on angles seen from the origin: no shift
    rows = _as_seen(X, recipe.unit_norm, center)
    _refuse_overflow(rows, _bandwidth(kernel), torch.float64, "X")
    _refuse_large_targets(Y, torch.float64)
    seen, targets = torch.as_tensor(rows, device=recipe.device), torch.as_tensor(Y, device=recipe.device)
    solution: RidgeSolution | BlockSolution
    if len(rows) > SWEEP_ROWS or recipe.solver in ("cg", "eigenpro"):
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).to(seen.device)
        blocks = TangentBlocks(seen[order].float(), kernel.depth)
        cache = Cache(recipe.cache_bytes)
        solved = solve_blocks(blocks, targets[order], recipe.ridge, seed=0, solver=recipe.solver, cache=cache)
        solved.warned(before=False)
        solution = replace(solved, alpha=solved.alpha[order.argsort()])
    else:
        for K in ntk_matrices(seen, kernel.depth):
            deepest = K
        solution = solve_ridge(deepest, recipe.ridge, targets)
    alpha = solution.alpha.cpu().numpy()
    return Machine(kernel, recipe.unit_norm, center, rows, alpha, None, 0, solution.solver)


def _tensor(array: NDArray[np.floating], device: str) -> torch.Tensor:
    """``array``, copied only if it must be: one that may not be written to, as joblib loads them, PyTorch warns of."""
    return torch.as_tensor(np.require(array, requirements="W"), device=device)


def _as_seen(X: FloatArray, unit_norm: bool, center: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):  # refused in clear words by those who call
        return (unit_rows(X) if unit_norm else X) - center


def _rounded(Z: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Rows rounded to ``dtype`` as the training rows were, so that a row seen in training still coincides with itself.

    Values beyond ``dtype`` stay as they are: no training row has them.
    """
    held = np.abs(Z) <= np.finfo(dtype).max
    return np.where(held, np.where(held, Z, 0.0).astype(dtype), Z)


def _bandwidth(kernel: RadialKernel | NeuralTangent) -> float:
    return 1.0 if isinstance(kernel, NeuralTangent) else kernel.bandwidth


def _refuse_overflow(rows: FloatArray, bandwidth: float, dtype: torch.dtype, name: str) -> None:
    """Raise ``ValueError`` if squared distances, in units of the squared bandwidth, exceed ``dtype``.

    The error names the first such row of ``name``.
    """
    with np.errstate(over="ignore"):
        squares = 4.0 * (rows * rows).sum(axis=1)
        scaled = np.maximum(squares, 1.0) / bandwidth / bandwidth
        beyond = np.flatnonzero(~(np.maximum(squares, scaled) < torch.finfo(dtype).max))
        if len(beyond):
            raise ValueError(
                f"row {beyond[0]} of {name} has values up to {np.abs(rows[beyond[0]]).max():.3g}: with bandwidth "
                f"{bandwidth:.3g}, squared distances exceed {_name(dtype)}; "
                "standardise the features or take a larger bandwidth"
            )


def _refuse_large_targets(Y: FloatArray, dtype: torch.dtype) -> None:
    if not np.abs(Y).max() < torch.finfo(dtype).max:
        raise ValueError(f"targets exceed {_name(dtype)}: standardise them")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
