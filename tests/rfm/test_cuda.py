"""The same code on a GPU: the same numbers, the same choices. Skipped where PyTorch sees none."""

from __future__ import annotations

import pickle
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from grids import grid, table

from rfm import KernelRidgeRegressor, RFMClassifier, RFMRegressor
from rfm.agop import agop
from rfm.factored import FactoredMatrix
from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace, RadialKernel, kernel_lower_, kernel_matrix
from rfm.large import LargeSweep
from rfm.linalg import gram_lower, matmul_float64, mirror_, solve_ridge, symmetric_matmul
from rfm.ntk import ntk_matrices, ntk_matrix
from rfm.rows import metric_rows
from rfm.solvers.blocks import KernelBlocks, RadialBlocks
from rfm.solvers.eigenpro import EigenPro
from rfm.solvers.tangent import TangentBlocks
from rfm.sweep import Sweep

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")

DEVICES = ("cpu", "cuda")
KERNELS = [Laplace(10.0), Gaussian(3.0), GeneralisedLaplace(5.0, 1.4)]
KINDS = ["spread", "duplicates"]
TYPES = [(torch.float64, 1e-8), (torch.float32, 5e-3)]


@pytest.mark.parametrize("n", [1, 3, 300])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-2)])
def test_triangular_algebra(n: int, dtype: torch.dtype, tolerance: float) -> None:
    rng = np.random.default_rng(n)
    root = torch.as_tensor(rng.normal(size=(n, n)))
    A, B = (root + root.T).to(dtype), torch.as_tensor(rng.normal(size=(n, 4))).to(dtype)
    poisoned = A.masked_fill(torch.triu(torch.ones_like(A, dtype=torch.bool), diagonal=1), torch.nan)
    there = {"rtol": 0, "atol": tolerance * n**0.5}
    torch.testing.assert_close(mirror_(torch.nan_to_num(poisoned.cuda())).cpu(), A, **there)
    torch.testing.assert_close(symmetric_matmul(poisoned.cuda(), B.cuda()).cpu(), A @ B, **there)
    torch.testing.assert_close(gram_lower(A.cuda()).tril().cpu(), (A.T @ A).tril(), rtol=0, atol=tolerance * n)
    torch.testing.assert_close(matmul_float64(A.cuda(), B.double().cuda()).cpu(), A.double() @ B.double(), **there)


def steps_of_a_chain(kernel: RadialKernel, X: torch.Tensor, Y: torch.Tensor) -> list[torch.Tensor]:
    """The kernel matrix, the coefficients of kernel ridge regression, the AGOP and the gradients' weights."""
    K, W = (X.new_zeros((len(X), len(X))) for _ in range(2))
    rows = metric_rows(X, None, kernel.bandwidth)
    kernel_lower_(kernel, rows, K, W)
    alpha = solve_ridge(K, 0.1, Y).alpha
    return [kernel_matrix(kernel, X), alpha, agop(rows, alpha, W), mirror_(W)]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_kernels_gradients_and_solutions(kernel: RadialKernel, dtype: torch.dtype, tolerance: float, kind: str) -> None:
    X, Y = (torch.as_tensor(a, dtype=dtype) for a in table(300, 5, 3, kind))
    here, there = (steps_of_a_chain(kernel, X.to(device), Y.to(device)) for device in DEVICES)
    for one, other in zip(here, there, strict=True):
        assert float((one - other.cpu()).norm() / one.norm()) < tolerance


def test_an_indefinite_matrix_falls_back() -> None:
    K = torch.diag(torch.tensor([1.0, -1.0], device="cuda"))
    solution = solve_ridge(K, 0.5, torch.ones((2, 1), device="cuda"))
    assert solution.solver == "eigenvalues"
    torch.testing.assert_close(solution.alpha.cpu(), torch.tensor([[1 / 1.5], [2.0]], dtype=torch.float64))


