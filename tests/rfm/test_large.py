"""The machine for large tables is the machine of the sweep, where both can be had."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from rfm.kernels import Laplace
from rfm.large import LargeSweep, chains_of
from rfm.problem import Problem
from rfm.solvers.choice import SOLVERS
from rfm.sweep import Sweep

X = np.random.default_rng(9).standard_normal((750, 5)) + 0.5
X[7] = X[3]
Y = np.eye(3)[(X[:, 0] * X[:, 1] > 0.3).astype(int) + (X[:, 2] > 1)]
TRAIN, HELD = np.arange(600), np.arange(600, 750)


@pytest.mark.parametrize(("unit_norm", "ridge"), [(True, 10.0), (False, 10.0), (False, 0.01)])
def test_solved_directly_it_is_the_sweep(unit_norm: bool, ridge: float) -> None:
    sweep, large = Sweep(X, Y, kernel=Laplace(10.0)), LargeSweep(X, Y, kernel=Laplace(10.0), seed=3)
    metric = sweep.learn(TRAIN, ridge=ridge, unit_norm=unit_norm, iterations=2)
    expected = sweep.fit(TRAIN, HELD, ridge=ridge, unit_norm=unit_norm, metric=metric)
    fit = large.fit(TRAIN, HELD, ridge=ridge, unit_norm=unit_norm, iterations=2)
    assert_allclose(fit.metric, metric, atol=1e-4 * float(metric.abs().max()))
    assert_allclose(fit.scores, expected.scores, atol=1e-3)
    given = large.fit(TRAIN, HELD, ridge=ridge, unit_norm=unit_norm, metric=metric)
    assert_allclose(given.scores, expected.scores, atol=1e-4)
    assert fit.solver == "cholesky"
    assert fit.account == {
        "fitted_rows": 600,
        "gradient_rows": 600,
        "updates": [{"solver": "cholesky"}, {"solver": "cholesky"}],
    }


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_a_chain_is_the_fits_of_its_lengths(solver: str) -> None:
    large = LargeSweep(X, Y, seed=3, solver=solver)
    points = list(large.points(TRAIN, HELD, ridges=(0.1,), unit_norms=(False,), iterations=2))
    assert [point.iteration for point in points] == [0, 1, 2]
    for point in points:
        alone = large.fit(TRAIN, HELD, ridge=0.1, unit_norm=False, iterations=point.iteration)
        assert_array_equal(alone.scores, point.scores)
        assert alone.account == point.account


@pytest.mark.filterwarnings("ignore:EigenPro's epochs ended")
@pytest.mark.parametrize(
    ("solver", "ridge", "cache", "alike"),
    [("cg", 10.0, 0, 0.99), ("cg", 0.01, 10**9, 0.99), ("eigenpro", 1.0, 0, 0.95)],
)
def test_solved_iteratively_it_is_nearly_the_sweep_and_says_what_it_did(
    solver: str, ridge: float, cache: int, alike: float
) -> None:
    given: dict[str, Any] = {"ridge": ridge, "unit_norm": False, "iterations": 2}
    expected = Sweep(X, Y).fit(TRAIN, HELD, **given)
    fit = LargeSweep(X, Y, seed=3, solver=solver, cache_bytes=cache, sampled_rows=600).fit(TRAIN, HELD, **given)
    assert np.mean(fit.scores.argmax(1) == expected.scores.argmax(1)) > alike
    account = json.loads(json.dumps(dict(fit.account)))
    assert fit.solver == account["updates"][0]["solver"] == solver
    assert account["gradient_rows"] == 600
    if solver == "cg":
        assert_allclose(fit.metric, expected.metric, atol=0.01 * float(expected.metric.abs().max()))
        assert_allclose(fit.scores, expected.scores, atol=0.01)
        assert account["residual"] <= 1e-3
        assert 1 <= account["iterations"] < 20
        assert account["rank"] <= 300
    else:
        assert account["held_out_rows"] == 12


@pytest.mark.filterwarnings("ignore:EigenPro's epochs ended")
@pytest.mark.parametrize("solver", ["cholesky", "cg", "eigenpro"])
def test_the_seed_and_not_the_order_of_rows_to_score_determines_scores(solver: str) -> None:
    def scores(seed: int, test: NDArray[np.int64]) -> NDArray[np.float64]:
        large = LargeSweep(X, Y, seed=seed, solver=solver, sampled_rows=300)
        return large.fit(TRAIN, test, ridge=0.1, unit_norm=True, iterations=1).scores

    found = scores(3, HELD)
    assert_allclose(found[::-1], scores(3, HELD[::-1].copy()), atol=1e-5)
    assert np.abs(found - scores(4, HELD)).max() > 1e-6
    assert_array_equal(found, scores(3, HELD))


def test_who_asks_for_an_iterative_solver_gets_it_at_any_size() -> None:
    kinds = {solver: type(chains_of(Problem(X, Y, solver=solver), 600)) for solver in SOLVERS}
    assert kinds == {"auto": Sweep, "cholesky": Sweep, "cg": LargeSweep, "eigenpro": LargeSweep}
    assert {type(chains_of(Problem(X, Y, solver=solver), 20_000)) for solver in SOLVERS} == {LargeSweep}
    with pytest.raises(ValueError, match="solver must be one of"):
        Problem(X, Y, solver="sgd")
