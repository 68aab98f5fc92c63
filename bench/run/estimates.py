"""How long a job may take and how much memory it may need: a method's own figures, brought to protocol and splits.

A method states both for a ``clean`` job of :data:`HOLDOUTS` test folds. Nothing here decides an outcome, or is part of
a job's identity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.data.splits import HOLDOUTS, TRAIN_SHARE
from bench.protocols import Protocol
from bench.protocols.ensemble import MOST_CANDIDATES, TOP
from bench.protocols.reduction import LARGE_ROWS
from bench.protocols.rows import VALIDATION_SHARE
from bench.records.dataset import Splits
from bench.records.method import Method

GREEDY_MEMBERS = 2
"""Different members of a greedy ensemble that are refitted: 1.4 to 3.2, the mean of four datasets, by method."""
MEMBERS = {"none": 1, "top5": TOP, "greedy": GREEDY_MEMBERS}
"""What is fitted on the whole training part of a test fold, by the protocol's ensemble."""
CONFIGURATION_POINTS = 10
"""Points of a configuration's path that are counted where their scores are kept; most paths have fewer."""


def estimates(method: Method, n: int, d: int, c: int, protocol: Protocol, splits: Splits) -> tuple[float, int]:
    """(expected seconds, peak bytes). Raises ``ValueError`` if ``method`` states what are no such figures."""
    expected = expected_seconds(method, n, d, c, protocol, splits)
    peak = expected_bytes(method, n, d, c, protocol, splits)
    if not (math.isfinite(expected) and expected >= 0 and math.isfinite(peak) and peak >= 0):
        raise ValueError(f"work and peak_bytes must be finite and not negative, got {expected} s and {peak} bytes")
    return expected, int(peak)


def counted_rows(n: int, splits: Splits, share: float = TRAIN_SHARE) -> int:
    """The rows of a table for which a method's own estimates hold: all ``n``, if its divisions have the usual shares.

    A benchmark's own divisions can train on few rows of a large table: then it is one of which those are ``share``.
    """
    first = splits.holdouts[0]
    return n if first.validation is None else min(n, math.ceil(len(first.train) / share))


def expected_seconds(method: Method, n: int, d: int, c: int, protocol: Protocol, splits: Splits) -> float:
    """Seconds on one core: the fits of the grid, as often as ``protocol`` has folds, and those of what was selected.

    Folds of a cross-validation are fitted on as many rows as ``clean``'s 80/20 split. The tuning halves are half of the
    table, not three fifths, and select once for all test folds.
    """
    n = counted_rows(n, splits)
    clean = _clean(method, n, d, c, splits)
    refits = (MEMBERS[protocol.ensemble] - 1) * clean.fit
    if protocol.selected_on == "tuning halves":
        halves = _clean(method, math.ceil(n * 0.5 / (TRAIN_SHARE * (1 - VALIDATION_SHARE))), d, c, splits)
        return clean.fit + halves.tuning / len(splits.holdouts) + refits
    return clean.all + (protocol.inner_folds - 1) * clean.tuning + refits


@dataclass(frozen=True)
class _Clean:
    """Seconds of a ``clean`` job, and those of its refits among them, one a test fold."""

    all: float
    fit: float

    @property
    def tuning(self) -> float:
        """What the fits of the grid take."""
        return self.all - self.fit


def _clean(method: Method, n: int, d: int, c: int, splits: Splits) -> _Clean:
    """``method``'s own figure, which is for :data:`HOLDOUTS` test folds, brought to ``splits``.

    A refit is one of the fits, as many as the grid has configurations and one.

    To select on ``tuning_rows`` training rows costs what it costs on a table of which they are the training part. What
    is selected is fitted on all training rows all the same: that is a refit of a table so much larger that its
    selecting keeps as many rows from validation.

    A method whose figure counts the reduction itself (:func:`_counts_reduction`) has said just that; unreduced it is
    taken to cost what it costs at :data:`LARGE_ROWS`, times the cube of how many times more rows there are.
    """
    fits = len(method.configurations_for("classification" if c > 1 else "regression")) + 1
    share = len(splits.holdouts) / HOLDOUTS
    reduction = _counts_reduction(method.work, d, c)
    if splits.tuning_rows is None or splits.tuning_rows >= TRAIN_SHARE * n:
        if n > LARGE_ROWS and reduction:
            whole = share * (n / LARGE_ROWS) ** 3 * method.work(LARGE_ROWS, d, c)
        else:
            whole = share * method.work(n, d, c)
        return _Clean(whole, whole / fits)
    on_sample = share * method.work(math.ceil(splits.tuning_rows / TRAIN_SHARE), d, c)
    if reduction:
        whole = (len(splits.holdouts) if n > LARGE_ROWS else share) * method.work(n, d, c)
        return _Clean(whole, max(whole / fits, whole - on_sample * (1 - 1 / fits)))
    fit = share * method.work(math.ceil(n / (1 - VALIDATION_SHARE)), d, c) / fits
    return _Clean(on_sample + fit, fit)


def expected_bytes(method: Method, n: int, d: int, c: int, protocol: Protocol, splits: Splits) -> float:
    """Peak memory beyond the idle process's: ``method``'s own figure, which is for `clean`, brought to ``protocol``.

    Protocols that select on the tuning halves do so on two samples of ``tuning_rows``, which takes no less than a
    table of so many; so it is with a validation part of a division's own. Such divisions train on 70 % at most: the
    larger figure counts, of the table whose rows they are or of that whose training part is theirs. Further rows are
    tested: they take copies of themselves.
    """
    counted, first = counted_rows(n, splits, 0.7), splits.holdouts[0]
    peak: float = max(method.peak_bytes(rows, d, c) for rows in (counted, counted_rows(n, splits)))
    if first.validation is not None:
        beyond = len(first.train) + len(first.validation) + len(first.test) - counted
        peak += 48 * max(0, beyond) * (d + c)
    peak += _kept_bytes(method, counted, c, protocol, splits)
    if splits.tuning_rows is None or not (protocol.sees_test_labels or first.validation is not None):
        return peak
    return max(peak, method.peak_bytes(min(n, 2 * splits.tuning_rows), d, c))


def _kept_bytes(method: Method, n: int, c: int, protocol: Protocol, splits: Splits) -> int:
    """What the scores of validation rows take that ``protocol`` keeps: float32, and again the best of them in float64.

    Over all folds these are the training rows once.
    """
    if not protocol.needs_scores:
        return 0
    rows = min(n, splits.tuning_rows or n)
    points = CONFIGURATION_POINTS * len(method.configurations())
    return 4 * rows * c * points + 8 * rows * c * min(points, MOST_CANDIDATES)


def _counts_reduction(work: Callable[[int, int, int], float], d: int, c: int) -> bool:
    """Whether a method's ``work`` is, beyond :data:`LARGE_ROWS`, that of one test fold of the reduced table.

    It is where it falls: kernel methods, whose grid and whose last fit are solved in different ways, state it so.
    """
    return work(LARGE_ROWS + 1, d, c) < work(LARGE_ROWS, d, c)
