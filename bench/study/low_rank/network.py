"""A small ReLU network with biases, trained by AdamW: its gradients and steps written out.

Automatic differentiation and the library's optimiser take twice as long at these sizes; the tests hold the steps to
theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

from bench.study.adam import Adam
from rfm.machine import FloatArray

BATCH = 100


class Network:
    """``layers`` of (weights (out, in), biases (out,)), ReLU between them, in float32; PyTorch's default start."""

    def __init__(self, features: int, depth: int, width: int, seed: int) -> None:
        shapes = list(pairwise([features, *([width] * depth), 1]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            drawn = [torch.nn.Linear(a, b) for a, b in shapes]
        with torch.no_grad():
            values = torch.cat([part.reshape(-1) for one in drawn for part in (one.weight, one.bias)])
        self._gradient, self._adam = torch.zeros_like(values), Adam(values)
        self.layers, self._gradients = _views(values, shapes), _views(self._gradient, shapes)

    def predict(self, X: torch.Tensor) -> torch.Tensor:
        """(n,) for the rows of ``X`` (n, d)."""
        return self._forward(X)[-1][:, 0]

    def step(self, X: torch.Tensor, y: torch.Tensor, rate: float, decay: float) -> None:
        """One of AdamW on the mean squared error."""
        *inputs, outputs = self._forward(X)
        slope = (outputs - y[:, None]).mul_(2 / len(X))
        for k in range(len(self.layers) - 1, -1, -1):
            weights, biases = self._gradients[k]
            torch.mm(slope.T, inputs[k], out=weights)
            torch.sum(slope, 0, out=biases)
            if k:
                slope = (slope @ self.layers[k][0]).mul_(inputs[k] > 0)
        self._adam.step(self._gradient, rate, decay)

    def _forward(self, X: torch.Tensor) -> list[torch.Tensor]:
        """What goes into each layer, and the outputs (n, 1)."""
        values = [X]
        for weights, biases in self.layers[:-1]:
            values.append(torch.addmm(biases, values[-1], weights.T).relu_())
        weights, biases = self.layers[-1]
        return [*values, torch.addmm(biases, values[-1], weights.T)]


def _views(flat: torch.Tensor, shapes: list[tuple[int, int]]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(weights, biases) of each layer as parts of one vector."""
    parts = iter(flat.split([size for a, b in shapes for size in (a * b, b)]))
    return [(next(parts).view(b, a), next(parts)) for a, b in shapes]


def trained(
    X: FloatArray, y: FloatArray, *, depth: int, width: int, rate: float, decay: float, seed: int, epochs: int
) -> Iterator[Network]:
    """A network after each epoch in batches of :data:`BATCH`: the same object, trained on."""
    network = Network(X.shape[1], depth, width, seed)
    rows, targets = torch.from_numpy(X).float(), torch.from_numpy(y).float()
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for some in torch.randperm(len(rows), generator=order).split(BATCH):
            network.step(rows[some], targets[some], rate, decay)
        yield network
