"""Feature matrices of layers: against automatic differentiation, finite differences and dense arrays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from bench.study.feature_matrices import Comparisons, layer_gradients, nfm, second_moment, square_root
from bench.study.networks import ReluNetwork
from rfm.factored import FactoredMatrix, cosine

SIZES = (9, 8, 7, 6, 3)


def network(seed: int = 0) -> ReluNetwork:
    return ReluNetwork([layer.double() for layer in ReluNetwork.start("he", SIZES, seed).layers])


def rows(n: int = 11, seed: int = 1) -> torch.Tensor:
    return torch.randn((n, SIZES[0]), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def above(layers: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The outputs as a function of the input of the first of ``layers``."""

    def outputs(units: torch.Tensor) -> torch.Tensor:
        for layer in layers[:-1]:
            units = torch.relu(layer @ units)
        return layers[-1] @ units

    return outputs


def jacobians(found: ReluNetwork, X: torch.Tensor, layer: int) -> torch.Tensor:
    """(n, c, k): gradients of all outputs with respect to the inputs of ``layer``, by torch.func."""
    inputs = found.activations(X)[layer]
    result: torch.Tensor = torch.func.vmap(torch.func.jacrev(above(found.layers[layer:])))(inputs)
    return result


@pytest.mark.parametrize("layer", range(4))
def test_the_agop_of_a_layer_is_that_of_automatic_differentiation(layer: int) -> None:
    found, X = network(), rows()
    J = jacobians(found, X, layer)
    [*_, gradients] = layer_gradients(found, X, layer + 1)
    basis = found.layers[layer].T
    plain, covariance = (FactoredMatrix(basis, core).dense() for core in (gradients.outer, gradients.centred))
    torch.testing.assert_close(plain, torch.einsum("ncd,nce->de", J, J) / len(X))
    centred = J - J.mean(dim=0)
    torch.testing.assert_close(covariance, torch.einsum("ncd,nce->de", centred, centred) / len(X))
    if layer == 3:  # nothing follows the last layer: its AGOP is its NFM
        torch.testing.assert_close(plain, nfm(found.layers[3]).dense())


def test_gradients_are_those_of_autograd_row_by_row() -> None:
    found, X = network(3), rows(5)
    inputs = X.clone().requires_grad_()
    total = torch.zeros((SIZES[0], SIZES[0]), dtype=torch.float64)
    outputs = found.outputs(inputs)
    for row in range(len(X)):
        for output in range(SIZES[-1]):
            [gradient] = torch.autograd.grad(outputs[row, output], inputs, retain_graph=True)
            total += torch.outer(gradient[row], gradient[row])
    G = layer_gradients(found, X)[0].outer
    torch.testing.assert_close(FactoredMatrix(found.layers[0].T, G).dense(), total / len(X))


def test_gradients_are_finite_differences() -> None:
    found, X, step = network(4), rows(6), 1e-6
    shifts = step * torch.eye(SIZES[0], dtype=torch.float64)
    J = torch.stack([(found.outputs(X + s) - found.outputs(X - s)) / (2 * step) for s in shifts], dim=2)
    G = layer_gradients(found, X)[0].outer
    expected = torch.einsum("ncd,nce->de", J, J) / len(X)
    torch.testing.assert_close(FactoredMatrix(found.layers[0].T, G).dense(), expected, rtol=1e-6, atol=1e-7)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found, X = network(), rows()
    whole = layer_gradients(found, X)
    monkeypatch.setattr("bench.study.feature_matrices._BLOCK_BYTES", 3 * 8 * 9 * 4)
    for one, other in zip(whole, layer_gradients(found, X), strict=True):
        torch.testing.assert_close(one.outer, other.outer)
        torch.testing.assert_close(one.centred, other.centred)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_square_roots(shape: tuple[int, int]) -> None:
    """Of full and of low rank, on bases wider and narrower than the matrix."""
    generator = torch.Generator().manual_seed(2)
    basis = torch.randn(shape, generator=generator, dtype=torch.float64)
    factor = torch.randn((shape[1], 3), generator=generator, dtype=torch.float64)
    for core in (factor @ factor.T, torch.eye(shape[1], dtype=torch.float64)):
        M = FactoredMatrix(basis, core)
        root = square_root(M).dense()
        torch.testing.assert_close(root @ root, M.dense(), rtol=1e-8, atol=1e-9)
        assert float(torch.linalg.eigvalsh(root)[0]) > -1e-9
    zero = square_root(FactoredMatrix(basis, torch.zeros_like(M.core))).dense()
    assert float(zero.abs().max()) == 0.0


def test_likenesses_are_cosines_and_correlations_of_the_dense_entries() -> None:
    found, X = network(), rows()
    W = found.layers[1]
    gradients = layer_gradients(found, X, 2)[1]
    weights = nfm(W)
    matrices = {
        "nfm": weights,
        "agop": FactoredMatrix(weights.basis, gradients.outer),
        "scaled": FactoredMatrix(weights.basis, 3.0 * weights.core),
        "inputs": second_moment(found.activations(X)[1]),
        "nothing": nfm(torch.zeros_like(W)),
        "ones": FactoredMatrix(torch.ones((8, 1), dtype=torch.float64), torch.ones((1, 1), dtype=torch.float64)),
    }
    compared = Comparisons(matrices)
    torch.testing.assert_close(matrices["inputs"].dense(), found.activations(X)[1].T @ found.activations(X)[1] / 11)
    for first in ("nfm", "agop", "scaled", "inputs"):
        for second in ("nfm", "agop", "scaled", "inputs"):
            a, b = (matrices[name].dense().flatten() for name in (first, second))
            likeness = compared.likeness(first, second)
            assert likeness.cosine == pytest.approx(float(a @ b / (a.norm() * b.norm())), rel=1e-9)
            assert likeness.pearson == pytest.approx(float(torch.corrcoef(torch.stack([a, b]))[0, 1]), rel=1e-7)
            assert likeness.cosine == pytest.approx(cosine(matrices[first], matrices[second]), rel=1e-9)
            assert likeness.pearson == pytest.approx(cosine(matrices[first], matrices[second], centred=True), rel=1e-7)
    assert compared.likeness("nfm", "scaled").cosine == pytest.approx(1.0)
    assert compared.likeness("nfm", "nothing").cosine is None
    assert compared.likeness("nfm", "ones").pearson is None  # constant
    assert compared.likeness("nfm", "ones").cosine is not None
