"""Factored matrices against the arrays that they stand for."""

from __future__ import annotations

import pytest
import torch

from rfm.factored import FactoredMatrix, cosine


def _drawn(d: int, k: int, seed: int) -> FactoredMatrix:
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(d, k, generator=generator, dtype=torch.float64)
    core = torch.randn(k, k, generator=generator, dtype=torch.float64)
    return FactoredMatrix(basis, core @ core.T)


@pytest.mark.parametrize(("d", "k"), [(7, 3), (5, 5), (4, 9), (6, 1)])
def test_all_that_is_asked_of_it_is_that_of_the_array(d: int, k: int) -> None:
    A, B = _drawn(d, k, 1), _drawn(d, k + 1, 2)
    full, other = A.dense(), B.dense()
    v = torch.arange(d, dtype=torch.float64)
    torch.testing.assert_close(full, A.basis @ A.core @ A.basis.T)
    torch.testing.assert_close(A.diagonal(), full.diagonal())
    torch.testing.assert_close(A @ v, full @ v)
    torch.testing.assert_close(A @ torch.eye(d, dtype=torch.float64), full)
    assert A.trace() == pytest.approx(float(full.trace()))
    assert A.total() == pytest.approx(float(full.sum()))
    assert A.inner(B) == pytest.approx(float((full * other).sum()))
    assert A.shape == full.shape
    torch.testing.assert_close(A @ v.numpy(), full @ v)
    values, vectors = A.leading(4)
    torch.testing.assert_close(values, torch.linalg.eigvalsh(full).flip(0)[:4])
    torch.testing.assert_close(full @ vectors, vectors * values)
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(4, dtype=torch.float64))
    copied = A.clone()
    copied.core.zero_()
    assert float(A.core.abs().sum()) > 0
    assert copied.basis is A.basis
    cosine_of_arrays = torch.nn.functional.cosine_similarity(full.flatten(), other.flatten(), dim=0)
    assert cosine(A, B) == pytest.approx(float(cosine_of_arrays))
    pearson = torch.corrcoef(torch.stack([full.flatten(), other.flatten()]))[0, 1]
    assert cosine(A, B, centred=True) == pytest.approx(float(pearson))


def test_the_correlation_with_a_constant_matrix_is_zero() -> None:
    constant = FactoredMatrix(torch.ones(4, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))
    assert cosine(constant, _drawn(4, 2, 3), centred=True) == 0.0
    zero = FactoredMatrix(torch.zeros(4, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))
    assert cosine(zero, _drawn(4, 2, 3)) == 0.0
