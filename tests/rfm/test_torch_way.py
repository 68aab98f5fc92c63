"""The way of CUDA tensors, taken by tensors of the CPU: the same numbers, few reads by the host, small copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from grids import Array, assert_same_points, grid
from numpy.testing import assert_allclose
from torch.utils._python_dispatch import TorchDispatchMode

from rfm import arrays, linalg
from rfm.agop import agop
from rfm.arrays import BLOCK_BYTES, CUDA_BLOCK_BYTES, block_bytes, read
from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace, RadialKernel, kernel_lower_, kernel_matrix
from rfm.large import LargeSweep
from rfm.linalg import matmul_float64, metric_factor, mirror_, solve_ridge, symmetric_matmul
from rfm.ntk import ntk_matrices
from rfm.rows import metric_rows
from rfm.solvers.blocks import RadialBlocks
from rfm.solvers.tangent import TangentBlocks
from rfm.sweep import Sweep

KERNELS = [Laplace(10.0), Gaussian(3.0), GeneralisedLaplace(5.0, 1.4)]
RIDGES = (10.0, 0.1, 1e-3)


@pytest.fixture
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and no tensor is NumPy's to work on any more."""
    return lambda: monkeypatch.setattr(arrays, "NUMPY_DEVICES", frozenset())


