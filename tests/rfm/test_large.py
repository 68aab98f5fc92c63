"""The machine for large tables is the machine of the sweep, where both can be had."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from rfm.agop import agop
from rfm.kernels import Gaussian, Laplace, RadialKernel, kernel_lower_
from rfm.large import LargeSweep, chains_of
from rfm.problem import Problem
from rfm.rows import metric_rows
from rfm.solvers.blocks import RadialBlocks
from rfm.solvers.choice import SOLVERS
from rfm.solvers.gradients import sampled_agop
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


@pytest.mark.parametrize("cache", [0, 10**9], ids=["formed anew", "kept"])
@pytest.mark.parametrize("ridge", [10.0, 0.01])
def test_by_conjugate_gradients_it_is_nearly_the_sweep(ridge: float, cache: int) -> None:
    expected = Sweep(X, Y).fit(TRAIN, HELD, ridge=ridge, unit_norm=False, iterations=2)
    fit = LargeSweep(X, Y, seed=3, solver="cg", cache_bytes=cache).fit(
        TRAIN, HELD, ridge=ridge, unit_norm=False, iterations=2
    )
    assert_allclose(fit.metric, expected.metric, atol=0.01 * float(expected.metric.abs().max()))
    assert_allclose(fit.scores, expected.scores, atol=0.01)
    assert np.mean(fit.scores.argmax(1) == expected.scores.argmax(1)) > 0.99
    account = json.loads(json.dumps(dict(fit.account)))
    assert fit.solver == account["updates"][0]["solver"] == "cg"
    assert account["residual"] <= 1e-3
    assert 1 <= account["iterations"] < 20
    assert account["rank"] <= 300


@pytest.mark.filterwarnings("ignore:EigenPro's epochs ended")
def test_by_epochs_it_predicts_alike_and_says_what_it_did() -> None:
    direct = LargeSweep(X, Y, seed=3).fit(TRAIN, HELD, ridge=1.0, unit_norm=False, iterations=1)
    fit = LargeSweep(X, Y, seed=3, solver="eigenpro", sampled_rows=400).fit(
        TRAIN, HELD, ridge=1.0, unit_norm=False, iterations=1
    )
    assert np.mean(fit.scores.argmax(1) == direct.scores.argmax(1)) > 0.95
    account = json.loads(json.dumps(dict(fit.account)))
    assert fit.solver == account["updates"][0]["solver"] == "eigenpro"
    assert (account["held_out_rows"], account["gradient_rows"]) == (12, 400)


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


@pytest.mark.parametrize("kernel", [Laplace(3.0), Gaussian(2.0)])
@pytest.mark.parametrize("metric", ["identity", "full", "diagonal"])
def test_gradients_at_all_rows_give_the_agop(
    kernel: RadialKernel, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one pass and in pieces: rows, columns and classes."""
    draws = np.random.default_rng(2)
    X, alpha, F = (torch.as_tensor(draws.standard_normal(shape)) for shape in ((70, 4), (70, 5), (4, 4)))
    X[5] = X[50]
    M = {"identity": None, "full": F @ F.T, "diagonal": torch.tensor([2.0, 0.0, 1.0, 0.3], dtype=torch.float64)}[metric]
    K, W = torch.empty((2, 70, 70), dtype=torch.float64)
    rows = metric_rows(X, M, kernel.bandwidth)
    kernel_lower_(kernel, rows, K, W)
    diagonal = metric == "diagonal"
    expected = agop(rows, alpha, W, diagonal=diagonal)
    blocks = RadialBlocks(kernel, X, M)
    assert_allclose(sampled_agop(blocks, alpha, diagonal=diagonal), expected, rtol=1e-8, atol=1e-12)
    monkeypatch.setattr("rfm.solvers.gradients.TILE_COLUMNS", 16)
    monkeypatch.setattr("rfm.solvers.gradients._BATCH", 9)
    monkeypatch.setattr("rfm.solvers.gradients._BYTES", 2 * 16 * 4 * 8)
    assert_allclose(sampled_agop(blocks, alpha, diagonal=diagonal), expected, rtol=1e-8, atol=1e-12)


def test_gradients_at_some_rows_are_their_mean_outer_product() -> None:
    """Against automatic differentiation of the predictor at the rows that take part."""
    draws = np.random.default_rng(2)
    rows, alpha = (torch.as_tensor(draws.standard_normal((40, k))) for k in (3, 2))

    def gradient(j: int) -> torch.Tensor:
        others = np.delete(np.arange(40), j)  # at its own row the kernel has a kink, of gradient 0
        return torch.autograd.functional.jacobian(
            lambda z: torch.exp(-(rows[others] - z).norm(dim=1) / 2.0) @ alpha[others], rows[j]
        )

    G = torch.stack([gradient(j) for j in range(10)])
    expected = torch.einsum("jca,jcb->ab", G, G) / 10
    assert_allclose(sampled_agop(RadialBlocks(Laplace(2.0), rows), alpha, sampled=10), expected, rtol=1e-6)
