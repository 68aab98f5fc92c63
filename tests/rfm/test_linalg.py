"""Triangular linear algebra, right on odd sizes and blind to the triangle it must not read; the arrays it works on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rfm import linalg
from rfm.arrays import Workspace, matmul_into, places_up_to, put_, row_blocks, smallest, zero_where_
from rfm.kernels import Laplace, kernel_matrix
from rfm.linalg import gram_lower, matmul_float64, metric_factor, mirror_, solve_ridge, symmetric_matmul

pytestmark = pytest.mark.usefixtures("way")
SIZES = [1, 2, 17, 256, 257, 600]
TYPES = [(torch.float64, 1e-12), (torch.float32, 2e-5)]


def symmetric(n: int, seed: int = 0) -> torch.Tensor:
    root = np.random.default_rng(seed).normal(size=(n, n))
    return torch.as_tensor((root + root.T) / 2)


def poisoned(A: torch.Tensor, *, signalling: bool = False) -> torch.Tensor:
    """``A`` with NaN above the diagonal; float32 ones may be those that NumPy's casts warn of."""
    above = torch.triu(torch.ones_like(A, dtype=torch.bool), diagonal=1)
    if signalling:
        return A.clone().view(torch.int32).masked_fill_(above, 0x7F800001).view(torch.float32)
    return A.masked_fill(above, torch.nan)


def gaussian(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape))


def kernel(n: int, dtype: torch.dtype = torch.float64, *, copies: int = 1) -> torch.Tensor:
    rows = gaussian(-(-n // copies), 4).repeat_interleave(copies, dim=0)[:n]
    return kernel_matrix(Laplace(10.0), rows.to(dtype))


def direct(K: torch.Tensor, ridge: float, Y: torch.Tensor) -> NDArray[np.float64]:
    """The solution of the system as it is given, in float64."""
    return np.linalg.solve(K.double().numpy() + ridge * np.eye(len(K)), Y.double().numpy())


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("columns", [1, 2, 30])
@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
def test_products_with_a_lower_triangle_and_its_mirror_image(
    n: int, columns: int, dtype: torch.dtype, tolerance: float
) -> None:
    A, B = symmetric(n), gaussian(n, columns)
    assert torch.equal(mirror_(torch.nan_to_num(poisoned(A), 7.0)), A)
    for right in (B, gaussian(columns, n).T):  # row-major and column-major
        product = symmetric_matmul(poisoned(A).to(dtype), right.to(dtype))
        expected = A.numpy() @ right.numpy()
        np.testing.assert_allclose(product.numpy(), expected, rtol=0, atol=tolerance * n**0.5 * 10)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (5, 1), (3, 17), (300, 257)])
@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
def test_gram_lower(rows: int, columns: int, dtype: torch.dtype, tolerance: float) -> None:
    A = gaussian(rows, columns)
    for given_matrix in (A, A.T.contiguous().T):
        lower = gram_lower(given_matrix.to(dtype)).tril()
        np.testing.assert_allclose(lower.numpy(), np.tril(A.T @ A), rtol=0, atol=tolerance * rows**0.5 * 10)


@pytest.mark.parametrize("n", [*SIZES, 0])
@pytest.mark.parametrize("columns", [1, 10, 11, 30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matmul_float64_accumulates_in_float64(n: int, columns: int, dtype: torch.dtype) -> None:
    A, B = gaussian(5, n).to(dtype), gaussian(n, columns)
    product = matmul_float64(A, B)
    assert product.dtype == torch.float64
    np.testing.assert_allclose(product.numpy(), A.numpy().astype(np.float64) @ B.numpy(), rtol=1e-12, atol=1e-12)
    assert matmul_float64(A[:0], B).shape == (0, columns)


@pytest.mark.parametrize("n", [*SIZES, 1100])
@pytest.mark.parametrize("columns", [1, 4])
def test_the_symmetric_product_accumulates_in_float64(n: int, columns: int) -> None:
    A, B = symmetric(n).float(), gaussian(n, columns)
    expected = A.numpy().astype(np.float64) @ B.numpy()
    product = linalg._symmetric_matmul_float64(poisoned(A, signalling=True), B)
    np.testing.assert_allclose(product.numpy(), expected, rtol=0, atol=1e-11)
    linalg._symmetric_matmul_float64(torch.zeros_like(A), B)  # the scratch of one call is not the result of another
    np.testing.assert_allclose(product.numpy(), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("columns", [1, 10, 11, 30])
@pytest.mark.parametrize("ridge", [10.0, 0.1, 1e-3])
@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-9), (torch.float32, 5e-5)])
def test_systems_are_solved_to_more_than_float32(
    n: int, columns: int, ridge: float, dtype: torch.dtype, digits: float
) -> None:
    """A matrix may be given in float32; the solution must be that of *that* matrix."""
    K, Y = kernel(n, dtype), gaussian(n, columns).to(dtype)
    solution = solve_ridge(poisoned(K), ridge, Y)
    assert solution.alpha.dtype == torch.float64
    assert solution.solver == "cholesky"
    expected = direct(K, ridge, Y)
    assert np.linalg.norm(solution.alpha.numpy() - expected) < digits * np.linalg.norm(expected)


