"""The ansatz study's measures: the published script's arithmetic written out, controls, and the datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
import torch

from bench.errors import JobSkipped, UsageError
from bench.study.ansatz.datasets import STAR, STAR_CORNER, load, with_star
from bench.study.ansatz.measure import controls, first_layer, layers_now, pearson, redrawn, shuffled, with_identity
from bench.study.feature_matrices import nfm
from bench.study.images import Images
from bench.study.networks import ReluNetwork, one_hot, train
from rfm.factored import FactoredMatrix

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


def linear_or_relu(weights: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    modules: list[torch.nn.Module] = []
    for W in weights:
        linear = torch.nn.Linear(W.shape[1], W.shape[0], bias=False, dtype=torch.float64)
        linear.weight = torch.nn.Parameter(W)
        modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def dense_agop(weights: list[torch.Tensor], inputs: torch.Tensor, *, centred: bool) -> torch.Tensor:
    J = torch.func.vmap(torch.func.jacrev(linear_or_relu(weights)))(inputs).detach()
    if centred:
        J = J - J.mean(dim=0)
    result: torch.Tensor = torch.einsum("mcd,mce->de", J, J) / len(J)
    return result


def dense_cosine(A: torch.Tensor, B: torch.Tensor) -> float:
    return float((A * B).sum() / (A.norm() * B.norm()))


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
        assert found[f"nfm {name}"][0] == pytest.approx(dense_cosine(W.T @ W, agop), rel=1e-9)
        assert found[f"change {name}"][0] == pytest.approx(dense_cosine(change.T @ change, agop), rel=1e-9)
        assert found[f"altered {name}"][0] == pytest.approx(dense_cosine(change.T @ change, altered), rel=1e-9)
    values, vectors = torch.linalg.eigh(dense_agop(network.layers[layer:], inputs, centred=False))
    root = (vectors * values.clamp_min(0.0).sqrt()) @ vectors.T
    assert found["nfm root"][0] == pytest.approx(dense_cosine(W.T @ W, root), rel=1e-6)
    assert found["coded agop"] == found["altered agop"] if layer < 2 else found["coded agop"] != found["altered agop"]


def test_at_the_start_nothing_has_been_learned(trained: Trained) -> None:
    _, start, X = trained
    for values in layers_now(start, start, X):
        assert values["nfm start"] == pytest.approx([1.0, 1.0])
        assert values["change agop"] == values["coded agop"] == [None, None]
        assert values["nfm agop"][0] is not None


def test_controls_are_what_they_are_called(trained: Trained) -> None:
    network, start, X = trained
    W, generator = network.layers[0], torch.Generator().manual_seed(1)
    mixed, drawn = shuffled(W, generator), redrawn(W, generator)
    assert torch.equal(mixed.flatten().sort().values, W.flatten().sort().values)
    assert not torch.equal(mixed, W)
    torch.testing.assert_close(torch.linalg.svdvals(drawn), torch.linalg.svdvals(W))
    found = controls(network, start, X, 1)
    first, again = shuffled(W, torch.Generator().manual_seed(1)), found[0]
    agop = dense_agop(network.layers, X, centred=False)
    drift = redrawn(W - start.layers[0], torch.Generator().manual_seed(1))
    mixed = shuffled(W, generator := _after(drift, W))
    drawn = redrawn(W, generator)
    assert first.shape == mixed.shape
    for name, layer, put_in in (("shuffled", mixed, mixed), ("redrawn", drawn, drawn)):
        own = dense_agop([put_in, *network.layers[1:]], X, centred=False)
        assert again[f"{name} agop"][0] == pytest.approx(dense_cosine(layer.T @ layer, agop), rel=1e-8)
        assert again[f"{name} own"][0] == pytest.approx(dense_cosine(layer.T @ layer, own), rel=1e-8)
    own = dense_agop([start.layers[0] + drift, *network.layers[1:]], X, centred=False)
    assert again["drift agop"][0] == pytest.approx(dense_cosine(drift.T @ drift, agop), rel=1e-8)
    assert again["drift own"][0] == pytest.approx(dense_cosine(drift.T @ drift, own), rel=1e-8)
    identity = torch.eye(SIZES[0], dtype=torch.float64)
    assert again["nfm identity"][0] == pytest.approx(dense_cosine(W.T @ W, identity), rel=1e-9)
    both = torch.stack([(W.T @ W).flatten(), identity.flatten()])
    assert again["nfm identity"][1] == pytest.approx(float(torch.corrcoef(both)[0, 1]), rel=1e-9)
    assert again["nfm inputs"][0] == pytest.approx(dense_cosine(W.T @ W, X.T @ X), rel=1e-9)


def _after(drift: torch.Tensor, W: torch.Tensor) -> torch.Generator:
    """The controls' generator once the first layer's change has been redrawn."""
    generator = torch.Generator().manual_seed(1)
    again = redrawn(W, generator)
    assert again.shape == drift.shape
    return generator


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
    assert with_identity(nfm(torch.zeros_like(W))).cosine is None


def test_rows_of_a_dataset_are_distinct_and_balanced(images: Images) -> None:
    rows = load("digits", 300, 100, 150, 0, images)
    assert rows.X.shape == (300, 64)
    assert (rows.held_out.shape, rows.test.shape) == ((100, 64), (150, 64))
    assert rows.shape == (8, 8, 1)
    assert 0.0 <= rows.X.min() < rows.X.max() <= 1.0
    assert np.bincount(np.concatenate([rows.y, rows.held_out_y])).tolist() == [40] * 10
    assert np.bincount(rows.test_y).tolist() == [15] * 10
    everything = np.concatenate([rows.X, rows.held_out, rows.test])
    assert len(np.unique(everything, axis=0)) == len(everything)
    again, other = load("digits", 300, 100, 150, 0, images), load("digits", 300, 100, 150, 1, images)
    assert np.array_equal(again.X, rows.X)
    assert not np.array_equal(other.X, rows.X)


def test_too_few_rows_for_all_classes_are_refused_and_missing_images_skipped(images: Images) -> None:
    with pytest.raises(UsageError, match=r"digits: 9 training rows have . of 10 classes"):
        load("digits", 9, 1, 10, 0, images)
    with pytest.raises(JobSkipped):
        load("fashion-mnist", 100, 20, 50, 0, Images())


def test_a_star_s_colour_tells_the_class_and_nothing_else_changes() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(1, 255, (6, 32, 32, 3)).astype(np.uint8)
    labels = np.array([0, 1, 1, 0, 1, 0])
    starred = with_star(images, labels)
    changed = (starred != images).any(axis=3)
    mark = np.zeros((32, 32), dtype=bool)
    mark[STAR_CORNER : STAR_CORNER + 7, STAR_CORNER : STAR_CORNER + 7] = STAR
    assert (changed == mark).all()
    assert (starred[labels == 1][:, mark] == (255, 255, 0)).all()
    assert (starred[labels == 0][:, mark] == 0).all()
