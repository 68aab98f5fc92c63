"""RFM's session: the metric that `published` reuses is the one learned in tuning, and few others are held."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from bench.methods.laplace import Laplace
from bench.methods.rfm import RFM, RIDGES, UNIT_NORMS, ChainSession, describe_metric
from bench.protocols.selection import choose
from bench.records.method import Choice, Fold, Task
from rfm.factored import FactoredMatrix
from rfm.sweep import Sweep

TABLES = {"stacked": (90, 5), "in float32": (260, 5), "wide, stacked": (60, 100), "wide, in float32": (130, 200)}
"""Rows of a half, and features."""


@pytest.fixture(params=TABLES.values(), ids=TABLES.keys())
def session(request: pytest.FixtureRequest) -> ChainSession:
    n, d = request.param
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2 * n, d))
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    return ChainSession(Task(X=X, y=y, n_classes=2, seed=0), RFM())


def halves(session: ChainSession) -> list[Fold]:
    n = len(session.task.y) // 2
    return [Fold(fit=np.arange(n), validation=np.arange(n, 2 * n))]


def test_what_is_transferred_is_the_metric_learned_in_tuning(session: ChainSession) -> None:
    (fold,) = folds = halves(session)
    chains = session._chains(len(fold.fit))
    grid = {"ridges": RIDGES, "unit_norms": UNIT_NORMS, "iterations": 4}
    metrics = {(p.ridge, p.unit_norm, p.iteration): p.metric for p in chains.points(fold.fit, fold.validation, **grid)}
    paths = session.tune(folds)
    chosen = choose(paths, folds, ties="order")[0]
    without_unit_norm = choose([p for p in paths if not p.config["unit_norm"]], folds, ties="order")[0]
    other = Choice({"ridge": 10.0, "unit_norm": not chosen.config["unit_norm"]}, 3)
    rows = np.random.default_rng(0).permutation(len(session.task.y))
    train, test = rows[::2], rows[1::2]
    for choice in (chosen, without_unit_norm, other, Choice(other.config, 0)):
        metric = metrics[choice.config["ridge"], choice.config["unit_norm"], choice.iteration]
        expected = session._chains(1).fit(train, test, **choice.config, metric=metric).scores
        scores = session.predict(choice, train, test, transfer=True).scores
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


def test_the_metric_that_will_be_chosen_needs_no_learning_anew(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = session.tune(halves(session))
    assert len(session._kept) == len(UNIT_NORMS)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a metric was learned a second time")

    monkeypatch.setattr(Sweep, "learn", forbidden)
    rows = np.arange(len(session.task.y))
    for candidates in (paths, [p for p in paths if not p.config["unit_norm"]]):
        choice = choose(candidates, halves(session), ties="order")[0]
        session.predict(choice, rows[::2], rows[1::2], transfer=True)


def test_a_prediction_says_what_its_metric_is_like(session: ChainSession) -> None:
    """Directions to their signs, which nothing determines."""
    n, d = session.task.X.shape
    choice = Choice({"ridge": 0.1, "unit_norm": True}, 2)
    prediction = session.predict(choice, np.arange(0, n, 2), np.arange(1, n, 2))
    details = json.loads(json.dumps(dict(prediction.details)))
    M = session._chains(n).learn(np.arange(0, n, 2), ridge=0.1, unit_norm=True, iterations=2)
    assert isinstance(M, FactoredMatrix) == (d > n // 2)
    full = M.dense() if isinstance(M, FactoredMatrix) else M
    values, vectors = np.linalg.eigh(np.asarray(full))
    np.testing.assert_allclose(details["metric_diagonal"], full.diagonal(), rtol=1e-3)
    np.testing.assert_allclose(details["eigenvalues"], values[::-1][:6], rtol=1e-3, atol=1e-9 * values[-1])
    assert len(details["eigenvalues"]) == min(6, d)
    for found, vector in zip(details["top_eigenvectors"], vectors.T[::-1][:3], strict=True):
        assert abs(np.dot(found, vector)) == pytest.approx(1.0, abs=1e-2)


def test_a_diagonal_is_described_as_the_matrix_that_it_is() -> None:
    M = torch.tensor([0.5, 2.0, 0.0, 1.0])
    described = describe_metric(M)
    assert described["metric_diagonal"] == [0.5, 2.0, 0.0, 1.0]
    assert described["eigenvalues"] == [2.0, 1.0, 0.5, 0.0]
    assert described["top_eigenvectors"] == [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    assert describe_metric(torch.tensor([3.0]))["top_eigenvectors"] == [[1.0]]


def test_what_is_kept_of_wide_chains_is_one_core_each() -> None:
    """Not a view of all chains' cores, which would keep them in memory."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 60))
    session = ChainSession(Task(X=X, y=(X[:, 0] > 0).astype(np.int64), n_classes=2, seed=0), RFM())
    session.tune(halves(session))
    for kept in session._kept.values():
        if isinstance(kept.metric, FactoredMatrix):
            assert kept.metric.core.untyped_storage().nbytes() == 8 * 40 * 40
    assert any(isinstance(kept.metric, FactoredMatrix) for kept in session._kept.values())


def test_memory_and_work_of_wide_tables_follow_their_rows() -> None:
    """At 27,648 features thirteen arrays of d x d would be 79 GB."""
    method, pixels = RFM(), 27_648
    assert method.peak_bytes(600, pixels, 2) < 3 << 30
    assert method.work(600, pixels, 2) < 10 * method.work(600, 450, 2)
    tall = [method.peak_bytes(n, 300, 2) for n in (500, 1000, 2000)]
    assert tall == sorted(tall)
    assert Laplace().peak_bytes(600, pixels, 2) < method.peak_bytes(600, pixels, 2)
