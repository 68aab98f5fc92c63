"""Several choices whose scores are averaged, instead of one: the same rule for every method.

Candidates are all (configuration, point of its path) with finite figures, ordered by their squared error over all
validation rows, which is the Brier score in classification; equal ones by their merit, then as the grid has them.

``top5``: the first :data:`TOP` of them, each with the same weight.

``greedy``: forward selection with replacement among the first :data:`MOST_CANDIDATES` (:mod:`rfm.greedy`, as the
estimators of that package do it), by the squared error of the mean of the members' scores. A member's weight is how
often it was added. The scores are those of the validation rows, each by the models of the fold that did not fit it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import MethodError
from bench.protocols.choosing import pooled_figures
from bench.protocols.record import Protocol
from bench.records.dataset import FloatArray
from bench.records.method import Choice, Fold, Member, Path, ScoreArray, Task

TOP = 5
MOST_CANDIDATES = 50


@dataclass(frozen=True)
class Candidate:
    """A point of a path: where it is among the ``paths``, and its figures over all validation rows."""

    path: Path
    point: int
    merit: float
    squared_error: float

    @property
    def choice(self) -> Choice:
        return Choice(self.path.config, self.path.iterations[self.point])


def select_members(
    paths: Sequence[Path], folds: Sequence[Fold], task: Task, protocol: Protocol, method: str
) -> tuple[tuple[Member, ...], float]:
    """The members of the ensemble that ``protocol`` selects for ``method``, the heaviest first, and its merit.

    The merit of ``greedy`` is that of the mean of the members' scores of the validation rows; of ``top5``, for which no
    scores are kept, the mean of the members' merits. Raises :class:`MethodError` if nothing can be selected, or the
    scores that ``greedy`` needs are not there.
    """
    if protocol.needs_scores and any(path.scores is None for path in paths):
        raise MethodError(
            f"{method} does not keep the scores of validation rows (Path.scores), by which --ensemble "
            f"{protocol.ensemble} selects: use --ensemble top5, or keep them as bench.methods.judging does"
        )
    for path in paths if protocol.needs_scores else ():
        _refuse_shapes(path, folds, task)
    found = candidates(paths, folds, counts=task.counts)
    if not found:
        raise MethodError(f"none of {method}'s configurations has finite validation figures: there is no ensemble")
    if protocol.needs_scores:
        return _greedy(found, folds, task)
    best = found[:TOP]
    return tuple(Member(c.choice) for c in best), float(np.mean([c.merit for c in best]))


def candidates(paths: Sequence[Path], folds: Sequence[Fold], *, counts: bool) -> list[Candidate]:
    """All points with finite figures (and scores, if they are kept) on every fold, the best squared error first."""
    found = []
    for path in paths:
        sound = np.isfinite(path.merit).all(axis=0) & np.isfinite(path.squared_error).all(axis=0)
        for part in path.scores or ():
            sound &= np.isfinite(part).all(axis=(1, 2))
        merit, error = pooled_figures(path, folds, counts=counts)
        found += [Candidate(path, int(k), float(merit[k]), float(error[k])) for k in np.flatnonzero(sound)]
    return sorted(found, key=lambda c: (c.squared_error, -c.merit))  # stable: then as the grid has them


def _greedy(found: Sequence[Candidate], folds: Sequence[Fold], task: Task) -> tuple[tuple[Member, ...], float]:
    from rfm.greedy import greedy_counts  # only where it is computed: a report reads the protocols too

    found = found[:MOST_CANDIDATES]
    counts = greedy_counts(_residual_products(found, folds, task))
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    members = tuple(Member(found[i].choice, float(counts[i])) for i in order)
    figures = np.empty((len(folds), 2))
    for f, fold in enumerate(folds):
        mean = sum(counts[i] * _scores(found[i], f).astype(np.float64) for i in order) / counts.sum()
        figures[f] = task.judge(mean, task.y[fold.validation])
    whole = Path({}, (0,), figures[:, :1], figures[:, 1:])
    return members, float(pooled_figures(whole, folds, counts=task.counts)[0][0])


def _refuse_shapes(path: Path, folds: Sequence[Fold], task: Task) -> None:
    """Raise :class:`MethodError` for scores that are not of the path's points and the folds' validation rows."""
    expected = [(len(path.iterations), len(fold.validation), task.width) for fold in folds]
    shapes = [part.shape for part in path.scores or ()]
    if shapes != expected:
        raise MethodError(f"validation scores of {dict(path.config)} have shapes {shapes}, expected {expected}")


def _residual_products(found: Sequence[Candidate], folds: Sequence[Fold], task: Task) -> FloatArray:
    """(n, n): the products of the candidates' residuals, summed over the rows of all folds and the scores' columns."""
    products = np.zeros((len(found), len(found)))
    for f, fold in enumerate(folds):
        targets = task.targets[fold.validation]
        residuals = np.stack([(_scores(candidate, f) - targets).ravel() for candidate in found])
        products += residuals @ residuals.T
    return products


def _scores(candidate: Candidate, fold: int) -> ScoreArray:
    """(m, width) of the validation rows of a fold."""
    kept = candidate.path.scores
    assert kept is not None, "asked for by the protocol, and its absence refused"
    scores: ScoreArray = kept[fold][candidate.point]
    return scores
