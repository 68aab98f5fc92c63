r"""The iteration of lin-RFM for matrix completion: complete in a kernel, learn the kernel from the completion, repeat.

Which side the kernel is on. The published algorithm keeps it between the columns. Alternated, it is between the columns
in one iteration and between the rows in the next, and recovers from far fewer entries: a kernel on one side lets a
column with few entries become a direction of its own. (Ours; harmonic-mean IRLS, Kuemmerle and Sigl 2018, weights both
sides too.)

The ridge. It starts above the noise of the zero-filled matrix, shrinks by a constant factor, and follows the mean
squared error on held-out *observed* entries once that is smaller: an error of e per entry leaves eigenvalues of about
e^2 that must be held down, and no larger ones. On noise-free data the two shrink together and convergence is
superlinear; on noisy data the error levels off, and the best iteration is kept. Values are in units of the observed
entries' mean square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from rfm.completion.entries import Entries
from rfm.completion.kernels import ColumnKernel, Completion, DenseKernel, spectral_start
from rfm.completion.rows import RowSystems

_SINGLE_PRECISION = 1e-5
"""Below this ratio of ridge to the kernel's largest diagonal entry, systems are solved in float64."""

_LEAST_IMPROVEMENT = 1e-3
"""Relative decrease of the held-out squared error that counts as one."""

_SINGULAR = (np.linalg.LinAlgError, torch.linalg.LinAlgError)
"""What a decomposition that rounding has made impossible raises."""


@dataclass(frozen=True)
class Schedule:
    """How to iterate; values as checked, those of :class:`rfm.MatrixCompletion`. ``rank`` is None for dense kernels."""

    alpha: float = 0.5
    alternate: bool = True
    rank: int | None = None
    ridge: float = 1.0
    ridge_decay: float = 0.9
    ridge_end: float = 1e-10
    iterations: int = 500
    tol: float = 1e-8
    patience: int = 30
    single_precision: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Iteration:
    """One step of the path: the ``ridge`` it had and the squared error on held-out entries (NaN without any)."""

    ridge: float
    held_out_error: float


@dataclass
class Fit:
    """``completion`` is the best one, of the matrix itself or, if ``transposed``, of its transpose.

    ``stopped`` says why the iteration ended: "tolerance", "held-out error", "change", "all observed" or, if it did not
    converge, "iterations" or "breakdown".
    """

    completion: Completion
    transposed: bool
    ridge: float
    best_iteration: int
    stopped: str
    path: list[Iteration] = field(default_factory=list)

    @property
    def converged(self) -> bool:
        """Whether the iteration came to its end before its steps were used up."""
        return self.stopped not in ("iterations", "breakdown")


