"""The solvers of large tables on a GPU: the same numbers. Skipped where PyTorch sees none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rfm.kernels import Laplace
from rfm.large import LargeSweep
from rfm.solvers.blocks import KernelBlocks, RadialBlocks
from rfm.solvers.eigenpro import EigenPro
from rfm.solvers.tangent import TangentBlocks

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")

N, TEST = 700, 100


def table() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(2).standard_normal((N + TEST, 5))
    return X, np.eye(2)[(X[:, 0] * X[:, 1] > 0).astype(int)]


@pytest.mark.parametrize("kind", ["laplace", "tangent"])
def test_an_iteration_takes_the_same_path(kind: str) -> None:
    X, Y = table()
    paths = []
    for device in ("cpu", "cuda"):
        rows = torch.as_tensor(X, dtype=torch.float64, device=device)
        blocks: KernelBlocks = RadialBlocks(Laplace(10.0), rows) if kind == "laplace" else TangentBlocks(rows, 3)
        iteration = EigenPro(blocks, torch.as_tensor(Y[:N], device=device), 0.5, seed=1, subsample=200, batch=64)
        paths.append([epoch.scores.cpu() for epoch in iteration.epochs(4, slice(N, N + TEST))])
    for here, there in zip(*paths, strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=1e-6)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "eigenpro"])
def test_a_large_machine_learns_and_predicts_alike(solver: str) -> None:
    X, Y = table()
    fits = []
    for device in ("cpu", "cuda"):
        large = LargeSweep(X, Y, dtype=torch.float64, device=device, solver=solver)
        fits.append(large.fit(np.arange(N), np.arange(N, N + TEST), ridge=1.0, unit_norm=True, iterations=2))
    assert fits[0].metric is not None
    assert fits[1].metric is not None
    torch.testing.assert_close(fits[0].metric, fits[1].metric.cpu(), rtol=1e-5, atol=0)
    np.testing.assert_allclose(fits[0].scores, fits[1].scores, atol=1e-5)
    assert fits[0].account.keys() == fits[1].account.keys()
