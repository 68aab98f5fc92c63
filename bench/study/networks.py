"""Fully connected ReLU networks without biases, as in Radhakrishnan et al. (2024): starts by name, SGD and Adam.

f(x) = W_L relu(W_{L-1} ... relu(W_1 x)), trained on the mean squared error of one-hot targets, averaged over rows and
outputs as PyTorch's ``MSELoss`` does. Gradients are written out (the tests compare with automatic differentiation):
without biases and modules that is a handful of matrix products, and SGD adds each layer's gradient to it in one call.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch

from bench.study.adam import Adam

STARTS: dict[str, tuple[str, float]] = {
    "default": ("uniform", 1.0),
    "third": ("uniform", 1 / 3),
    "small": ("uniform", 0.1),
    "large": ("uniform", 4.0),
    "he": ("normal", 1.0),
}
"""Starts by name: the distribution and its factor. ``uniform``: between -1 and 1 times 1 / sqrt(fan in), which is where
PyTorch's ``nn.Linear`` starts; ``normal``: standard deviation sqrt(2 / fan in) (He et al. 2015)."""

Optimiser = Literal["sgd", "adam"]

WORTH_A_SPAN = 0.5
"""Rows per feature up to which gradient descent trains among the coordinates of the rows' span. An epoch of 3 layers of
1,024 units then took 0.28 s instead of 0.39 (1,000 rows of 3,072 features), 0.2 s instead of 0.95 (550 of 27,648)."""


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

    ``diverged``: the loss or a weight is no longer finite; training has ended, and the weights are not to be used.
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
    stops: Collection[int] | None = None,
    in_span: bool | None = None,
) -> Iterator[Epoch]:
    """Train ``network`` in place on rows X (n, d) and targets Y (n, c), both on its device.

    It stops after the epochs in ``stops`` (default: each), with the network as it then is. Batches are cut from a new
    order of the rows each epoch, drawn from ``seed``. The end of a network that diverges is an :class:`Epoch` like any
    other. ``in_span``: by :class:`_Span`, which only gradient descent allows (default: where it saves time).
    """
    if in_span and optimiser != "sgd":
        raise ValueError(f"optimiser {optimiser!r}: only 'sgd' keeps the first layer's change in the rows' span")
    if in_span is None:
        in_span = optimiser == "sgd" and len(X) <= WORTH_A_SPAN * X.shape[1]
    span = _Span(network, X) if in_span else None
    trained, rows = (span.network, span.rows) if span else (network, X)
    order = torch.Generator().manual_seed(seed)
    stepper = _Adam(trained.layers, rate) if optimiser == "adam" else _Sgd(trained.layers, rate)
    for number in range(1, epochs + 1):
        total = torch.zeros((), device=X.device, dtype=torch.float64)
        for some in torch.randperm(len(X), generator=order).to(X.device).split(batch):
            total += _step(trained, rows[some], Y[some], stepper) * len(some)
        loss = float(total) / len(X)
        diverged = not math.isfinite(loss)
        if diverged or stops is None or number in stops:
            if span:
                span.write_back()
            # The loss is that before each step; the last ones may have gone too far.
            diverged = diverged or not all(bool(layer.isfinite().all()) for layer in network.layers)
            yield Epoch(number, loss, diverged)
        if diverged:
            return
    if span:
        span.write_back()


class _Span:
    """Training among the coordinates of the rows' span: exact for gradient descent without weight decay.

    The first layer's gradient is a combination of the training rows. So with V (d, r), r <= n, an orthonormal basis of
    their span, W_1 = W_0 + (A - W_0 V) V', where A (h, r) starts at W_0 V and is trained on the coordinates X V.
    """

    def __init__(self, network: ReluNetwork, X: torch.Tensor) -> None:
        basis = torch.linalg.qr(X.T.double()).Q  # rows that depend on others bring directions without gradient
        self._whole = network
        self._start = network.layers[0].clone()
        self._basis = basis.to(X.dtype)
        self._coordinates = (self._start.double() @ basis).to(X.dtype)
        self.rows = (X.double() @ basis).to(X.dtype)
        self.network = ReluNetwork([self._coordinates.clone(), *network.layers[1:]])

    def write_back(self) -> None:
        """Bring the whole network's first layer up to date; it shares the other layers."""
        change = self.network.layers[0] - self._coordinates
        torch.addmm(self._start, change, self._basis.T, out=self._whole.layers[0])


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
    return loss


class _Sgd:
    """Plain gradient descent on ``layers``."""

    def __init__(self, layers: list[torch.Tensor], rate: float) -> None:
        self._layers, self._rate = layers, rate

    def step(self, index: int, slope: torch.Tensor, inputs: torch.Tensor) -> None:
        """Change one layer, whose gradient is slope' inputs."""
        self._layers[index].addmm_(slope.T, inputs, alpha=-self._rate)


class _Adam:
    """Adam on each of ``layers``."""

    def __init__(self, layers: list[torch.Tensor], rate: float) -> None:
        self._steppers, self._rate = [Adam(layer) for layer in layers], rate

    def step(self, index: int, slope: torch.Tensor, inputs: torch.Tensor) -> None:
        """Change one layer, whose gradient is slope' inputs."""
        self._steppers[index].step(slope.T @ inputs, self._rate)
