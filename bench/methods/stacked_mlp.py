"""Many multilayer perceptrons of one shape trained as one: every matrix product is a batched one over the networks.

A small table's network is bound by call overhead, not arithmetic. Stacking (configuration x fold) networks in one
tensor pays that overhead once. Networks differ in their fit rows, learning rate, dropout and weight decay; they share
initial weights, batch order and dropout draws (common random numbers, so that configurations are compared on equal
luck). None of this depends on which other networks are in the stack: a network trained alone is the same network. On
a GPU all random numbers are still drawn on the CPU, so that they are the same there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.seeds import derive_seed

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
SCORED_ROWS = 512
"""Rows scored at a time, which bounds the memory of hidden layers."""


@dataclass(frozen=True)
class Training:
    """What one network of the stack is trained on and how.

    ``rows`` (m,) are its fit rows, ``learning_rate`` AdamW's, ``dropout`` the rate after each hidden layer,
    ``weight_decay`` AdamW's decoupled factor (each step shrinks weights by learning_rate * weight_decay).
    """

    rows: Tensor
    learning_rate: float
    dropout: float
    weight_decay: float


def batch_rows(m: int) -> int:
    """Nominal mini-batch size for m fit rows: about 8 batches an epoch, a power of two within 32..256."""
    return min(256, max(32, 2 ** round(math.log2(m / 8))))


def batches_per_epoch(m: int) -> int:
    """Number of near-equal mini-batches in an epoch over m rows; only networks that agree in it can be stacked."""
    return math.ceil(m / batch_rows(m))


class StackedMLP:
    """B networks d -> width (x depth, ReLU, dropout) -> k, softmax and cross-entropy, AdamW at constant rates.

    ``X`` (n, d) float32 and ``y`` (n,) int64 in 0..k-1 hold all rows; only those named in ``networks`` are read. With
    float32 numbers in ``y``, and k = 1, the output is linear and the loss half the squared error. Networks are trained
    on the device of ``X`` and ``y``.
    All networks must have the same :func:`batches_per_epoch` and :func:`batch_rows`.
    """

    def __init__(
        self, X: Tensor, y: Tensor, k: int, *, depth: int, width: int, networks: Sequence[Training], seed: int
    ) -> None:
        self._X, self._y, self._k, self._seed = X, y, k, seed
        self._sizes = [X.shape[1], *[width] * depth, k]
        self._networks = list(networks)
        counts = {len(network.rows) for network in networks}
        shapes = {(batches_per_epoch(m), batch_rows(m)) for m in counts}
        if len(shapes) != 1:
            raise ValueError(f"networks of {sorted(counts)} fit rows cannot share batches")
        (self._batches, self._batch_rows) = shapes.pop()
        self._device = X.device
        self._rates = torch.tensor([[[t.learning_rate]] for t in networks]).to(self._device)
        self._decays = torch.tensor([[[t.weight_decay]] for t in networks]).to(self._device)
        self._dropouts = torch.tensor([[[t.dropout]] for t in networks]).to(self._device)
        initial = _he_weights(self._sizes, seed).to(self._device)
        self._state = torch.zeros(4, len(networks), len(initial), device=self._device)
        self._state[0] = initial
        self._bind()
        self._dropout_draws = torch.Generator().manual_seed(derive_seed(seed, "dropout"))
        self.epoch = 0
        self._step = 0

    def __len__(self) -> int:
        return len(self._networks)

    def _bind(self) -> None:
        """Views of weights and gradients, layer by layer, into the flat (4, B, P) state."""
        self._theta, self._gradient, self._mean, self._square = self._state
        self._weights = _layers(self._theta, self._sizes)
        self._slopes = _layers(self._gradient, self._sizes)
        self._random = any(network.dropout > 0 for network in self._networks)
        self._decaying = any(network.weight_decay > 0 for network in self._networks)

    def keep(self, networks: Sequence[int]) -> None:
        """Go on with these networks (positions in the stack) only."""
        index = torch.as_tensor(list(networks), device=self._device)
        self._state = self._state[:, index].clone()
        self._networks = [self._networks[i] for i in networks]
        self._rates, self._decays, self._dropouts = self._rates[index], self._decays[index], self._dropouts[index]
        self._bind()

    def train_to(self, epoch: int) -> None:
        """Train until ``epoch`` epochs are done in all."""
        while self.epoch < epoch:
            for rows, weight in self._epoch_batches():
                self._descend(rows, weight)
            self.epoch += 1

    def _epoch_batches(self) -> list[tuple[Tensor, Tensor]]:
        """Row numbers (B, b) and loss weights (B, b, 1) of each batch; short batches are padded with weight 0."""
        most = max(math.ceil(len(network.rows) / self._batches) for network in self._networks)
        numbers = torch.stack([network.rows[0] for network in self._networks])[:, None, None].repeat(
            1, self._batches, most
        )
        weights = torch.zeros(len(self), self._batches, most)
        orders: dict[int, tuple[Tensor, ...]] = {}
        for b, network in enumerate(self._networks):
            rows, m = network.rows, len(network.rows)
            if m not in orders:
                draws = torch.Generator().manual_seed(derive_seed(self._seed, "order", self.epoch))
                orders[m] = torch.randperm(m, generator=draws).tensor_split(self._batches)
            for s, order in enumerate(orders[m]):
                numbers[b, s, : len(order)] = rows[order]
                weights[b, s, : len(order)] = 1.0 / len(order)
        numbers, weights = numbers.to(self._device), weights.to(self._device)
        return [(numbers[:, s], weights[:, s, :, None]) for s in range(self._batches)]

    def _descend(self, rows: Tensor, weight: Tensor) -> None:
        """One AdamW step on the loss of one batch per network; gradients written out by hand."""
        layers = [self._X[rows]]
        masks = self._draw_masks(rows.shape[1]) if self._random else [None] * (len(self._weights) - 1)
        for (W, bias), mask in zip(self._weights[:-1], masks, strict=True):
            hidden = torch.baddbmm(bias, layers[-1], W).relu_()
            layers.append(hidden if mask is None else hidden.mul_(mask))
        W, bias = self._weights[-1]
        delta = self._output(torch.baddbmm(bias, layers[-1], W))
        if self._y.is_floating_point():
            delta = delta - self._y[rows][..., None]
        else:
            delta.scatter_add_(2, self._y[rows][..., None], delta.new_full((*rows.shape, 1), -1.0))
        delta *= weight
        for position in range(len(self._weights) - 1, -1, -1):
            dW, dbias = self._slopes[position]
            torch.bmm(layers[position].transpose(1, 2), delta, out=dW)
            torch.sum(delta, dim=1, keepdim=True, out=dbias)
            if position:
                # The unit passed its input on exactly where its output is positive: there relu' = 1 and mask > 0.
                delta = torch.bmm(delta, self._weights[position][0].transpose(1, 2)).mul_(layers[position] > 0)
                mask = masks[position - 1]
                if mask is not None:
                    delta.mul_(mask)
        self._update()

    def _draw_masks(self, b: int) -> list[Tensor]:
        """Dropout factors (B, b, width) per hidden layer: 0 or 1/(1 - rate), from draws the networks share."""
        masks = []
        for width in self._sizes[1:-1]:
            draws = torch.rand(self._batch_rows, width, generator=self._dropout_draws)[:b].to(self._device)
            masks.append((draws >= self._dropouts).float().div_(1 - self._dropouts))
        return masks

    def _update(self) -> None:
        """AdamW (Loshchilov & Hutter 2019): decay of weights, not of biases, apart from the gradient's moments."""
        self._step += 1
        if self._decaying:
            for W, _ in self._weights:
                W.mul_(1 - self._rates * self._decays)
        self._mean.lerp_(self._gradient, 1 - BETA1)
        self._square.mul_(BETA2).addcmul_(self._gradient, self._gradient, value=1 - BETA2)
        scale = math.sqrt(1 - BETA2**self._step)
        size = self._square.sqrt().add_(EPSILON * scale)
        step = torch.div(self._mean, size, out=size).mul_(self._rates[:, 0] * (scale / (1 - BETA1**self._step)))
        self._theta -= step

    def _output(self, values: Tensor) -> Tensor:
        """The last layer's ``values`` (B, m, k) as class probabilities, or as they are for numbers."""
        return values if self._y.is_floating_point() else torch.softmax(values, dim=2)

    def outputs(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """Class probabilities (m_b, k), or numbers (m_b, 1), of each network's own ``rows[b]`` (dropout off)."""
        most = max(len(r) for r in rows)
        padded = torch.zeros(len(self), most, dtype=torch.int64)
        for b, own in enumerate(rows):
            padded[b, : len(own)] = own
        padded = padded.to(self._device)
        parts = []
        for chunk in padded.split(SCORED_ROWS, dim=1):
            hidden = self._X[chunk]
            for W, bias in self._weights[:-1]:
                hidden = torch.baddbmm(bias, hidden, W).relu_()
            W, bias = self._weights[-1]
            parts.append(self._output(torch.baddbmm(bias, hidden, W)))
        together = torch.cat(parts, dim=1)
        return [together[b, : len(own)] for b, own in enumerate(rows)]


def _he_weights(sizes: Sequence[int], seed: int) -> Tensor:
    """Flat initial parameters (P,): normal with variance 2/fan-in (1/fan-in for the output), biases 0."""
    draws = torch.Generator().manual_seed(derive_seed(seed, "weights", tuple(sizes)))
    parts = []
    for position, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        gain = 1.0 if position == len(sizes) - 2 else 2.0
        parts += [torch.randn(fan_in * fan_out, generator=draws) * math.sqrt(gain / fan_in), torch.zeros(fan_out)]
    return torch.cat(parts)


def _layers(flat: Tensor, sizes: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Views (B, fan_in, fan_out), (B, 1, fan_out) of the rows of ``flat`` (B, P), per layer."""
    layers, start = [], 0
    for fan_in, fan_out in itertools.pairwise(sizes):
        middle, end = start + fan_in * fan_out, start + fan_in * fan_out + fan_out
        layers.append((flat[:, start:middle].unflatten(1, (fan_in, fan_out)), flat[:, None, middle:end]))
        start = end
    return layers
