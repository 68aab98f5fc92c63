"""The average gradient outer product against automatic differentiation; symmetries of all of RFM are test_sweep's."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest
import torch
from grids import needs_library

import rfm.agop as module
from rfm.agop import agop, from_coordinates
from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace, RadialKernel, kernel_lower_, kernel_matrix
from rfm.linalg import gram_lower, solve_ridge
from rfm.rows import MetricRows, metric_rows
from rfm.solvers.blocks import RadialBlocks
from rfm.solvers.gradients import sampled_agop

KERNELS = [Laplace(3.0), Gaussian(2.0), GeneralisedLaplace(2.0, 1.4)]
METRICS = ["identity", "diagonal", "full"]


def predictor(
    kernel: RadialKernel, rows: torch.Tensor, alpha: torch.Tensor, M: torch.Tensor, z: torch.Tensor
) -> torch.Tensor:
    """f(z) (c,), built from differences of rows: no Gram matrix, no cancellation."""
    difference = rows - z
    squared = (difference @ M * difference).sum(dim=1) / kernel.bandwidth**2
    powers = squared / 2 if isinstance(kernel, Gaussian) else squared ** (getattr(kernel, "exponent", 1.0) / 2)
    return torch.exp(-powers) @ alpha


def autograd_gradients(kernel: RadialKernel, X: torch.Tensor, alpha: torch.Tensor, M: torch.Tensor) -> torch.Tensor:
    """Gradients (n, c, d) at the training rows; a row has no gradient through rows equal to itself."""
    gradients = []
    for x in X:
        others = (x != X).any(dim=1)
        at = partial(predictor, kernel, X[others], alpha[others], M)
        gradients.append(torch.autograd.functional.jacobian(at, x))
    return torch.stack(gradients)


def outer(gradients: torch.Tensor, *, center: bool) -> torch.Tensor:
    """Their outer products (d, d): summed over classes, averaged over rows."""
    if center:
        gradients = gradients - gradients.mean(dim=0, keepdim=True)
    return torch.einsum("jck,jcl->kl", gradients, gradients) / len(gradients)


def table(n: int, d: int, c: int, *, duplicates: bool, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if duplicates:  # few distinct rows on a grid, as in tables of categories
        X = np.round(X[rng.integers(0, max(1, n // 4), size=n)])
    return torch.as_tensor(X), torch.as_tensor(rng.normal(size=(n, c)))


def metric(kind: str, d: int, seed: int = 1) -> torch.Tensor | None:
    rng = np.random.default_rng(seed)
    if kind == "identity":
        return None
    if kind == "diagonal":
        return torch.as_tensor(rng.uniform(0.2, 2.0, size=d))
    root = rng.normal(size=(d, d))
    return torch.as_tensor(root @ root.T / d)


def full(M: torch.Tensor | None, d: int) -> torch.Tensor:
    if M is None:
        return torch.eye(d, dtype=torch.float64)
    return torch.diag(M) if M.dim() == 1 else M


def weights(kernel: RadialKernel, rows: MetricRows) -> torch.Tensor:
    """L^2 W, its upper triangle poisoned: only the lower one may be read."""
    n = len(rows.left)
    K, W = rows.left.new_empty((2, n, n))
    kernel_lower_(kernel, rows, K, W)
    W[torch.triu(torch.ones(n, n, dtype=torch.bool), diagonal=1)] = torch.nan
    return W


def assert_close(rounded: torch.Tensor, exact: torch.Tensor, digits: float = 1e-3) -> None:
    torch.testing.assert_close(rounded.double(), exact, rtol=digits, atol=digits * float(exact.abs().max()))


def learned(
    kernel: RadialKernel, X: torch.Tensor, alpha: torch.Tensor, M: torch.Tensor | None, **options: bool
) -> torch.Tensor:
    rows = metric_rows(X, M, kernel.bandwidth)
    return agop(rows, alpha, weights(kernel, rows), **options)


@pytest.fixture(params=["by rows", "by Gram matrix"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Forces one of the two forms, whatever the operation count says."""
    monkeypatch.setattr(module, "_PASSES", np.inf if request.param == "by rows" else -np.inf)
    return str(request.param)


@cache
def gradients_of_the_table(kernel: RadialKernel, kind: str, duplicates: bool) -> torch.Tensor:
    X, alpha = table(41, 5, 3, duplicates=duplicates)
    return autograd_gradients(kernel, X, alpha, full(metric(kind, 5), 5))


