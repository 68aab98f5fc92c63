"""Feature matrices of layers, and what the ansatz study measures with them: against dense arrays, automatic
differentiation, and the published script's arithmetic written out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TypeAlias

import numpy as np
import pytest
import torch

from bench.study.ansatz.measure import controls, first_layer, layers_now, pearson, redrawn, shuffled, with_identity
from bench.study.feature_matrices import Comparisons, layer_gradients, nfm, second_moment, square_root
from bench.study.networks import ReluNetwork, one_hot, train
from rfm.factored import FactoredMatrix, cosine

SIZES = (12, 10, 10, 10, 3)
Trained: TypeAlias = tuple[ReluNetwork, ReluNetwork, torch.Tensor]


@pytest.fixture(scope="module")
def trained() -> Trained:
    """A network, its start and its rows, all in float64."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn((40, SIZES[0]), generator=generator, dtype=torch.float64)
    Y = one_hot(X[:, :3].argmax(dim=1), 3).double()
    start = ReluNetwork([layer.double() for layer in ReluNetwork.start("default", SIZES, 0).layers])
    network = start.copy()
    for _ in train(network, X, Y, rate=0.3, epochs=60, batch=8):
        pass
    return network, start, X


def above(layers: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The outputs as a function of the input of the first of ``layers``."""

    def outputs(units: torch.Tensor) -> torch.Tensor:
        for layer in layers[:-1]:
            units = torch.relu(layer @ units)
        return layers[-1] @ units

    return outputs


def dense_agop(layers: list[torch.Tensor], inputs: torch.Tensor, *, centred: bool = False) -> torch.Tensor:
    """By automatic differentiation, of the network that consists of ``layers``."""
    J = torch.func.vmap(torch.func.jacrev(above(layers)))(inputs)
    J = J - J.mean(dim=0) if centred else J
    result: torch.Tensor = torch.einsum("ncd,nce->de", J, J) / len(J)
    return result


def dense_cosine(A: torch.Tensor, B: torch.Tensor) -> float:
    return float((A * B).sum() / (A.norm() * B.norm()))


@pytest.mark.parametrize("layer", range(4))
def test_the_agop_of_a_layer_is_that_of_automatic_differentiation(layer: int, trained: Trained) -> None:
    network, _, X = trained
    inputs, basis = network.activations(X)[layer], network.layers[layer].T
    [*_, gradients] = layer_gradients(network, X, layer + 1)
    for core, centred in ((gradients.outer, False), (gradients.centred, True)):
        expected = dense_agop(network.layers[layer:], inputs, centred=centred)
        torch.testing.assert_close(FactoredMatrix(basis, core).dense(), expected)
    if layer == 3:  # nothing follows the last layer: its AGOP is its NFM
        torch.testing.assert_close(FactoredMatrix(basis, gradients.outer).dense(), nfm(network.layers[3]).dense())


def test_blocks_of_rows_change_nothing(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    network, _, X = trained
    whole = layer_gradients(network, X)
    monkeypatch.setattr("bench.study.feature_matrices._BLOCK_BYTES", 3 * 8 * 10 * 7)  # of 7 rows
    for one, other in zip(whole, layer_gradients(network, X), strict=True):
        torch.testing.assert_close((one.outer, one.centred), (other.outer, other.centred))


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
    assert not square_root(FactoredMatrix(basis, torch.zeros_like(M.core))).dense().any()


def test_likenesses_are_cosines_and_correlations_of_the_dense_entries(trained: Trained) -> None:
    network, _, X = trained
    W, inputs = network.layers[1], network.activations(X)[1]
    weights = nfm(W)
    some = {
        "nfm": weights,
        "agop": FactoredMatrix(weights.basis, layer_gradients(network, X, 2)[1].outer),
        "scaled": FactoredMatrix(weights.basis, 3.0 * weights.core),
        "inputs": second_moment(inputs),
    }
    torch.testing.assert_close(some["inputs"].dense(), inputs.T @ inputs / len(X))
    ones = FactoredMatrix(torch.ones((10, 1), dtype=torch.float64), torch.ones((1, 1), dtype=torch.float64))
    compared = Comparisons({**some, "nothing": nfm(torch.zeros_like(W)), "ones": ones})
    for first, second in product(some, repeat=2):
        a, b = (some[name].dense().flatten() for name in (first, second))
        found = compared.likeness(first, second)
        assert found.cosine == pytest.approx(dense_cosine(a, b), rel=1e-9)
        assert found.pearson == pytest.approx(float(torch.corrcoef(torch.stack([a, b]))[0, 1]), rel=1e-7)
        assert found.cosine == pytest.approx(cosine(some[first], some[second]), rel=1e-9)
        assert found.pearson == pytest.approx(cosine(some[first], some[second], centred=True), rel=1e-7)
    assert compared.likeness("nfm", "scaled").cosine == pytest.approx(1.0)
    assert compared.likeness("nfm", "nothing").cosine is None
    assert compared.likeness("nfm", "ones").pearson is None  # constant
    assert compared.likeness("nfm", "ones").cosine is not None


@pytest.mark.parametrize("layer", range(3))
def test_as_coded_is_the_script_s_arithmetic(layer: int, trained: Trained) -> None:
    """In the order of the script: the layer's memory is changed in place, then layers' outputs are collected, then the
    network from that layer on is differentiated there."""
    network, start, X = trained
    weights = [W.clone() for W in network.layers]
    M = weights[layer].numpy()
    M -= start.layers[layer].numpy()  # also changes what follows
    feature_matrix = torch.from_numpy(M.T @ M / len(M))
    units = X
    if layer >= 1:
        units = units @ weights[0].T
        for number, W in enumerate(weights[1:-1], start=1):
            if layer == 1:
                break
            units = torch.relu(units) @ W.T
            if number == layer:  # the script's count: this layer's own product is in it
                break
        units = torch.relu(units)
    found = layers_now(network, start, X)[layer]
    for name, centred in (("agop", False), ("centred", True)):
        expected = dense_cosine(feature_matrix, dense_agop(weights[layer:], units, centred=centred))
        assert found[f"coded {name}"][0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("layer", range(3))
def test_as_described_is_the_trained_network(layer: int, trained: Trained) -> None:
    network, start, X = trained
    found = layers_now(network, start, X)[layer]
    inputs = network.activations(X)[layer]
    W, change = network.layers[layer], network.layers[layer] - start.layers[layer]
    for name, centred in (("agop", False), ("centred", True)):
        agop = dense_agop(network.layers[layer:], inputs, centred=centred)
        altered = dense_agop([change, *network.layers[layer + 1 :]], inputs, centred=centred)
        for key, of, by in (("nfm", W, agop), ("change", change, agop), ("altered", change, altered)):
            assert found[f"{key} {name}"][0] == pytest.approx(dense_cosine(of.T @ of, by), rel=1e-9)
    values, vectors = torch.linalg.eigh(dense_agop(network.layers[layer:], inputs))
    root = (vectors * values.clamp_min(0.0).sqrt()) @ vectors.T
    assert found["nfm root"][0] == pytest.approx(dense_cosine(W.T @ W, root), rel=1e-6)
    assert (found["coded agop"] == found["altered agop"]) == (layer < 2)


def test_at_the_start_nothing_has_been_learned(trained: Trained) -> None:
    _, start, X = trained
    for values in layers_now(start, start, X):
        assert values["nfm start"] == pytest.approx([1.0, 1.0])
        assert values["change agop"] == values["coded agop"] == [None, None]
        assert values["nfm agop"][0] is not None


def test_controls_are_what_they_are_called(trained: Trained) -> None:
    network, start, X = trained
    W, generator = network.layers[0], torch.Generator().manual_seed(1)
    drift = redrawn(W - start.layers[0], generator)
    mixed, drawn = shuffled(W, generator), redrawn(W, generator)
    assert torch.equal(mixed.flatten().sort().values, W.flatten().sort().values)
    assert not torch.equal(mixed, W)
    torch.testing.assert_close(torch.linalg.svdvals(drawn), torch.linalg.svdvals(W))
    found = controls(network, start, X, 1)[0]
    agop, identity = dense_agop(network.layers, X), torch.eye(SIZES[0], dtype=torch.float64)
    for name, layer, put_in in (
        ("shuffled", mixed, mixed), ("redrawn", drawn, drawn), ("drift", drift, start.layers[0] + drift),
    ):  # fmt: skip
        own = dense_agop([put_in, *network.layers[1:]], X)
        assert found[f"{name} agop"][0] == pytest.approx(dense_cosine(layer.T @ layer, agop), rel=1e-8)
        assert found[f"{name} own"][0] == pytest.approx(dense_cosine(layer.T @ layer, own), rel=1e-8)
    both = torch.stack([(W.T @ W).flatten(), identity.flatten()])
    expected = [dense_cosine(W.T @ W, identity), float(torch.corrcoef(both)[0, 1])]
    assert found["nfm identity"] == pytest.approx(expected, rel=1e-9)
    assert found["nfm inputs"][0] == pytest.approx(dense_cosine(W.T @ W, X.T @ X), rel=1e-9)
    assert with_identity(nfm(torch.zeros_like(W))).cosine is None


def test_the_first_layer_and_rfm_s_metric(trained: Trained) -> None:
    network, start, X = trained
    factor = torch.randn((12, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    M = FactoredMatrix(factor, torch.eye(2, dtype=torch.float64))
    likenesses, diagonals, matrices = first_layer(network, start, X, {"rfm 1": M})
    W = network.layers[0]
    change = W - start.layers[0]
    assert likenesses["change rfm 1"][0] == pytest.approx(dense_cosine(change.T @ change, factor @ factor.T), rel=1e-9)
    expected = np.corrcoef((W * W).sum(dim=0).numpy(), (factor * factor).sum(dim=1).numpy())[0, 1]
    assert diagonals["nfm rfm 1"] == pytest.approx(expected, rel=1e-9)
    torch.testing.assert_close(matrices["inputs"].dense(), X.T @ X / len(X))
    assert pearson(torch.ones(4), torch.arange(4.0)) is None
