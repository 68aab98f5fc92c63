"""Deep linear networks for matrix completion: products of matrices, trained by Adam from a small start.

Without weight decay: what they prefer comes from the small start alone, as in Arora et al. (2019) and in the comparison
of arXiv 2401.04553. The gradients of a product are written out: they cost half of what automatic differentiation takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from bench.study.adam import Adam
from rfm.completion import Entries
from rfm.completion.entries import FloatArray

STARTS = (1e-3, 1e-5, 1e-7, 1e-9)
"""Entries' size in the first product, relative to that of the data. What stays of it in the directions that no entry
asks for is the error that a network ends with: on five 100 x 100 matrices (ranks 2 to 8, depths 3 and 4) 0.003 to 0.2
from 1e-3; from the one of these starts that held-out entries choose 5e-5 to 5e-4, once 0.3. A small start does not
always get there: it waits longer between two directions, which can look like an end. 1e-12 was the best of five on two
of the ten."""

RATES = (0.01, 0.003, 0.001)
"""Adam's learning rates, one after another, are these divided by the hidden width: the next when nothing improves. On
100 x 100 matrices larger rates gave larger errors at every depth."""

STEPS, CHECK_EVERY, PATIENCE = 80_000, 50, 20
"""Adam steps at most; held-out error looked at so often; looks without improvement by 1 % after which the next rate
takes over, or training ends."""


@dataclass(frozen=True)
class Trained:
    """``X`` (n, d) of the best ``step``, its squared error at held-out entries, and what was chosen.

    ``cut_off``: of one of the starts tried, the steps were used up before the held-out error had stopped falling.
    """

    X: FloatArray
    error: float
    step: int
    cut_off: bool
    chosen: dict[str, Any]


def deep_linear_completion(
    entries: Entries,
    held_out: Entries,
    depth: int,
    seed: int,
    *,
    steps: int = STEPS,
    starts: Sequence[float] = STARTS,
) -> Trained:
    """The start and step with the least held-out squared error.

    ``depth`` matrices, hidden layers as wide as the smaller side, so that no rank is imposed.
    """
    tried = [_train(entries, held_out, depth, start, seed, steps) for start in starts]
    best = min(tried, key=lambda one: one.error)
    # With more steps a start that was cut off could become the best: the choice has not ended before all have.
    return replace(best, cut_off=any(one.cut_off for one in tried))


class Product:
    """A product of matrices of the given ``sizes``, and Adam on all their entries as one vector.

    Standard normal entries times ``scale``, in float32.
    """

    def __init__(self, sizes: Sequence[int], scale: float, seed: int) -> None:
        shapes = list(pairwise(sizes))
        generator = torch.Generator().manual_seed(seed)
        flat = [(torch.randn(shape, generator=generator) * scale).reshape(-1) for shape in shapes]
        values = torch.cat(flat)
        self._gradient = torch.zeros_like(values)
        self.layers, self.gradients = _views(values, shapes), _views(self._gradient, shapes)
        self._left: list[torch.Tensor] = []
        self._adam = Adam(values)

    def forward(self) -> torch.Tensor:
        """The product (n, d)."""
        self._left = [self.layers[0]]
        for layer in self.layers[1:]:
            self._left.append(self._left[-1] @ layer)
        return self._left[-1]

    def backward(self, slope: torch.Tensor) -> None:
        """Set ``gradients`` to those of a function whose gradient with respect to the last product is ``slope``."""
        for k in range(len(self.layers) - 1, 0, -1):
            torch.mm(self._left[k - 1].T, slope, out=self.gradients[k])
            slope = slope @ self.layers[k].T
        self.gradients[0].copy_(slope)

    def step(self, rate: float) -> None:
        """One step of Adam."""
        self._adam.step(self._gradient, rate)


def _views(flat: torch.Tensor, shapes: Sequence[tuple[int, int]]) -> list[torch.Tensor]:
    parts = flat.split([a * b for a, b in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def _train(entries: Entries, held_out: Entries, depth: int, start: float, seed: int, steps: int) -> Trained:
    n, d = entries.shape
    width = min(n, d)
    scale = (start * float(np.sqrt(np.mean(entries.values**2))) / width ** ((depth - 1) / 2)) ** (1 / depth)
    network = Product([n, *([width] * (depth - 1)), d], scale, seed)
    target, weight = torch.zeros((n, d)), torch.zeros((n, d))
    target[entries.rows, entries.cols] = torch.from_numpy(entries.values).float()
    weight[entries.rows, entries.cols] = 2.0 / len(entries)  # of the mean squared error's gradient
    idle = float(np.mean(held_out.values**2))
    best: tuple[float, FloatArray, int] = (np.inf, np.zeros((n, d)), 0)
    marked, waited, left = np.inf, 0, list(RATES)
    for step in range(1, steps + 1):
        product = network.forward()
        residual = product - target
        slope = residual * weight
        if step % CHECK_EVERY == 0:
            found = product[held_out.rows, held_out.cols].double().numpy()
            error = float(np.mean((found - held_out.values) ** 2))
            if error < best[0]:
                best = (error, product.double().numpy(), step)
            waited = 0 if error < 0.99 * marked else waited + 1
            marked = min(marked, error)
            # The plateau at the start, before a direction has grown, is no sign of having finished.
            if waited > PATIENCE and 0.5 * float((residual * slope).sum()) < 0.5 * idle:
                waited = 0
                del left[0]
                if not left:
                    break
        network.backward(slope)
        network.step(left[0] / width)
    return Trained(best[1], best[0], best[2], bool(left), {"depth": depth, "start": start})