@pytest.mark.usefixtures("form", "way")
@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        *((KERNELS[0], kind) for kind in METRICS),
        *((kernel, "identity") for kernel in KERNELS[1:]),
        (KERNELS[2], "full"),
    ],
    ids=str,
)
@pytest.mark.parametrize("duplicates", [False, True], ids=["random", "duplicates"])
@pytest.mark.parametrize("center", [False, True], ids=["plain", "centred"])
def test_agop_is_what_autograd_gives(kernel: RadialKernel, kind: str, duplicates: bool, center: bool) -> None:
    X, alpha = table(41, 5, 3, duplicates=duplicates)
    M = metric(kind, 5)
    expected = outer(gradients_of_the_table(kernel, kind, duplicates), center=center)
    found = learned(kernel, X, alpha, M, center=center)
    assert torch.equal(found, found.T)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
    diagonal = learned(kernel, X, alpha, M, center=center, diagonal=True)
    torch.testing.assert_close(diagonal, expected.diagonal(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("center", [False, True], ids=["plain", "centred"])
@pytest.mark.parametrize("diagonal", [False, True])
def test_the_gram_form_itself_is_that_by_rows(center: bool, diagonal: bool) -> None:
    """Not what stands in for it where its rounding looks too large: that would hide a fault of it."""
    X, alpha = table(41, 5, 3, duplicates=False)
    W = weights(Laplace(3.0), metric_rows(X, None, 3.0))
    S, rounding = module._by_gram(X, alpha, W, center=center, diagonal=diagonal)
    assert 0 < rounding < 1e-6
    expected = module._by_rows(X, alpha, W, center=center, diagonal=diagonal)
    torch.testing.assert_close(S, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("n", "d", "c"), [(1, 1, 1), (2, 1, 2), (2, 7, 1), (3, 2, 30), (33, 1, 1), (17, 40, 2)])
def test_small_and_odd_sizes(n: int, d: int, c: int) -> None:
    X, alpha = table(n, d, c, duplicates=False, seed=n)
    gradients = autograd_gradients(Laplace(2.0), X, alpha, torch.eye(d, dtype=torch.float64))
    expected = outer(gradients, center=False)
    torch.testing.assert_close(learned(Laplace(2.0), X, alpha, None), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("kind", ["identity", "diagonal"])
@pytest.mark.parametrize("center", [False, True], ids=["plain", "centred"])
@pytest.mark.parametrize("n", [1, 13, 39])
def test_the_diagonal_of_more_features_than_rows_is_formed_alone(
    kind: str, center: bool, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows in two blocks and in one; also from the gradients at sampled rows."""
    kernel, d = Laplace(3.0), 40
    X, alpha = table(n, d, 3, duplicates=False)
    M = metric(kind, d)
    expected = outer(autograd_gradients(kernel, X, alpha, full(M, d)), center=center).diagonal()
    monkeypatch.setattr(module, "gram_lower", lambda A: _no_more_columns_than(n, A))
    monkeypatch.setattr(module, "from_coordinates", _diagonals_alone)
    torch.testing.assert_close(learned(kernel, X, alpha, M, center=center, diagonal=True), expected)
    monkeypatch.setattr("rfm.solvers.gradients._BATCH", 7)
    monkeypatch.setattr("rfm.solvers.gradients._gram", lambda _: pytest.fail("an array of d x d was formed"))
    sampled = sampled_agop(RadialBlocks(kernel, X, M), alpha, center=center, diagonal=True)
    torch.testing.assert_close(sampled, expected)


def _no_more_columns_than(n: int, A: torch.Tensor) -> torch.Tensor:
    assert A.shape[1] <= n, "an array of d x d was formed"
    return gram_lower(A)


def _diagonals_alone(S: torch.Tensor, root: torch.Tensor | None, *, diagonal: bool) -> torch.Tensor:
    assert S.dim() == 1, "an array of d x d was formed"
    return from_coordinates(S, root, diagonal=diagonal)


def test_classes_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    X, alpha = table(20, 4, 9, duplicates=False)
    W = weights(Laplace(3.0), metric_rows(X, None, 3.0))
    at_once = module._by_rows(X, alpha, W, center=False)
    for memory in (1, 3 * 20 * 4 * 8):
        monkeypatch.setattr(module, "_CHUNK_BYTES", memory)
        torch.testing.assert_close(module._by_rows(X, alpha, W, center=False), at_once, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wide", [False, True], ids=["by rows", "by Gram matrix"])
def test_the_cheaper_form_is_chosen(wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 n^2 c d operations against n^3: few features and classes go by rows, many by the Gram matrix."""
    d, c = (40, 10) if wide else (2, 2)

    def forbidden(*_: torch.Tensor) -> torch.Tensor:
        raise AssertionError("the dearer form was taken")

    monkeypatch.setattr(module, "_by_rows" if wide else "_by_safe_gram", forbidden)
    X, alpha = table(60, d, c, duplicates=False)
    assert learned(Laplace(5.0), X, alpha, None).shape == (d, d)


def test_float32_on_heavy_duplicates_keeps_its_digits() -> None:
    """Rounding noise between equal rows, divided by a distance of zero, would make M wrong by orders of magnitude."""
    X, alpha = table(400, 3, 2, duplicates=True)
    exact = learned(Laplace(10.0), X, alpha, None)
    rounded = learned(Laplace(10.0), X.float(), alpha.float(), None)
    assert_close(rounded, exact)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("center", [False, True], ids=["plain", "centred"])
def test_float32_keeps_the_gradients_between_close_rows(kind: str, gap: float, center: bool) -> None:
    """Their weights are hundreds of times the others': squared before they cancel they would drown all else."""
    X, alpha = table(80, 5, 3, duplicates=False)
    X[40:50] = X[:10] * (1.0 + gap)
    M = metric(kind, 5)
    exact = learned(Laplace(10.0), X, alpha, M, center=center)
    rounded = learned(Laplace(10.0), X.float(), alpha.float(), M, center=center)
    assert_close(rounded, exact, 5e-3)
    without = learned(Laplace(10.0), X[50:], alpha[50:], M, center=center)
    assert not torch.allclose(exact, without, rtol=0.05)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("ridge", [0.1, 1e-3])
def test_float32_keeps_gradients_of_coefficients_that_cancel(ridge: float) -> None:
    """Equal rows of different labels: coefficients of 1 / ridge whose sums are small."""
    rng = np.random.default_rng(4)
    X = torch.as_tensor(rng.normal(size=(20, 30))[rng.integers(0, 20, size=200)])
    Y = torch.as_tensor(np.eye(15)[rng.integers(0, 15, size=200)])
    alpha = solve_ridge(kernel_matrix(Laplace(10.0), X), ridge, Y).alpha
    exact = learned(Laplace(10.0), X, alpha, None)
    rounded = learned(Laplace(10.0), X.float(), alpha, None)
    assert_close(rounded, exact)
    assert float(torch.linalg.eigvalsh(rounded.double()).min()) > -1e-3 * float(exact.abs().max())


def test_what_a_metric_weighs_least_is_not_lost() -> None:
    """Rows that differ mostly in a direction of weight 1e-6: M S M in float32 would round it away, or below zero."""
    X, alpha = table(90, 3, 2, duplicates=False)
    root = torch.as_tensor(np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]) * torch.tensor(
        [1.0, 1e-2, 1e-3]
    )
    M = root @ root.T
    X = torch.linalg.solve(root.T, X.T * torch.tensor([[1.0], [0.1], [0.1]])).T
    exact = learned(Laplace(1.0), X, alpha, M)
    rounded = learned(Laplace(1.0), X.float(), alpha.float(), M)
    whitened = [torch.linalg.solve(root, torch.linalg.solve(root, S).T) for S in (exact, rounded)]
    torch.testing.assert_close(whitened[1], whitened[0], rtol=1e-2, atol=1e-3 * float(whitened[0].abs().max()))


@pytest.mark.parametrize("choice", ["python", pytest.param("native", marks=needs_library)])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("kind", METRICS)
def test_gradients_at_all_rows_or_some_give_it_too(
    kernel: RadialKernel, kind: str, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one pass and in pieces: rows, columns and classes."""
    X, alpha = table(41, 5, 3, duplicates=True)
    M, diagonal = metric(kind, 5), kind == "diagonal"
    gradients = gradients_of_the_table(kernel, kind, duplicates=True)
    blocks = RadialBlocks(kernel, X, M, choice=choice)
    for pieces in (False, True):
        if pieces:
            monkeypatch.setattr("rfm.solvers.gradients.TILE_COLUMNS", 16)
            monkeypatch.setattr("rfm.solvers.gradients._BATCH", 9)
            monkeypatch.setattr("rfm.solvers.gradients._BYTES", 2 * 16 * 4 * 8)
        for sampled in (41, 10):
            expected = outer(gradients[:sampled], center=False)
            found = sampled_agop(blocks, alpha, diagonal=diagonal, sampled=sampled)
            torch.testing.assert_close(found, expected.diagonal() if diagonal else expected, rtol=1e-8, atol=1e-8)
