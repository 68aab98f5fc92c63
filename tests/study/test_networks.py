"""Networks without biases: their starts, gradients and optimisers against PyTorch's, and training in the rows' span."""

from __future__ import annotations

import math

import pytest
import torch

from bench.study.networks import ReluNetwork, one_hot, train

SIZES = (30, 24, 20, 3)


def rows(n: int, d: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features (n, d), labels (n,) that follow from them, one-hot targets (n, 3)."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn((n, d), generator=generator)
    labels = X[:, :3].argmax(dim=1)
    return X, labels, one_hot(labels, 3)


def gap(first: ReluNetwork, second: ReluNetwork) -> float:
    """Largest difference of two weights, relative to the largest weight."""
    differences = [(a - b).abs().max() for a, b in zip(first.layers, second.layers, strict=True)]
    return float(torch.stack(differences).max() / torch.stack([a.abs().max() for a in first.layers]).max())


@pytest.mark.parametrize(
    ("name", "deviation"),
    [("default", 3**-0.5), ("third", 3**-0.5 / 3), ("small", 0.1 * 3**-0.5), ("large", 4 * 3**-0.5), ("he", 2**0.5)],
)
def test_starts_have_their_distribution(name: str, deviation: float) -> None:
    """By the square root of the inputs: uniform as those of PyTorch's linear layers, times a factor, or normal."""
    for layer, fan_in in zip(ReluNetwork.start(name, (400, 300, 200), seed=1).layers, (400, 300), strict=True):
        scaled = layer * math.sqrt(fan_in) / deviation
        assert layer.shape == ({400: 300, 300: 200}[fan_in], fan_in)
        assert float(scaled.std()) == pytest.approx(1.0, rel=0.02)
        assert abs(float(scaled.mean())) < 0.01
        assert name == "he" or 0.99 < float(scaled.abs().max()) / 3**0.5 <= 1.0


def test_an_unknown_start_is_named() -> None:
    with pytest.raises(ValueError, match=r"'hee': must be one of default, third, small, large, he"):
        ReluNetwork.start("hee", SIZES, 0)


@pytest.mark.parametrize(("hidden", "optimiser"), [(1, "sgd"), (2, "sgd"), (5, "sgd"), (1, "adam"), (3, "adam")])
def test_training_is_that_of_pytorch(hidden: int, optimiser: str) -> None:
    X, _, Y = rows(50, 10)
    network = ReluNetwork.start("default", (10, *[12] * hidden, 3), 1)
    theirs = [layer.clone().requires_grad_() for layer in network.layers]
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimiser](theirs, lr=0.05)
    order = torch.Generator().manual_seed(5)
    for epoch in train(network, X, Y, rate=0.05, epochs=4, batch=16, seed=5, optimiser=optimiser):  # type: ignore[arg-type]
        losses = []
        for some in torch.randperm(50, generator=order).split(16):
            units = X[some]
            for layer in theirs[:-1]:
                units = torch.relu(units @ layer.T)
            loss = torch.nn.functional.mse_loss(units @ theirs[-1].T, Y[some])
            losses.append(float(loss.detach()) * len(some))
            rule.zero_grad()
            loss.backward()
            rule.step()
        assert epoch.loss == pytest.approx(sum(losses) / 50, rel=1e-5)
    assert gap(ReluNetwork([layer.detach() for layer in theirs]), network) < 1e-5


def test_seeds_decide_and_nothing_else() -> None:
    X, _, Y = rows(60, 30)

    def trained(start: int, order: int) -> ReluNetwork:
        network = ReluNetwork.start("default", SIZES, start)
        torch.rand(7)  # the global generator takes no part
        for _ in train(network, X, Y, rate=0.1, epochs=3, batch=20, seed=order):
            pass
        return network

    first = trained(1, 2)
    assert [gap(first, trained(*seeds)) > 0.0 for seeds in ((1, 2), (2, 2), (1, 3))] == [False, True, True]
    state = torch.random.get_rng_state()
    ReluNetwork.start("he", SIZES, 0)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("case", ["wide", "duplicates", "dependent", "n = d"])
def test_training_in_the_span_of_the_rows_is_exact(case: str) -> None:
    n = 30 if case == "n = d" else 12
    X, _, Y = rows(n, 30)
    if case == "duplicates":
        X[6:] = X[:6]
    if case == "dependent":
        X[:, 5:] = 0.0
        X[3] = X[1] - 2 * X[2]
    X, Y = X.double(), Y.double()
    start = ReluNetwork([layer.double() for layer in ReluNetwork.start("default", SIZES, 4).layers])
    direct, span = start.copy(), start.copy()
    settings = {"rate": 0.2, "epochs": 30, "batch": 5, "seed": 1}
    for one, other in zip(
        train(direct, X, Y, in_span=False, **settings),  # type: ignore[arg-type]
        train(span, X, Y, in_span=True, **settings),  # type: ignore[arg-type]
        strict=True,
    ):
        assert one.loss == pytest.approx(other.loss, rel=1e-10)
        assert gap(direct, span) < 1e-11
    assert gap(direct, start) > 1e-2
    stopped = start.copy()
    epochs = [e.number for e in train(stopped, X, Y, in_span=True, stops={3, 7}, **settings)]  # type: ignore[arg-type]
    assert epochs == [3, 7]
    assert gap(direct, stopped) < 1e-11  # all epochs were trained


def test_adam_is_refused_in_the_span() -> None:
    X, _, Y = rows(12, 30)
    network = ReluNetwork.start("default", SIZES, 4)
    with pytest.raises(ValueError, match="only 'sgd'"):
        next(train(network, X, Y, rate=0.1, epochs=1, optimiser="adam", in_span=True))
    assert next(train(network, X, Y, rate=0.1, epochs=1, optimiser="adam")).number == 1  # left out where it is wide


@pytest.mark.parametrize("n", [12, 60])
def test_divergence_is_a_result(n: int) -> None:
    X, _, Y = rows(n, 30)
    network = ReluNetwork.start("large", SIZES, 0)
    [epoch] = train(network, X, Y, rate=1.0, epochs=50, batch=4, stops={50})
    assert (epoch.diverged, epoch.number < 50, math.isfinite(epoch.loss)) == (True, True, False)


def test_activations_are_the_layers_inputs() -> None:
    X, _, _ = rows(5, 30)
    network = ReluNetwork.start("he", SIZES, 0)
    found = network.activations(X)
    assert [part.shape[1] for part in found] == list(SIZES)
    assert torch.equal(found[0], X)
    assert all(float(part.min()) >= 0 for part in found[1:-1])
    torch.testing.assert_close(found[2] @ network.layers[2].T, network.outputs(X))
