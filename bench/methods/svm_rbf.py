"""Support vector machine with Gaussian kernel exp(-gamma |x - z|^2): libsvm through scikit-learn, one against one.

Grid: C x gamma around libsvm's defaults C = 1, gamma = 1/d (features are standardised), in factors of 4 and 5; what is
left tied goes to the configuration nearest to the default on the log scale, then to the more regular one. For
regression the machine is libsvm's epsilon-SVR with its default tube of 0.1 around standardised targets.

Class scores. libsvm's own probabilities need an inner cross-validation of their own (Platt scaling). Here each
pairwise decision value f, whose margin is [-1, 1], gives r = clip((1 + f)/2) as the share of belief in the pair's first
class, and the r of all pairs are coupled into class shares as libsvm couples its own (Wu, Lin & Weng, JMLR 5, 2004,
second method). Rows beyond the margin get scores of nearly 0 and 1, so Brier scores are on the scale of the other
methods'. With two classes the winner is libsvm's. With more it can differ from that of the majority vote: on 12 tables
with 3 to 15 classes, on 2.6 % of the rows, with accuracy 0.1 +- 0.2 points above the vote's with ties broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.svm import SVC, SVR

from bench.methods.classes import fit_classes, known_targets, single_point_paths
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import Choice, Config, CpuClock, Fold, Method, Path, Prediction, Session, Task

COSTS = (0.2, 1.0, 5.0, 25.0, 125.0)
GAMMAS_TIMES_D = (1 / 16, 1 / 4, 1.0, 4.0)
DENSE_ROWS = 7000
"""Up to this many rows the Gram matrix is computed once and shared by the grid; above, libsvm computes its columns."""
MOST_ROWS = 50_000
"""Above this many rows libsvm's training, which grows with the square of the rows at best, takes hours for one fit."""
CACHE_MB = 200
CERTAINTY = 1e-7
"""Pairwise shares stay this far from 0 and 1, which keeps the coupling's equations regular (libsvm's value)."""


class SVMRBF(Method):
    name: ClassVar[str] = "svm_rbf"
    title: ClassVar[str] = "Gaussian SVM"
    kinds = ("classification", "regression")

    def configurations(self) -> list[dict[str, Any]]:
        grid = [{"C": cost, "gamma_times_d": gamma} for gamma in GAMMAS_TIMES_D for cost in COSTS]
        return sorted(grid, key=lambda g: round(math.hypot(math.log(g["C"]), math.log(g["gamma_times_d"])), 9))

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # Distances of all rows, the Gram matrix of the fit rows (9/16 n^2) and its slice before the exponential;
        # measured 2.4 n^2 doubles at n = 4177. Coupling holds two (c + 1)^2 systems per row scored.
        gram = int(8 * 2.6 * n * n) + CACHE_MB * 2**20 // 4 if n <= DENSE_ROWS else 2 * CACHE_MB * 2**20
        return 20_000_000 + gram + 40 * n * d + 8 * n * (c + 1) ** 2

    def work(self, n: int, d: int, c: int) -> float:
        # Fitted to jobs of 100 to 5000 rows; libsvm's own cost grows about as n^2 at the grid's costs.
        return 0.1 + 7e-7 * n * n * (1 + c / 10) * (1 if n <= DENSE_ROWS else 1 + d / 20)

    def limitation(self, n: int, d: int, c: int) -> str | None:
        if n > MOST_ROWS:
            return f"{n:,} rows: libsvm's training time grows at least with their square; not run above {MOST_ROWS:,}"
        return None

    def session(self, task: Task) -> Session:
        return _SVMSession(task)


class _SVMSession(Session):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._distances: FloatArray | None = None
        if len(task.X) <= DENSE_ROWS:
            self._distances = cdist(task.X, task.X, "sqeuclidean")

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return single_point_paths(
            self.task, SVMRBF().configurations(), folds, lambda g, fit, rows: self._fitted(g, fit)(rows)
        )

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        fitted, scoring = self._fitted(choice.config, train, anew=True), CpuClock()
        with scoring:
            scores = fitted(test)
        return Prediction(scores, predict_seconds=scoring.seconds)

    def _fitted(self, config: Config, fit: IntArray, *, anew: bool = False) -> Callable[[IntArray], FloatArray]:
        """A machine of the rows ``fit``: what scores rows by class shares (m, n_classes) or numbers (m, 1).

        It computes their distances ``anew``, as on rows that were not there before, or has them from all rows'.
        """
        gamma = config["gamma_times_d"] / self.task.X.shape[1]
        how: dict[str, Any] = {"C": config["C"], "cache_size": CACHE_MB}
        how |= {"gamma": gamma} if self._distances is None else {"kernel": "precomputed"}
        fitted = self._inputs(gamma, fit, fit)
        if self.task.kind == "regression":
            regressor = SVR(**how).fit(fitted, known_targets(self.task, fit, "fit"))
            return lambda rows: regressor.predict(self._inputs(gamma, rows, fit, anew=anew))[:, None]
        classes = fit_classes(self.task, fit)
        if classes.single:
            return lambda rows: classes.certain(len(rows))
        machine = SVC(decision_function_shape="ovo", **how).fit(fitted, classes.codes)

        def scores(rows: IntArray) -> FloatArray:
            decision = machine.decision_function(self._inputs(gamma, rows, fit, anew=anew))
            return classes.expand(couple(pairwise_shares(decision, len(classes.present))))

        return scores

    def _inputs(self, gamma: float, rows: IntArray, fit: IntArray, *, anew: bool = False) -> FloatArray:
        """What libsvm is given of ``rows``: their kernel with the ``fit`` rows, or on large tables the rows as such."""
        if self._distances is None:
            return self.task.X[rows]
        X = self.task.X
        distances = cdist(X[rows], X[fit], "sqeuclidean") if anew else self._distances[np.ix_(rows, fit)]
        kernel: FloatArray = np.exp(-gamma * distances)
        return kernel


def pairwise_shares(decision: FloatArray, k: int) -> FloatArray:
    """(m, k, k) shares r[:, i, j] of belief in class i against j, from one-against-one decision values.

    ``decision`` is scikit-learn's: (m, k(k-1)/2), positive for the first class of the pair; for k = 2 it is (m,),
    positive for the *second*.
    """
    values = -decision[:, None] if k == 2 else decision
    first, second = np.triu_indices(k, 1)
    shares = np.zeros((len(values), k, k))
    belief = np.clip((1 + values) / 2, CERTAINTY, 1 - CERTAINTY)
    shares[:, first, second] = belief
    shares[:, second, first] = 1 - belief
    return shares


def couple(shares: FloatArray) -> FloatArray:
    """Class shares p (m, k) that minimise sum_{i != j} (r_ji p_i - r_ij p_j)^2 with sum p = 1.

    Wu, Lin & Weng (2004), equation (21): [Q 1; 1' 0] [p; b] = [0; 1] with Q_ii = sum_s r_si^2, Q_ij = -r_ji r_ij.
    """
    m, k, _ = shares.shape
    if k == 2:
        return np.stack([shares[:, 0, 1], shares[:, 1, 0]], axis=1)
    system = np.zeros((m, k + 1, k + 1))
    system[:, :k, :k] = -shares * shares.transpose(0, 2, 1)
    diagonal = np.arange(k)
    system[:, diagonal, diagonal] = (shares**2).sum(axis=1)
    system[:, :k, k] = system[:, k, :k] = 1.0
    right = np.zeros((m, k + 1, 1))
    right[:, k] = 1.0
    p: FloatArray = np.linalg.solve(system, right)[:, :k, 0]
    return np.clip(p, 0.0, 1.0)