def fit(
    entries: Entries,
    held_out: Entries,
    schedule: Schedule,
    watch: Callable[[int, Completion, bool], None] | None = None,
) -> Fit:
    """Iterate on ``entries``, the ridge and the best iteration chosen by ``held_out`` entries (may be empty).

    The best kernel then completes the matrix once more a side from all entries, the held-out ones too. ``watch`` is
    told (iteration, completion, transposed) of every step and changes nothing.
    """
    sides = (RowSystems(entries), RowSystems(entries.transposed()) if schedule.alternate else None)
    targets = (held_out, held_out.transposed())
    # Where nothing is missing no dense kernel changes anything: the first is as good as the last.
    full = schedule.rank is None and len(entries) == entries.shape[0] * entries.shape[1]
    ridge, transposed = schedule.ridge_end if full else schedule.ridge, False
    kernel = _start(entries, schedule, ridge)
    best: tuple[float, int, ColumnKernel, float, bool] | None = None
    path: list[Iteration] = []
    stopped, waited, previous = "iterations", 0, np.inf
    for step in range(schedule.iterations):
        systems = sides[transposed]
        assert systems is not None
        try:
            completion = kernel.complete(systems)
        except _SINGULAR:
            stopped = "breakdown"
            break
        if watch is not None:
            watch(step, completion, transposed)
        error = _error(completion, targets[transposed])
        path.append(Iteration(ridge, error))
        if len(held_out) and not np.isfinite(error):
            stopped = "breakdown"
            break
        if best is None or not error >= best[0]:
            waited = 0 if best is None or not error >= (1 - _LEAST_IMPROVEMENT) * best[0] else waited + 1
            best = (error, step, kernel, ridge, transposed)
        else:
            waited += 1
        if full:
            stopped = "all observed"
            break
        if error <= schedule.tol**2:
            stopped = "tolerance"
            break
        if len(held_out) and waited > schedule.patience:
            stopped = "held-out error"
            break
        if not len(held_out):
            size = completion.norm()
            if ridge <= schedule.ridge_end and abs(previous - size) <= schedule.tol * size:
                stopped = "change"
                break
            previous = size
        smaller = schedule.ridge_decay * ridge
        ridge = max(schedule.ridge_end, min(smaller, error) if np.isfinite(error) else smaller)
        try:
            kernel = _in_precision(_learned(completion, ridge, schedule), schedule)
        except _SINGULAR:
            stopped = "breakdown"
            break
        transposed ^= schedule.alternate
    if best is None:
        raise ValueError("the first completion is not finite: bring the entries to a common scale")
    error, step, kernel, ridge, transposed = best
    try:
        completion, transposed = _settled(_joined(entries, held_out), kernel, ridge, transposed, schedule)
    except _SINGULAR:  # the best iteration as it was, then
        stopped, completion = "breakdown", kernel.complete(_systems(entries, transposed))
    return Fit(completion, transposed, ridge, step, stopped, path)


def _start(entries: Entries, schedule: Schedule, ridge: float) -> ColumnKernel:
    if schedule.rank is None:
        return _in_precision(DenseKernel(np.eye(entries.shape[1]), ridge ** (2 * schedule.alpha)), schedule)
    return _in_precision(spectral_start(entries, schedule.rank, ridge, schedule.alpha, schedule.seed), schedule)


def _learned(completion: Completion, ridge: float, schedule: Schedule) -> ColumnKernel:
    """The next kernel: between the rows if sides alternate, else between the columns again."""
    if schedule.alternate:
        return completion.row_kernel(ridge, schedule.alpha)
    return completion.column_kernel(ridge, schedule.alpha)


def _in_precision(kernel: ColumnKernel, schedule: Schedule) -> ColumnKernel:
    single = schedule.single_precision and kernel.floor > _SINGLE_PRECISION * kernel.largest()
    return kernel.astype(np.float32 if single else np.float64)


def _settled(
    entries: Entries, kernel: ColumnKernel, ridge: float, transposed: bool, schedule: Schedule
) -> tuple[Completion, bool]:
    """All entries completed in ``kernel``, and in the kernel that this gives, in float64; whether transposed."""
    completion = kernel.astype(np.float64).complete(_systems(entries, transposed))
    kernel = _learned(completion, ridge, schedule).astype(np.float64)
    transposed ^= schedule.alternate
    return kernel.complete(_systems(entries, transposed)), transposed


def _systems(entries: Entries, transposed: bool) -> RowSystems:
    return RowSystems(entries.transposed() if transposed else entries)


def _error(completion: Completion, held_out: Entries) -> float:
    """Mean squared error on held-out entries; NaN if there are none."""
    if not len(held_out):
        return float("nan")
    return float(np.mean((completion.values(held_out) - held_out.values) ** 2))


def _joined(entries: Entries, others: Entries) -> Entries:
    rows, cols = np.concatenate([entries.rows, others.rows]), np.concatenate([entries.cols, others.cols])
    order = np.lexsort((cols, rows))
    values = np.concatenate([entries.values, others.values])
    return Entries(rows[order], cols[order], values[order], entries.shape)
