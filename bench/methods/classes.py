"""Classes that occur in a fit part: recoded for libraries that want 0..k-1 without gaps, and put back afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import MethodError
from bench.methods.judging import Judging
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import Config, Fold, Path, Task


@dataclass(frozen=True)
class FitClasses:
    """The classes present among fit rows.

    ``present`` (k,) are the class numbers in ascending order, ``codes`` (n_fit,) the fit labels as positions in
    ``present``, ``n_classes`` the number of classes of the whole table.
    """

    present: IntArray
    codes: IntArray
    n_classes: int

    @property
    def single(self) -> bool:
        """Whether there is nothing to separate."""
        return len(self.present) == 1

    def expand(self, scores: FloatArray) -> FloatArray:
        """Scores (m, k) of the present classes as (m, n_classes); an absent class scores 0, the lowest there is.

        ``scores`` are shares of belief (non-negative, the largest above 0), so an absent class never wins.
        """
        full = np.zeros((len(scores), self.n_classes))
        full[:, self.present] = scores
        return full

    def certain(self, m: int) -> FloatArray:
        """Scores (m, n_classes) that give all m rows to the one class present."""
        return self.expand(np.ones((m, 1)))


def fit_classes(task: Task, rows: IntArray) -> FitClasses:
    """The classes among ``rows``. Raises :class:`MethodError` if there are no rows, or a row's label is withheld."""
    present, codes = np.unique(known_targets(task, rows, "fit").astype(np.int64), return_inverse=True)
    return FitClasses(present=present, codes=codes.astype(np.int64).reshape(-1), n_classes=task.n_classes)


def only_seen(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    """``scores`` (m, width) of a regression on the targets of the rows ``fit``, with nothing these rows do not say.

    A class without fit rows has targets of 0 only, so a regression scores it 0: above all others where those are
    negative. There it is lowered to just below the best class present; all other scores stay as they are. Where the fit
    rows have one number, that number is predicted.
    """
    labels = known_targets(task, fit, "fit")
    if task.kind == "regression":
        return np.full_like(scores, labels[0]) if (labels == labels[0]).all() else scores
    absent = np.bincount(labels.astype(np.int64), minlength=task.n_classes) == 0
    if not absent.any():
        return scores
    barred = scores.copy()
    best = scores[:, ~absent].max(axis=1, keepdims=True)
    barred[:, absent] = np.minimum(scores[:, absent], np.nextafter(best, -np.inf))
    return barred


def known_targets(task: Task, rows: IntArray, part: str) -> IntArray | FloatArray:
    """Labels or numbers of ``rows``, none withheld; otherwise :class:`MethodError` names the part and the row."""
    if len(rows) == 0:
        raise MethodError(f"the {part} part has no rows")
    targets = task.y[rows]
    if task.kind == "regression":
        unknown, expected = np.flatnonzero(~np.isfinite(targets)), "a number"
    else:
        unknown, expected = np.flatnonzero((targets < 0) | (targets >= task.n_classes)), f"0..{task.n_classes - 1}"
    if len(unknown):
        raise MethodError(
            f"row {rows[unknown[0]]} of the {part} part has label {targets[unknown[0]]}, "
            f"expected {expected} (test labels are withheld)"
        )
    return targets


def validation_targets(task: Task, folds: Sequence[Fold]) -> list[IntArray | FloatArray]:
    """Labels or numbers of the validation rows of each fold, as :func:`known_targets` has them."""
    return [known_targets(task, fold.validation, "validation") for fold in folds]


def single_point_paths(
    task: Task,
    configs: Sequence[Config],
    folds: Sequence[Fold],
    scores: Callable[[Config, IntArray, IntArray], FloatArray],
) -> list[Path]:
    """Paths of a method without an iteration path: ``scores(config, fit, validation)`` judged on every fold.

    Configurations vary slowest only in the result: ``scores`` is called fold by fold, so that it can keep what the
    configurations of one fold share.
    """
    judging = Judging(task, validation_targets(task, folds))
    for f, fold in enumerate(folds):
        for i, config in enumerate(configs):
            judging.judge(i, f, 0, scores(config, fold.fit, fold.validation))
    return [judging.path(i, config, (0,)) for i, config in enumerate(configs)]
