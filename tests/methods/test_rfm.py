"""RFM's session: the metric that `published` reuses is the one learned in tuning, and few others are held."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.methods.rfm import RFM, RIDGES, UNIT_NORMS, ChainSession
from bench.protocols.selection import choose
from bench.records.method import Choice, Fold, Task

ROWS = {"stacked": 90, "in float32": 260}


@pytest.fixture(params=ROWS.values(), ids=ROWS.keys())
def session(request: pytest.FixtureRequest) -> ChainSession:
    n = request.param
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2 * n, 5))
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    return ChainSession(Task(X=X, y=y, n_classes=2, seed=0), RFM())


def halves(session: ChainSession) -> list[Fold]:
    n = len(session.task.y) // 2
    return [Fold(fit=np.arange(n), validation=np.arange(n, 2 * n))]


def tuned_metrics(session: ChainSession) -> dict[tuple[float, bool, int], torch.Tensor | None]:
    fold = halves(session)[0]
    points = session._sweep.points(fold.fit, fold.validation, ridges=RIDGES, unit_norms=UNIT_NORMS, iterations=4)
    return {(point.ridge, point.unit_norm, point.iteration): point.metric for point in points}


def fit_in(session: ChainSession, metric: torch.Tensor | None, choice: Choice, rows: np.ndarray) -> np.ndarray:
    fit = session._sweep.fit(
        rows[::2], rows[1::2], ridge=choice.config["ridge"], unit_norm=choice.config["unit_norm"], metric=metric
    )
    return fit.scores


def test_what_is_transferred_is_the_metric_learned_in_tuning(session: ChainSession) -> None:
    metrics = tuned_metrics(session)
    paths = session.tune(halves(session))
    chosen = choose(paths, halves(session), ties="order")[0]
    without_unit_norm = choose([p for p in paths if not p.config["unit_norm"]], halves(session), ties="order")[0]
    other = Choice({"ridge": 10.0, "unit_norm": not chosen.config["unit_norm"]}, 3)
    rows = np.random.default_rng(0).permutation(len(session.task.y))
    for choice in (chosen, without_unit_norm, other, Choice(other.config, 0)):
        metric = metrics[choice.config["ridge"], choice.config["unit_norm"], choice.iteration]
        scores = session.predict(choice, rows[::2], rows[1::2], transfer=True).scores
        np.testing.assert_allclose(scores, fit_in(session, metric, choice, rows), rtol=0, atol=1e-6)


def test_the_metric_that_will_be_chosen_needs_no_learning_anew(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = session.tune(halves(session))
    assert len(session._kept) == len(UNIT_NORMS)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a metric was learned a second time")

    monkeypatch.setattr(session._sweep, "learn", forbidden)
    rows = np.arange(len(session.task.y))
    for candidates in (paths, [p for p in paths if not p.config["unit_norm"]]):
        choice = choose(candidates, halves(session), ties="order")[0]
        session.predict(choice, rows[::2], rows[1::2], transfer=True)
