"""What is fitted and how, common to all engines: the problem, the points of its chains, and the scales of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.kernels import Laplace, RadialKernel
from rfm.rows import Metric
from rfm.solvers.choice import CACHE_BYTES, SOLVERS
from rfm.span import Span

Rows = NDArray[np.int64]

Solving = TypeVar("Solving")

METRIC_SCALINGS = ("none", "trace", "max")


@dataclass(frozen=True)
class Problem:
    """Kernel machines on the rows of one table.

    ``X`` (n, d) float64 and ``Y`` (n, c) float64 targets (one-hot for classification); rows of ``Y`` that are never
    fitted may hold anything. ``dtype`` is the precision of kernels, factors and AGOPs; residuals and scores are
    accumulated in float64. ``diagonal`` learns only the diagonal of M, ``center_gradients`` uses centred gradients,
    ``metric_scaling`` divides each new M by its trace / d or its largest entry (the published code: ``"none"``).
    ``seed`` draws the order of the rows of tables too large for direct solutions, ``solver``, one of
    :data:`rfm.solvers.choice.SOLVERS`, asks for a way to solve them, and ``cache_bytes`` of a kernel matrix are kept
    there; ``"cg"`` and ``"eigenpro"`` are followed at any size. ``engine``, ``"native"`` or
    ``"python"``, asks for one, as :func:`rfm.engines.engine` has it.
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    kernel: RadialKernel = field(default_factory=Laplace)
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    diagonal: bool = False
    center_gradients: bool = False
    metric_scaling: str = "none"
    seed: int = 0
    engine: str | None = None
    solver: str = "auto"
    cache_bytes: int = CACHE_BYTES

    def __post_init__(self) -> None:
        if self.metric_scaling not in METRIC_SCALINGS:
            raise ValueError(f"metric_scaling must be one of {METRIC_SCALINGS}, got {self.metric_scaling!r}")
        if self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {SOLVERS}, got {self.solver!r}")
        check_shapes(self.X, self.Y)

    def given_to(self, kind: Callable[..., Solving], **more: Any) -> Solving:
        """What solves this problem: a ``kind`` of problem of the same fields, and of ``more`` of its own."""
        return kind(**{item.name: getattr(self, item.name) for item in fields(Problem)}, **more)


@dataclass(frozen=True)
class Point:
    """One point of a chain, evaluated: the predictor after ``iteration`` updates.

    ``scores`` (m, c) are its values on the rows that were not fitted, ``metric`` the M it was fitted in ((d, d), as
    factors where d > n; (d,) with ``diagonal``; None for the identity), ``alpha`` (n, c) its dual coefficients,
    ``solver`` how its system was solved. ``account`` is what else is worth recording, JSON-able: of large tables rows,
    epochs, the solvers of the updates. ``score_seconds``, of a single fit alone, are the CPU seconds of scoring: the
    kernel between the rows scored and the fitted ones, its product with ``alpha``, and the part, by the number of rows,
    of preparing all rows, which is done together.
    """

    unit_norm: bool
    ridge: float
    iteration: int
    scores: NDArray[np.float64]
    metric: Metric | None
    alpha: torch.Tensor
    solver: str
    account: Mapping[str, Any] = field(default_factory=dict)
    score_seconds: float = 0.0


class Chains(Protocol):
    """What solves a :class:`Problem` for a number of fitted rows; :func:`rfm.large.chains_of` chooses."""

    def points(
        self, fit: Rows, validation: Rows, *, ridges: Sequence[float], unit_norms: Sequence[bool], iterations: int
    ) -> Iterator[Point]:
        """All points of the chains of a grid fitted on ``fit``, in no promised order."""

    def fit(
        self,
        train: Rows,
        test: Rows,
        *,
        ridge: float,
        unit_norm: bool,
        iterations: int = 0,
        metric: Metric | None = None,
    ) -> Point:
        """Kernel ridge regression on ``train``, in ``metric`` or after ``iterations`` updates; scores of ``test``."""

    def learn(self, train: Rows, *, ridge: float, unit_norm: bool, iterations: int) -> Metric | None:
        """The metric after ``iterations`` updates on the rows ``train`` (None, the identity, after 0)."""


def check_shapes(X: NDArray[np.float64], Y: NDArray[np.float64]) -> None:
    """Raise ``ValueError`` unless ``X`` is (n, d) and ``Y`` (n, c), with d > 0 features and c > 0 targets."""
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"X must be (n, d) with at least one feature, got shape {X.shape}")
    if Y.ndim != 2 or Y.shape[1] == 0 or len(Y) != len(X):
        raise ValueError(
            f"Y must be ({len(X)}, c) with at least one column of targets, a row for each of X, got shape {Y.shape}"
        )


def unit_rows(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of ``X`` divided by their Euclidean norms; an all-zero row stays zero."""
    largest = np.abs(X).max(axis=1, keepdims=True, initial=0.0)  # first, so that no square overflows or vanishes
    scaled = X / np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1.0))


def centred_rows(table: NDArray[np.float64], fitted: Rows, others: Rows) -> NDArray[np.float64]:
    """The rows ``fitted`` and ``others`` of ``table`` less the median of those fitted.

    Distances do not change under a common shift; without it float32 products lose digits. The median of the fitted rows
    serves: an outlier does not move it, and no other row has a part in it.
    """
    rows = table[np.concatenate([fitted, others])]
    return np.asarray(rows - np.median(rows[: len(fitted)], axis=0))


def power_of_two(targets: NDArray[np.float64]) -> float:
    """1 for targets of an ordinary size, else the power of two below the largest: dividing by it rounds nothing."""
    largest = np.abs(targets).max(initial=0.0)
    if largest == 0.0 or 1e-6 <= largest <= 1e6:
        return 1.0
    return float(2.0 ** np.floor(np.log2(largest)))


def scale_metric(
    M: torch.Tensor, scaling: str, gain: float | torch.Tensor = 1.0, span: Span | None = None
) -> torch.Tensor:
    """The metric learned from coefficients ``gain`` times as large as those that gave ``M`` (d, d) or (d,), scaled.

    That is ``gain``^2 M, or M over its trace / d or its largest absolute entry; M itself if that is zero. Trace and
    entry are those of the metric among features, also where ``M`` stands among coordinates of a ``span``.
    """
    if scaling == "none":
        return M if isinstance(gain, float) and gain == 1.0 else M * gain * gain
    if span is not None:
        size = span.mean_diagonal(M) if scaling == "trace" else span.largest(M)
    else:
        diagonal = M if M.dim() == 1 else M.diagonal()
        size = diagonal.mean() if scaling == "trace" else M.abs().max()
    return M / torch.where(size > 0, size, 1.0)