def test_neural_tangent_kernel() -> None:
    X = torch.as_tensor(table(60, 5, 3)[0])
    torch.testing.assert_close(ntk_matrix(X.cuda(), depth=3).cpu(), ntk_matrix(X, depth=3), rtol=1e-6, atol=1e-6)
    for here, there in zip(ntk_matrices(X, 3), ntk_matrices(X.cuda(), 3), strict=True):
        torch.testing.assert_close(there.cpu(), here, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n", [90, 900], ids=["stacked", "one by one"])
@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_sweeps_have_the_same_scores_and_the_same_winner(
    n: int, dtype: torch.dtype, tolerance: float, kind: str
) -> None:
    X, Y = table(n, 5, 3, kind)
    asked: dict[str, Any] = {"ridges": (10.0, 0.1, 1e-3), "iterations": 4, "dtype": dtype}
    scores = [
        np.stack([point.scores for _, point in sorted(grid(X, Y, n // 2, device=device, **asked).items())])
        for device in DEVICES
    ]
    np.testing.assert_allclose(*scores, rtol=0, atol=10 * tolerance)
    here, there = (np.mean(found.argmax(axis=2) == Y[n // 2 :].argmax(axis=1), axis=1) for found in scores)
    if dtype == torch.float64:
        np.testing.assert_array_equal(here, there)
    assert there.max() == pytest.approx(here.max(), abs=4 / n)


@pytest.mark.parametrize("n", [40, 150], ids=["stacked", "one by one"])
@pytest.mark.parametrize("options", [{}, {"metric_scaling": "max"}, {"diagonal": True}], ids=repr)
def test_more_features_than_rows(n: int, options: dict[str, Any]) -> None:
    """Metrics are learned there and used here, as factors where they are full ones."""
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n + 30, 200))
    Y = np.eye(2)[(X[:, 0] > 0).astype(int)]
    train, test = np.arange(n), np.arange(n, n + 30)
    asked: dict[str, Any] = {"dtype": torch.float64, **options}
    here, there = (grid(X, Y, n, iterations=2, device=device, **asked) for device in DEVICES)
    for key, point in here.items():
        np.testing.assert_allclose(there[key].scores, point.scores, rtol=0, atol=1e-6)
    sweeps = [Sweep(X, Y, device=device, **asked) for device in DEVICES]
    metric = sweeps[1].learn(train, ridge=0.1, unit_norm=True, iterations=2)
    assert isinstance(metric, FactoredMatrix) == ("diagonal" not in options)
    fits = [sweep.fit(test, train, ridge=0.1, unit_norm=True, metric=metric).scores for sweep in sweeps]
    np.testing.assert_allclose(fits[1], fits[0], rtol=0, atol=1e-8)


def test_the_host_waits_as_often_whatever_the_rows() -> None:
    waits = []
    chain: dict[str, Any] = {"ridges": (0.1,), "unit_norms": (False,), "iterations": 3}
    for n in (400, 3000):
        X, Y = table(2 * n, 5, 3)
        sweep = Sweep(X, Y, device="cuda")
        list(sweep.points(np.arange(n), np.arange(n, 2 * n), **chain))
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                list(sweep.points(np.arange(n), np.arange(n, 2 * n), **chain))
        finally:
            torch.cuda.set_sync_debug_mode("default")
        waits.append(sum("called a synchronizing" in str(warning.message) for warning in caught))
    assert waits[0] > 0
    assert abs(waits[1] - waits[0]) <= 8  # a few more refinements, or the AGOP by Gram matrix
    assert waits[1] <= 15 * 4


@pytest.mark.parametrize("estimator", [RFMClassifier(), RFMRegressor(), KernelRidgeRegressor("ntk")], ids=repr)
@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_fitted_there_and_used_here(estimator: RFMClassifier, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = table(600, 5, 3)
    y = Y.argmax(axis=1)
    there = estimator.set_params(device=device).fit(X[:400], y[:400])
    kept = pickle.dumps(there)
    with_gpu = there._scores(X[400:])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    without_gpu = pickle.loads(kept)._scores(X[400:])
    np.testing.assert_allclose(without_gpu, with_gpu, atol=1e-8)
    here = estimator.set_params(device="cpu").fit(X[:400], y[:400])._scores(X[400:])
    np.testing.assert_allclose(here, with_gpu, atol=0.02)


LARGE = np.random.default_rng(2).standard_normal((800, 5))
LABELS = np.eye(2)[(LARGE[:, 0] * LARGE[:, 1] > 0).astype(int)]


@pytest.mark.parametrize("kind", ["laplace", "tangent"])
def test_eigenpro_takes_the_same_path(kind: str) -> None:
    paths = []
    for device in DEVICES:
        rows = torch.as_tensor(LARGE, dtype=torch.float64, device=device)
        blocks: KernelBlocks = RadialBlocks(Laplace(10.0), rows) if kind == "laplace" else TangentBlocks(rows, 3)
        iteration = EigenPro(blocks, torch.as_tensor(LABELS[:700], device=device), 0.5, seed=1, subsample=200, batch=64)
        paths.append([epoch.scores.cpu() for epoch in iteration.epochs(4, slice(700, 800))])
    for here, there in zip(*paths, strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=1e-6)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "eigenpro"])
def test_a_large_machine_learns_and_predicts_alike(solver: str) -> None:
    fits = []
    for device in DEVICES:
        sweep = LargeSweep(LARGE, LABELS, dtype=torch.float64, device=device, solver=solver)
        fit, others = np.arange(700), np.arange(700, 800)
        with pytest.warns(RuntimeWarning, match="EigenPro's epochs") if solver == "eigenpro" else nullcontext():
            fits.append(sweep.fit(fit, others, ridge=1.0, unit_norm=True, iterations=2))
    here, there = fits
    torch.testing.assert_close(here.metric, there.metric.cpu(), rtol=1e-5, atol=0)
    np.testing.assert_allclose(here.scores, there.scores, atol=1e-5)
    assert here.account.keys() == there.account.keys()
