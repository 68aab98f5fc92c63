"""Fully connected ReLU networks without biases, as in Radhakrishnan et al. (2024): starts by name, SGD and Adam.

f(x) = W_L relu(W_{L-1} ... relu(W_1 x)), trained on the mean squared error of one-hot targets, averaged over rows and
outputs as PyTorch's ``MSELoss`` does. Gradients are written out (the tests compare with automatic differentiation):
without biases and modules that is a handful of matrix products, and SGD adds each layer's gradient to it in one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch

STARTS: dict[str, tuple[str, float]] = {
    "default": ("uniform", 1.0),
    "small": ("uniform", 0.1),
    "large": ("uniform", 4.0),
    "he": ("normal", 1.0),
}
"""Starts by name: the distribution and its factor. ``uniform``: between -1 and 1 times 1 / sqrt(fan in), which is where
PyTorch's ``nn.Linear`` starts; ``normal``: standard deviation sqrt(2 / fan in) (He et al. 2015)."""

Optimiser = Literal["sgd", "adam"]


@dataclass(frozen=True, eq=False)
class ReluNetwork:
    """``layers``: the weights W_1 ... W_L, each (outputs, inputs); training changes them in place."""

    layers: list[torch.Tensor]

    @classmethod
    def start(cls, name: str, sizes: Sequence[int], seed: int, device: str | torch.device = "cpu") -> ReluNetwork:
        """An untrained network with layers from ``sizes[0]`` inputs to ``sizes[-1]`` outputs, float32.

        The same seed gives the same weights on every device. Raises ``ValueError`` for an unknown start.
        """
        if name not in STARTS:
            raise ValueError(f"start {name!r}: must be one of {', '.join(STARTS)}")
        distribution, factor = STARTS[name]
        generator = torch.Generator().manual_seed(seed)
        layers = []
        for inputs, outputs in pairwise(sizes):
            if distribution == "uniform":
                drawn = torch.rand((outputs, inputs), generator=generator).mul_(2).sub_(1).div_(math.sqrt(inputs))
            else:
                drawn = torch.randn((outputs, inputs), generator=generator).mul_(math.sqrt(2 / inputs))
            layers.append(drawn.mul_(factor).to(device))
        return cls(layers)

    def copy(self) -> ReluNetwork:
        """The same weights in memory of their own."""
        return ReluNetwork([layer.clone() for layer in self.layers])

    def activations(self, X: torch.Tensor) -> list[torch.Tensor]:
        """The input of every layer, X (n, d) first, hidden units after their ReLU; last the outputs (n, c)."""
        found = [X]
        for layer in self.layers[:-1]:
            found.append((found[-1] @ layer.T).clamp_min_(0.0))
        return [*found, found[-1] @ self.layers[-1].T]

    def outputs(self, X: torch.Tensor) -> torch.Tensor:
        """f (n, c) at the rows of ``X`` (n, d)."""
        return self.activations(X)[-1]

    def accuracy(self, X: torch.Tensor, labels: torch.Tensor) -> float:
        """Share of rows whose largest output is that of their label (n,)."""
        return float((self.outputs(X).argmax(dim=1) == labels).float().mean())


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Targets (n, classes) float32: 1 for the label (n,), 0 elsewhere."""
    return torch.nn.functional.one_hot(labels.long(), classes).float()


@dataclass(frozen=True)
class Epoch:
    """``number`` of epochs done; ``loss`` is the mean over the last one's batches, each before its step.

    ``diverged``: the loss is no longer finite; training has ended, and the weights are not to be used.
    """

    number: int
    loss: float
    diverged: bool = False


def train(
    network: ReluNetwork,
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    rate: float,
    epochs: int,
    batch: int = 128,
    seed: int = 0,
    optimiser: Optimiser = "sgd",
) -> Iterator[Epoch]:
    """Train ``network`` in place on rows X (n, d) and targets Y (n, c), both on its device; stop after each epoch.

    Batches are cut from a new order of the rows each epoch, drawn from ``seed``. A loss that is not finite is an
    :class:`Epoch` like any other, the last one.
    """
    order = torch.Generator().manual_seed(seed)
    stepper = _Adam(network.layers, rate) if optimiser == "adam" else _Sgd(network.layers, rate)
    for number in range(1, epochs + 1):
        total = torch.zeros((), device=X.device, dtype=torch.float64)
        for rows in torch.randperm(len(X), generator=order).to(X.device).split(batch):
            total += _step(network, X[rows], Y[rows], stepper) * len(rows)
        loss = float(total) / len(X)
        diverged = not math.isfinite(loss)
        yield Epoch(number, loss, diverged)
        if diverged:
            return


def _step(network: ReluNetwork, X: torch.Tensor, Y: torch.Tensor, stepper: _Sgd | _Adam) -> torch.Tensor:
    """The loss () before the step, which is then taken."""
    *inputs, outputs = network.activations(X)
    slope = outputs - Y
    loss = slope.square().mean()
    slope *= 2.0 / slope.numel()
    for index in range(len(network.layers) - 1, -1, -1):
        # The layer below needs this layer's weights as they were: its slope comes before the step.
        below = (slope @ network.layers[index]).mul_(inputs[index] > 0) if index else slope
        stepper.step(index, slope, inputs[index])
        slope = below
    stepper.steps += 1
    return loss


@dataclass
class _Sgd:
    """Plain gradient descent on ``layers``."""

    layers: list[torch.Tensor]
    rate: float
    steps: int = 0

    def step(self, index: int, slope: torch.Tensor, inputs: torch.Tensor) -> None:
        self.layers[index].addmm_(slope.T, inputs, alpha=-self.rate)


@dataclass
class _Adam:
    """Adam (Kingma and Ba 2015) with PyTorch's default constants."""

    layers: list[torch.Tensor]
    rate: float
    steps: int = 0
    means: list[torch.Tensor] = field(init=False)
    squares: list[torch.Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.means = [torch.zeros_like(layer) for layer in self.layers]
        self.squares = [torch.zeros_like(layer) for layer in self.layers]

    def step(self, index: int, slope: torch.Tensor, inputs: torch.Tensor) -> None:
        gradient, t = slope.T @ inputs, self.steps + 1
        mean, square = self.means[index].lerp_(gradient, 0.1), self.squares[index]
        square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        root = square.sqrt().div_(math.sqrt(1 - 0.999**t)).add_(1e-8)
        self.layers[index].addcdiv_(mean, root, value=-self.rate / (1 - 0.9**t))


@dataclass(frozen=True)
class Best:
    """A copy of the ``network`` after the ``epoch`` that a judge valued most, and that ``value``."""

    network: ReluNetwork
    epoch: int
    value: float


def best_epoch(network: ReluNetwork, epochs: Iterator[Epoch], judge: Callable[[ReluNetwork], float]) -> Best:
    """Train on to the end of ``epochs`` and keep the best by ``judge``: the larger the better, the first of equals.

    The start counts as epoch 0; epochs that diverged do not count.
    """
    best = Best(network.copy(), 0, judge(network))
    for epoch in epochs:
        if not epoch.diverged and (value := judge(network)) > best.value:
            best = Best(network.copy(), epoch.number, value)
    return best
