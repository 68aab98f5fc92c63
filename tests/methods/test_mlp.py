"""The stacked network against PyTorch's own differentiation and optimiser, and against itself alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods import mlp
from bench.methods.stacked_mlp import StackedMLP, Training, batch_rows, batches_per_epoch
from bench.records.method import Fold, Task


@pytest.fixture(scope="module")
def table() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(3)
    X = torch.randn(90, 5, generator=draws)
    return X, (X[:, 0] > 0).long() + (X[:, 1] > 0.5).long()


def stack(table: tuple[Tensor, Tensor], networks: Sequence[Training], depth: int = 2) -> StackedMLP:
    return StackedMLP(*table, 3, depth=depth, width=16, networks=networks, seed=7)


def training(rows: Tensor, rate: float = 0.01, dropout: float = 0.0, decay: float = 0.0) -> Training:
    return Training(rows, learning_rate=rate, dropout=dropout, weight_decay=decay)


def as_pytorch(network: StackedMLP, decay: float) -> tuple[torch.nn.Sequential, torch.optim.Optimizer]:
    """PyTorch's own network and optimiser with the weights of the only network in a stack."""
    linears = [torch.nn.Linear(W.shape[1], W.shape[2]) for W, _ in network._weights]
    for linear, (W, bias) in zip(linears, network._weights, strict=True):
        linear.weight.data = W[0].T.clone()
        linear.bias.data = bias[0, 0].clone()
    layers = [module for linear in linears for module in (linear, torch.nn.ReLU())][:-1]
    model = torch.nn.Sequential(*layers)
    groups = [
        {"params": [linear.weight for linear in linears], "weight_decay": decay},
        {"params": [linear.bias for linear in linears], "weight_decay": 0.0},
    ]
    return model, torch.optim.AdamW(groups, lr=0.01)


@pytest.mark.parametrize(("kind", "depth"), [("classes", 1), ("classes", 3), ("numbers", 1), ("numbers", 2)])
def test_one_network_learns_as_pytorch_would(table: tuple[Tensor, Tensor], kind: str, depth: int) -> None:
    """One full batch an epoch: gradients by autograd and steps by torch.optim.AdamW give the same weights.

    Of numbers: a linear output and half the squared error.
    """
    X, codes = table
    y = torch.sin(X[:, 0]) + 0.5 * X[:, 1]
    rows = torch.arange(30)
    assert batches_per_epoch(len(rows)) == 1
    targets, width = (codes, 3) if kind == "classes" else (y, 1)
    networks = [training(rows, decay=0.2)]
    network = StackedMLP(X, targets, width, depth=depth, width=16, networks=networks, seed=7)
    model, optimiser = as_pytorch(network, decay=0.2)
    for _ in range(20):
        optimiser.zero_grad()
        if kind == "classes":
            torch.nn.functional.cross_entropy(model(X[rows]), codes[rows]).backward()
        else:
            (torch.nn.functional.mse_loss(model(X[rows])[:, 0], y[rows]) / 2).backward()
        optimiser.step()
    network.train_to(20)
    expected = torch.softmax(model(X), dim=1) if kind == "classes" else model(X)
    torch.testing.assert_close(network.outputs([torch.arange(90)])[0], expected.detach(), rtol=1e-3, atol=2e-4)


def test_dropout_gradient_is_that_of_the_masked_network(table: tuple[Tensor, Tensor]) -> None:
    X, codes = table
    rows = torch.arange(30)
    network = stack(table, [training(rows, dropout=0.4)])
    before = [(W.clone().requires_grad_(), bias.clone().requires_grad_()) for W, bias in network._weights]
    state = network._dropout_draws.get_state()
    masks = network._draw_masks(30)
    assert {round(float(value), 4) for value in masks[0].unique()} == {0.0, round(1 / 0.6, 4)}
    hidden = X[rows][None]
    for (W, bias), mask in zip(before[:-1], masks, strict=True):
        hidden = torch.relu(hidden @ W + bias) * mask
    W, bias = before[-1]
    torch.nn.functional.cross_entropy((hidden @ W + bias)[0], codes[rows]).backward()
    network._dropout_draws.set_state(state)
    network._descend(rows[None], torch.full((1, 30, 1), 1 / 30))
    for (W, bias), (dW, dbias) in zip(before, network._slopes, strict=True):
        torch.testing.assert_close(dW, W.grad)
        torch.testing.assert_close(dbias, bias.grad)