def problem(n: int, *, duplicates: bool = False, d: int = 5) -> tuple[Array, Array]:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, d))
    if duplicates:
        X = np.round(X[rng.integers(0, n // 4, size=n)])
    return X, np.eye(3)[(X[:, 0] > 0) * 1 + (X[:, 0] * X[:, 1] > 0.3) * 1]


@pytest.mark.parametrize("n", [90, 500], ids=["stacked", "one by one"])
@pytest.mark.parametrize(
    ("options", "dtype", "tolerance"),
    [
        ({}, torch.float64, 1e-7),
        ({}, torch.float32, 0.05),
        ({"metric_scaling": "trace"}, torch.float64, 1e-7),
        ({"diagonal": True}, torch.float64, 1e-7),
    ],
)
@pytest.mark.parametrize("duplicates", [False, True])
def test_sweeps_have_the_same_scores(
    n: int,
    dtype: torch.dtype,
    tolerance: float,
    duplicates: bool,
    options: dict[str, Any],
    without_numpy: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, Y = problem(n, duplicates=duplicates)
    here = grid(X, Y, n // 2, ridges=RIDGES, engine="python", dtype=dtype, **options)
    without_numpy()
    monkeypatch.setattr(arrays, "CUDA_BLOCK_BYTES", 1 << 16)  # several blocks
    there = grid(X, Y, n // 2, ridges=RIDGES, engine="python", dtype=dtype, **options)
    assert_same_points(there, here, scores=tolerance)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("duplicates", [False, True])
def test_kernels_gradients_and_solutions(
    kernel: RadialKernel, duplicates: bool, without_numpy: Callable[[], None]
) -> None:
    X, Y = (torch.as_tensor(a) for a in problem(300, duplicates=duplicates))
    results = []
    for switch in (lambda: None, without_numpy):
        switch()
        K, W = (torch.zeros((300, 300), dtype=torch.float64) for _ in range(2))
        rows = metric_rows(X, None, kernel.bandwidth)
        kernel_lower_(kernel, rows, K, W)
        alpha = solve_ridge(K, 0.1, Y).alpha
        results.append([kernel_matrix(kernel, X), alpha, agop(rows, alpha, W), mirror_(W)])
    for here, there in zip(*results, strict=True):
        assert float((here - there).norm() / here.norm()) < 1e-8


def test_products_with_a_triangle_or_half_the_digits(
    without_numpy: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_numpy()
    monkeypatch.setattr(arrays, "CUDA_BLOCK_BYTES", 8 * 97 * 20)
    rng = np.random.default_rng(1)
    root, B = torch.as_tensor(rng.normal(size=(97, 97))), torch.as_tensor(rng.normal(size=(97, 4)))
    A = (root + root.T).float()
    poisoned = A.masked_fill(torch.triu(torch.ones_like(A, dtype=torch.bool), diagonal=1), torch.nan)
    kept = poisoned.clone()
    torch.testing.assert_close(linalg._symmetric_matmul_float64(poisoned, B), A.double() @ B)
    torch.testing.assert_close(symmetric_matmul(poisoned, B.float()), A @ B.float())
    torch.testing.assert_close(poisoned, kept, equal_nan=True, rtol=0, atol=0)
    torch.testing.assert_close(matmul_float64(A[:, :50], B[:50]), A[:, :50].double() @ B[:50])


@pytest.mark.parametrize("ridge", [10.0, 1e-3, 1e-6])
def test_a_solution_is_refined_or_found_in_float64(ridge: float, without_numpy: Callable[[], None]) -> None:
    X, Y = (torch.as_tensor(a) for a in problem(200))
    K = kernel_matrix(Gaussian(4.0), X)
    without_numpy()
    solution = solve_ridge(K.float(), ridge, Y.float(), exact=lambda: K)
    residual = K.float().double() @ solution.alpha + ridge * solution.alpha - Y
    assert solution.solver == ("cholesky" if ridge > 1e-5 else "cholesky-float64")
    if solution.solver == "cholesky":
        assert float(residual.norm() / Y.norm()) < 1e-4
    indefinite = solve_ridge(torch.diag(torch.tensor([1.0, -1.0])), 0.5, torch.ones((2, 1)))
    assert indefinite.solver == "eigenvalues"
    torch.testing.assert_close(indefinite.alpha, torch.tensor([[1 / 1.5], [2.0]], dtype=torch.float64))
    with pytest.raises(ValueError, match="not finite"):
        solve_ridge(torch.tensor([[torch.nan]]), 0.5, torch.ones((1, 1)))


def test_factors_of_a_metric(without_numpy: Callable[[], None]) -> None:
    rng = np.random.default_rng(2)
    root = torch.as_tensor(rng.normal(size=(6, 3)))
    without_numpy()
    F = metric_factor(root @ root.T, torch.ones(6))
    torch.testing.assert_close(F @ F.T, root @ root.T)
    assert int((F.norm(dim=0) > 0).sum()) == 3
    for value in (torch.nan, torch.inf):
        spoilt = torch.eye(3, dtype=torch.float64)
        spoilt[0, 0] = value
        try:  # an error at once, or nothing that a kernel matrix could be made of
            assert not torch.isfinite(metric_factor(spoilt, torch.ones(3))).any()
        except ValueError as error:
            assert "not finite" in str(error)  # noqa: PT017


def test_large_tables_and_tangent_kernels(without_numpy: Callable[[], None]) -> None:
    X, Y = problem(300)
    rows, alpha = torch.as_tensor(X), torch.as_tensor(Y)
    results = []
    for switch in (lambda: None, without_numpy):
        switch()
        large = LargeSweep(X, Y, dtype=torch.float64, solver="cg")
        fit = large.fit(np.arange(250), np.arange(250, 300), ridge=1.0, unit_norm=True, iterations=1)
        kernels = (RadialBlocks(Laplace(3.0), rows), TangentBlocks(rows.float(), 3))
        blocks = [kernel.product(torch.arange(7, 90), slice(0, 300), alpha) for kernel in kernels]
        results.append((fit.scores, *blocks, torch.stack(list(ntk_matrices(rows, 3)))))
    for here, there, (rtol, atol) in zip(
        *results, ((0.0, 1e-6), (1e-4, 1e-4), (1e-4, 1e-4), (1e-7, 1e-7)), strict=True
    ):
        assert_allclose(there, here, rtol=rtol, atol=atol)


class _Reads(TorchDispatchMode):
    """Counts what makes the host wait for a device, and the largest float64 tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masks = name == "index" and any(t is not None and t.dtype == torch.bool for t in args[1])
        if masks or name in ("_local_scalar_dense", "nonzero", "equal", "masked_select", "_linalg_eigh"):
            self.waits[name] += 1
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64:
                self.largest = max(self.largest, tensor.numel())
        return out


@pytest.mark.parametrize(("n", "d", "by_gram"), [(210, 5, False), (500, 5, False), (300, 200, True)])
@pytest.mark.parametrize("duplicates", [False, True])
def test_a_point_makes_the_host_wait_a_few_times_whatever_its_rows(
    n: int, d: int, by_gram: bool, duplicates: bool, without_numpy: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Close rows among the fitted ones and to the others, the metric's eigenvectors, the solution, the AGOP's rounding.

    Scores are read besides.
    """
    without_numpy()
    X, Y = problem(2 * n, duplicates=duplicates, d=d)
    sweep = Sweep(X, Y, engine="python")
    reads = _Reads()

    def counted(*values: torch.Tensor) -> list[float]:
        reads.waits["read"] += 1
        return read(*values)

    for module in ("rfm.linalg", "rfm.agop"):
        monkeypatch.setattr(f"{module}.read", counted)
    with reads:
        found = list(sweep.points(np.arange(n), np.arange(n, 2 * n), ridges=(0.1,), unit_norms=(True,), iterations=3))
    assert {point.solver for point in found} == {"cholesky"}
    assert reads.waits == {"nonzero": 8, "_linalg_eigh": 3, "read": 7 if by_gram else 4}


def test_no_float64_copy_of_a_kernel_matrix(without_numpy: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    without_numpy()
    monkeypatch.setattr(arrays, "CUDA_BLOCK_BYTES", 1 << 16)
    X, Y = (torch.as_tensor(a).float() for a in problem(600))
    K = kernel_matrix(Laplace(10.0), X)
    reads = _Reads()
    with reads:
        solution = solve_ridge(K, 1e-2, Y)
        matmul_float64(K, solution.alpha)
    assert solution.solver == "cholesky"
    assert reads.largest * 8 <= 1 << 17
    assert reads.waits == {}


@pytest.mark.parametrize(
    ("free", "expected"), [(1 << 40, CUDA_BLOCK_BYTES), (1 << 30, 1 << 26), (1 << 20, BLOCK_BYTES)]
)
def test_blocks_on_a_card_have_a_share_of_its_free_memory(
    free: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_cuda_block_bytes", arrays._cuda_block_bytes.__wrapped__)  # which asks once
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device=None: (free, 1 << 40))
    assert block_bytes("cuda") == block_bytes(torch.device("cuda")) == expected
    assert block_bytes("cpu") == BLOCK_BYTES


@pytest.mark.parametrize(
    ("n", "d", "options"),
    [
        (60, 5, {}),
        (300, 5, {}),
        (300, 5, {"diagonal": True}),
        (300, 5, {"metric_scaling": "trace"}),
        (300, 5, {"dtype": torch.float64}),
        (300, 200, {"center_gradients": True}),
        (250, 300, {}),
    ],
)
def test_chains_stay_on_their_device(n: int, d: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors of the device "meta" have no data and refuse the company of the CPU's, as CUDA's do."""

    def places(x: torch.Tensor, bound: torch.Tensor, unless: torch.Tensor | None = None) -> arrays.Places:
        assert x.device == bound.device
        return torch.zeros((2, 5), dtype=torch.int64, device=x.device).unbind()

    def converged(*values: torch.Tensor) -> list[float]:
        """Nothing is close (the first is the bound), factors exist, corrections shrink."""
        assert {value.device.type for value in values} == {"meta"}
        return [0.0, 1.0, 1e-6, 1.0, 1e-12] if len(values) == 5 else [0.0, *[1.0] * (len(values) - 1)]

    monkeypatch.setattr("rfm.rows.places_up_to", places)
    for module in ("rfm.linalg", "rfm.agop", "rfm.stacked"):
        monkeypatch.setattr(f"{module}.read", converged)
    monkeypatch.setattr("rfm.sweep._to_numpy", lambda scores: np.zeros(scores.shape))
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: np.ones(tensor.shape).tolist())
    X, Y = problem(2 * n, d=d)
    sweep = Sweep(X, Y, device="meta", **options)
    fit, others = np.arange(n), np.arange(n, 2 * n)
    found = list(sweep.points(fit, others, ridges=(1.0, 0.1), unit_norms=(True, False), iterations=2))
    assert {(point.scores.shape, point.alpha.device.type) for point in found} == {((n, 3), "meta")}
    assert len(found) == 12
    assert sweep.fit(fit, others, ridge=1.0, unit_norm=False, iterations=1).scores.shape == (n, 3)
