"""Blocks and products are those of the whole kernel matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from rfm.engines import engine
from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace, RadialKernel, kernel_matrix
from rfm.ntk import ntk_matrix
from rfm.solvers import blocks as blocks_module
from rfm.solvers.blocks import Cache, KernelBlocks, RadialBlocks, SymmetricKernel
from rfm.solvers.tangent import TangentBlocks


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few rows make several tiles, the last ones partial."""
    monkeypatch.setattr(blocks_module, "TILE_ROWS", 7)
    monkeypatch.setattr(blocks_module, "TILE_COLUMNS", 16)
    monkeypatch.setattr(blocks_module, "_PANEL_ROWS", 10)


def table(n: int = 45, d: int = 5, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    X = np.random.default_rng(3).standard_normal((n, d))
    X[11] = X[4]
    X[6], X[20] = 0.0, 3.0 * X[8]
    return torch.as_tensor(X).to(dtype)


KERNELS = [Laplace(4.0), Gaussian(3.0), GeneralisedLaplace(2.0, 0.7)]
every = pytest.mark.parametrize("which", [*KERNELS, None], ids=[*map(str, KERNELS), "tangent"])
ENGINES = [
    "python",
    pytest.param("native", marks=pytest.mark.skipif(engine().library is None, reason=f"the engine is {engine()}")),
]


def both(which: RadialKernel | None, dtype: torch.dtype, choice: str) -> tuple[KernelBlocks, torch.Tensor]:
    """Blocks of a radial kernel, or of the tangent one, and the whole matrix in float64."""
    X = table(dtype=dtype)
    M = torch.diag(torch.tensor([2.0, 1.0, 0.0, 0.5, 0.1], dtype=dtype))
    if which is None:
        return TangentBlocks(X, 3, choice), ntk_matrix(X.double(), depth=3)
    return RadialBlocks(which, X, M, choice=choice), kernel_matrix(which, X.double(), M=M.double())


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-6), (torch.float32, 2e-4)])
@every
@pytest.mark.parametrize("choice", ENGINES)
def test_blocks_diagonals_and_products_are_those_of_the_matrix(
    which: RadialKernel | None, dtype: torch.dtype, digits: float, choice: str
) -> None:
    blocks, K = both(which, dtype, choice)
    digits *= float(K.max())
    assert len(blocks) == len(K)
    rows = torch.tensor([40, 4, 11, 0, 4, 17, 30, 31, 2, 9])
    assert_allclose(blocks.block(rows, slice(3, 45)), K[rows, 3:], atol=digits)
    assert_allclose(blocks.block(slice(20, 44), rows), K[20:44][:, rows], atol=digits)
    assert_allclose(blocks.diagonal(rows), K.diagonal()[rows], atol=digits)
    B = torch.as_tensor(np.random.default_rng(5).standard_normal((30, 2)))
    assert_allclose(blocks.product(rows, slice(0, 30), B), K[rows, :30] @ B, atol=30 * digits)
    assert_allclose(blocks.product(slice(7, 25), slice(10, 40), B), K[7:25, 10:40] @ B, atol=30 * digits)
    assert blocks.product(slice(0, 0), slice(0, 30), B).shape == (0, 2)


@pytest.mark.parametrize("budget", [0, 700, 10**6], ids=["formed anew", "kept in part", "kept"])
@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-6), (torch.float32, 2e-4)])
@every
@pytest.mark.parametrize("choice", ENGINES)
def test_symmetric_products_are_those_of_the_matrix(
    which: RadialKernel | None, dtype: torch.dtype, digits: float, choice: str, budget: int
) -> None:
    blocks, K = both(which, dtype, choice)
    n = 37  # the rows after it take no part
    kernel = SymmetricKernel(blocks, n, Cache(budget * dtype.itemsize))
    assert kernel.share == {0: 0.0, 700: (30 / 37) ** 2, 10**6: 1.0}[budget]
    draws = np.random.default_rng(5)
    for classes in (1, 3, 13):
        B = torch.as_tensor(draws.standard_normal((n, classes)))
        assert_allclose(kernel.product(B), K[:n, :n] @ B, atol=n * digits * float(K.max()))