def test_a_network_in_a_stack_is_the_network_alone(table: tuple[Tensor, Tensor]) -> None:
    """Other fold sizes, rates, dropout and decay beside it, dropped on the way: nothing of it shows."""
    networks = [
        training(torch.arange(0, 70), 0.01, 0.3, 0.1),
        training(torch.arange(10, 78), 0.003),
        training(torch.arange(20, 90), 0.02, 0.5),
    ]
    assert len({batches_per_epoch(len(network.rows)) for network in networks}) == 1
    together = stack(table, networks)
    together.train_to(4)
    together.keep([0, 1])
    together.train_to(9)
    rows = torch.arange(90)
    for position in (0, 1):
        alone = stack(table, [networks[position]])
        alone.train_to(9)
        found = together.outputs([rows, rows])[position]
        torch.testing.assert_close(found, alone.outputs([rows])[0], rtol=1e-4, atol=1e-5)


def test_rows_outside_the_fit_part_are_never_read(table: tuple[Tensor, Tensor]) -> None:
    X, codes = table
    rows = torch.arange(5, 70)
    spoiled = X.clone()
    spoiled[70:] = torch.nan
    hidden = codes.clone()
    hidden[:5], hidden[70:] = -1, -1
    network = stack((spoiled, hidden), [training(rows, dropout=0.2)])
    clean = stack(table, [training(rows, dropout=0.2)])
    network.train_to(5)
    clean.train_to(5)
    assert torch.equal(network.outputs([rows])[0], clean.outputs([rows])[0])


def test_global_generator_is_left_alone(table: tuple[Tensor, Tensor]) -> None:
    before = torch.get_rng_state()
    stack(table, [training(torch.arange(60), dropout=0.2)]).train_to(3)
    assert torch.equal(before, torch.get_rng_state())


def test_networks_that_cannot_share_batches_are_refused(table: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"networks of \[30, 80\] fit rows cannot share batches"):
        stack(table, [training(torch.arange(30)), training(torch.arange(80))])


@pytest.mark.parametrize(
    ("m", "rows", "batches"), [(1, 32, 1), (32, 32, 1), (90, 32, 3), (600, 64, 10), (3000, 256, 12)]
)
def test_batches(m: int, rows: int, batches: int) -> None:
    assert (batch_rows(m), batches_per_epoch(m)) == (rows, batches)


def test_paths_end_early_in_all_folds_together() -> None:
    """Random labels: nothing is gained by training on, and every point that is reported was computed on both folds."""
    draws = np.random.default_rng(0)
    task = Task(draws.standard_normal((120, 3)), draws.integers(0, 2, 120), 2, seed=4)
    rows = np.arange(120)
    paths = mlp.MLP().session(task).tune([Fold(rows[:80], rows[80:]), Fold(rows[40:], rows[:40])])
    lengths = [len(path.iterations) for path in paths]
    assert min(lengths) < len(mlp.EPOCHS)
    for path in paths:
        assert path.iterations == mlp.EPOCHS[: len(path.iterations)]
        assert path.merit.shape == (2, len(path.iterations))


def test_a_stack_stays_on_its_device(table: tuple[Tensor, Tensor]) -> None:
    """Tensors of the device "meta" have no data and refuse the company of the CPU's, as CUDA's do."""
    there = (table[0].to("meta"), table[1].to("meta"))
    network = stack(there, [training(torch.arange(80), dropout=0.3, decay=0.1), training(torch.arange(80))])
    network.train_to(1)
    network.keep([0])
    network.train_to(2)
    (scored,) = network.outputs([torch.arange(80, 90)])
    assert scored.device.type == "meta"
    assert scored.shape == (10, 3)
    with pytest.raises(RuntimeError, match="device"):
        there[0] + torch.zeros(90, 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")
def test_a_network_on_a_gpu_is_the_same_network(table: tuple[Tensor, Tensor]) -> None:
    trained = []
    for device in ("cpu", "cuda"):
        there = (table[0].to(device), table[1].to(device))
        network = stack(there, [training(torch.arange(80), dropout=0.3, decay=0.1)])
        network.train_to(5)
        trained.append(network.outputs([torch.arange(80, 90)])[0].cpu())
    torch.testing.assert_close(trained[1], trained[0], rtol=0, atol=1e-3)
