"""The way of CUDA tensors, taken by tensors of the CPU: the same numbers, few reads by the host, small copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from grids import assert_same_points, grid, table
from numpy.testing import assert_allclose
from torch.utils._python_dispatch import TorchDispatchMode

from rfm import arrays
from rfm.arrays import BLOCK_BYTES, CUDA_BLOCK_BYTES, block_bytes, read
from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace, kernel_matrix
from rfm.large import LargeSweep
from rfm.linalg import matmul_float64, solve_ridge
from rfm.ntk import ntk_matrices
from rfm.solvers.blocks import RadialBlocks
from rfm.solvers.tangent import TangentBlocks
from rfm.sweep import Sweep

KERNELS = [Laplace(10.0), Gaussian(3.0), GeneralisedLaplace(5.0, 1.4)]
RIDGES = (10.0, 0.1, 1e-3)


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
@pytest.mark.parametrize("kind", ["spread", "duplicates"])
def test_sweeps_have_the_same_scores(
    n: int,
    dtype: torch.dtype,
    tolerance: float,
    kind: str,
    options: dict[str, Any],
    without_numpy: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, Y = table(n, 5, 3, kind)
    here = grid(X, Y, n // 2, ridges=RIDGES, engine="python", dtype=dtype, **options)
    without_numpy()
    monkeypatch.setattr(arrays, "CUDA_BLOCK_BYTES", 1 << 16)  # several blocks
    there = grid(X, Y, n // 2, ridges=RIDGES, engine="python", dtype=dtype, **options)
    assert_same_points(there, here, scores=tolerance)


def test_large_tables_and_tangent_kernels(without_numpy: Callable[[], None]) -> None:
    X, Y = table(300, 5, 3)
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
@pytest.mark.parametrize("kind", ["spread", "duplicates"])
def test_a_point_makes_the_host_wait_a_few_times_whatever_its_rows(
    n: int, d: int, by_gram: bool, kind: str, without_numpy: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Close rows among the fitted ones and to the others, the metric's eigenvectors, the solution, the AGOP's rounding.

    Scores are read besides.
    """
    without_numpy()
    X, Y = table(2 * n, d, 3, kind)
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
    X, Y = (torch.as_tensor(a).float() for a in table(600, 5, 3))
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
    X, Y = table(2 * n, d, 3)
    sweep = Sweep(X, Y, device="meta", **options)
    fit, others = np.arange(n), np.arange(n, 2 * n)
    found = list(sweep.points(fit, others, ridges=(1.0, 0.1), unit_norms=(True, False), iterations=2))
    assert {(point.scores.shape, point.alpha.device.type) for point in found} == {((n, 3), "meta")}
    assert len(found) == 12
    assert sweep.fit(fit, others, ridge=1.0, unit_norm=False, iterations=1).scores.shape == (n, 3)