@pytest.mark.parametrize(
    ("kernel", "dtype", "classes"),
    [
        *((Laplace(4.0), dtype, classes) for dtype in (torch.float64, torch.float32) for classes in (1, 2, 5, 14)),
        *((Gaussian(3.0), dtype, 5) for dtype in (torch.float64, torch.float32)),
    ],
)
@pytest.mark.parametrize("choice", ENGINES[1:])
def test_many_tiles_give_the_matrix_too(
    kernel: RadialKernel, dtype: torch.dtype, classes: int, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several tiles of the native engine, the last ones partial, with rows that coincide in different ones."""
    monkeypatch.setattr(blocks_module, "_PANEL_ROWS", 1024)
    X = table(1173, dtype=dtype)
    X[1100:1130] = X[3:33]
    X[600] = X[599]
    blocks = RadialBlocks(kernel, X, choice=choice)
    K = kernel_matrix(kernel, X.double())
    digits = 1e-6 if dtype == torch.float64 else 2e-4
    assert_allclose(blocks.block(slice(0, 1173), torch.arange(1172, -1, -1)), K.flip(1), atol=digits)
    assert_allclose(blocks.block(slice(5, 700), slice(3, 1170)).diagonal(2), K.diagonal()[5:700], atol=1e-12)
    B = torch.as_tensor(np.random.default_rng(5).standard_normal((1173, classes)))
    assert_allclose(blocks.product(slice(0, 1173), slice(0, 1173), B), K @ B, atol=300 * digits)
    kept = SymmetricKernel(blocks, 1173, Cache(10**9))
    products = [kept.product(B), kept.product(B), SymmetricKernel(blocks, 1173, Cache(0)).product(B)]
    assert_allclose(products[0], K @ B, atol=300 * digits)
    assert_array_equal(products[0], products[1])
    assert_array_equal(products[0], products[2])


def test_memory_of_the_cache_serves_one_matrix_after_another() -> None:
    cache = Cache(10**6)
    B = torch.ones((45, 1), dtype=torch.float64)
    found = []
    for kernel in KERNELS[:2]:
        matrix = SymmetricKernel(RadialBlocks(kernel, table()), 45, cache)
        assert_allclose(matrix.product(B), kernel_matrix(kernel, table()) @ B, rtol=1e-12)
        found.append([panel.data_ptr() for panel in matrix._kept])
    assert found[0] == found[1]
    assert SymmetricKernel(RadialBlocks(KERNELS[0], table().float()), 45, cache)._kept[0].dtype == torch.float32


def test_products_are_accumulated_in_double_precision() -> None:
    """Coefficients of 1e6 and opposite signs: a float32 sum would be wrong in the first decimal."""
    X = table(dtype=torch.float32)
    blocks = RadialBlocks(Laplace(4.0), X)
    K = blocks.block(slice(0, 45), slice(0, 45)).double()
    B = torch.as_tensor(np.random.default_rng(6).standard_normal((45, 1))) * 1e6
    assert_allclose(blocks.product(slice(0, 45), slice(0, 45), B), K @ B, atol=1e-6)


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize("choice", ENGINES)
def test_nearly_parallel_rows_keep_their_angle_in_single_precision(gap: float, choice: str) -> None:
    """The kernel of unit vectors falls with the angle itself: the square root of rounding would show."""
    X = table(40).float()
    X[6] = 1.0
    X[20:] = X[:20] + gap * table(40).float()[20:]
    X /= X.norm(dim=1, keepdim=True)
    expected = ntk_matrix(X.double(), depth=2)
    K = TangentBlocks(X, 2, choice).block(slice(0, 40), slice(0, 40)).double()
    pairs = torch.arange(20), torch.arange(20, 40)
    lost, true = 3.0 - K[pairs], 3.0 - expected[pairs]
    assert_allclose(lost, true, rtol=2e-2, atol=2e-6)
    assert_allclose(K, expected, atol=3e-6)