@pytest.mark.parametrize("copies", [1, 5, 50])
@pytest.mark.parametrize("ridge", [1e-3, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 7e-7, 3e-7])
def test_a_solution_is_only_called_refined_if_it_is(copies: int, ridge: float) -> None:
    """Near float32's limit the corrections shrink slowly or grow, though the first one is small."""
    K, Y = kernel(300, torch.float32, copies=copies), torch.eye(2)[torch.arange(300) % 7 % 2]
    solution = solve_ridge(poisoned(K), ridge, Y)
    expected = direct(K, ridge, Y)
    assert np.linalg.norm(solution.alpha.numpy() - expected) < 2e-3 * np.linalg.norm(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_solve_ridge_keeps_its_input_and_uses_the_scratch_given(dtype: torch.dtype) -> None:
    K, Y = kernel(30, dtype), gaussian(30, 2).to(dtype)
    before, work = K.clone(), torch.full_like(K, torch.nan)
    alphas = solve_ridge(K, 0.1, Y).alpha, solve_ridge(K, 0.1, Y, work=work).alpha
    torch.testing.assert_close(solve_ridge(K.T, 0.1, Y).alpha, alphas[0], rtol=1e-3, atol=1e-3)
    assert torch.equal(K, before)
    assert not bool(torch.isnan(work).any())
    assert torch.equal(*alphas)


def test_the_exact_matrix_replaces_the_rounded_one() -> None:
    exact, Y = kernel(200, copies=8), gaussian(200, 3)
    solution = solve_ridge(exact.float(), 1e-9, Y.float(), exact=lambda: poisoned(exact))
    assert solution.solver == "cholesky-float64"
    fitted = exact @ solution.alpha + 1e-9 * solution.alpha
    torch.testing.assert_close(fitted, Y.float().double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_negative_eigenvalues_count_as_zero(dtype: torch.dtype) -> None:
    """diag(1, -1) with ridge 0.5: what remains of the second direction is the ridge alone."""
    K = torch.diag(torch.tensor([1.0, -1.0], dtype=dtype))
    solution = solve_ridge(poisoned(K), 0.5, torch.ones((2, 1), dtype=dtype))
    assert solution.solver == "eigenvalues"
    torch.testing.assert_close(solution.alpha, torch.tensor([[1 / 1.5], [2.0]], dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_not_finite_and_a_ridge_that_is_not_positive_are_refused(dtype: torch.dtype, way: str) -> None:
    """On CUDA's way a metric need not be refused if nothing comes of it that a kernel matrix could be made of."""
    for value in (torch.nan, torch.inf):
        for broken in (0, 1):
            system = kernel(20, dtype), gaussian(20, 2).to(dtype)
            system[broken][3, 1] = value
            with pytest.raises(ValueError, match="not finite"):
                solve_ridge(system[0], 0.1, system[1])
        M = torch.eye(3, dtype=dtype)
        M[0, 1] = M[1, 0] = value
        try:
            assert not torch.isfinite(metric_factor(M, torch.ones(3, dtype=dtype))).any()
            assert way == "CUDA's"
        except ValueError as error:
            assert "the metric is not finite: standardise" in str(error)  # noqa: PT017
    for ridge in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="ridge must be positive"):
            solve_ridge(torch.eye(2, dtype=dtype), ridge, torch.ones(2, 1, dtype=dtype))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    copies=st.integers(1, 6),
    exponent=st.floats(-12, 2),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_solve_ridge_never_gives_nan(seed: int, n: int, copies: int, exponent: float, dtype: torch.dtype) -> None:
    rows = gaussian(n, 2, seed=seed).repeat_interleave(copies, dim=0).to(dtype)
    Y = gaussian(len(rows), 2, seed=seed + 1).to(dtype)
    assert bool(torch.isfinite(solve_ridge(kernel_matrix(Laplace(10.0), rows), 10.0**exponent, Y).alpha).all())


def test_a_vanishing_ridge_does_not_amplify_rounding() -> None:
    K = torch.ones((6, 6), dtype=torch.float64)
    Y = torch.tensor([[1.0], [2.0]], dtype=torch.float64).repeat(3, 1)
    for ridge in (1e-16, 1e-100, 1e-310):
        torch.testing.assert_close(K @ solve_ridge(K, ridge, Y).alpha, torch.full_like(Y, 1.5))


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_the_factor_of_a_metric_gives_it_back(rank: int) -> None:
    V = gaussian(6, rank, seed=rank)
    scales = torch.tensor([1e-3, 1.0, 1e3, 1.0, 5.0, 0.0], dtype=torch.float64)
    M = V @ V.T
    F = metric_factor(M, scales)
    assert int((F.norm(dim=0) > 0).sum()) == rank
    torch.testing.assert_close(F @ F.T, M)


@given(rows=st.integers(0, 5000), columns=st.integers(0, 5000), budget=st.integers(1, 1 << 22))
def test_row_blocks_cover_all_rows_once(rows: int, columns: int, budget: int) -> None:
    ranges = row_blocks(rows, columns, 8, budget)
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges)][: len(ranges)]
    assert (ranges[-1][1] if ranges else 0) == rows
    assert all(stop > start for start, stop in ranges)
    assert all((stop - start) * columns * 8 <= budget or stop - start <= 16 for start, stop in ranges)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_places_and_what_is_put_there(dtype: torch.dtype) -> None:
    """In rows that are not contiguous."""
    x = torch.tensor([[0.5, -2.0, torch.nan], [3.0, 1.2, 1.5]], dtype=dtype)
    bound = torch.tensor([[0.5], [1.2]], dtype=dtype)
    unless = torch.tensor([[False, True, False], [False, False, True]])
    assert [part.tolist() for part in places_up_to(x, bound, unless)] == [[0, 1], [0, 1]]
    places = places_up_to(x, bound)
    assert [part.tolist() for part in places] == [[0, 0, 1], [0, 1, 1]]
    wide = torch.full((2, 5), 9.0, dtype=dtype)
    put_(wide[:, 1:4], places, torch.tensor([1.0, 2.0, 3.0], dtype=dtype))
    assert wide.tolist() == [[9.0, 1.0, 2.0, 9.0, 9.0], [9.0, 9.0, 3.0, 9.0, 9.0]]
    zero_where_(wide[:, 1:4], unless)
    assert wide.tolist() == [[9.0, 1.0, 0.0, 9.0, 9.0], [9.0, 9.0, 3.0, 0.0, 9.0]]
    assert smallest(x[1:]) == float(x[1, 1])
    assert np.isnan(smallest(x))
    assert smallest(x[:0]) == np.inf


def test_a_product_is_written_among_other_columns() -> None:
    """Of distances that it gives too small kernels are right all the same: they are worked out again."""
    A, B = torch.randn(7, 3), torch.randn(3, 5)
    wide = torch.full((7, 8), 9.0)
    matmul_into(A, B, wide[:, 2:7])
    torch.testing.assert_close(wide[:, 2:7], A @ B)
    assert bool((wide[:, [0, 1, 7]] == 9.0).all())


def test_workspace_reuses_its_memory() -> None:
    workspace = Workspace(torch.float64, "cpu")
    large = workspace.take("K", 10, 10)
    small = workspace.take("K", 3, 4)
    assert small.shape == (3, 4)
    assert small.is_contiguous()
    assert small.data_ptr() == large.data_ptr()
    assert workspace.take("W", 3, 4).data_ptr() != small.data_ptr()
    assert workspace.take("K", 20, 20).shape == (20, 20)
