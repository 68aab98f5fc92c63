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

STARTS = (1e-3, 1e-5, 1e-7, 1e-9, 1e-12, 1e-15)
"""Entries' size in the first product, relative to that of the data. What stays of it in the directions that no entry
asks for is part of the error that a network ends with. A small start does not always end lower: it waits longer between
two directions, which can look like an end."""

RATES = (0.01, 0.003, 0.001)
"""Adam's learning rates, one after another, are these divided by the hidden width: the next when nothing improves."""

STEPS, CHECK_EVERY, PATIENCE = 80_000, 50, 20
"""Adam steps at most; held-out error looked at so often; looks in a row that did not find it 1 % below the last mark
(:class:`Plateau`), after which the next rate takes over, or training ends."""

FOUND = 1e-4
"""Held-out error, relative to the entries' size, below which no other start is tried: the matrix is recovered."""

UNFITTED = 1e-2
"""Root mean squared error at the fitted entries, relative to their size, above which a run on exact entries has not
ended: more training would fit them."""


@dataclass(frozen=True)
class Trained:
    """``X`` (n, d) of the best ``step``, its squared error at held-out entries, and what was chosen.

    ``cut_off``: of one of the starts tried, the steps were used up before the held-out error had stopped falling; or it
    stopped falling while exact entries were not fitted yet.
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
    exact: bool,
    steps: int = STEPS,
    starts: Sequence[float] = STARTS,
) -> Trained:
    """The start and step with the least held-out squared error.

    ``depth`` matrices, hidden layers as wide as the smaller side, so that no rank is imposed. ``exact`` entries have no
    noise: training has not ended before it fits them.
    """
    tried: list[Trained] = []
    for start in starts:
        tried.append(_train(entries, held_out, depth, start, seed, steps, exact))
        if tried[-1].error < FOUND**2 * float(np.mean(entries.values**2)):
            return replace(tried[-1], cut_off=False)
    best = min(tried, key=lambda one: one.error)
    # With more steps a start that was cut off could become the best: the choice has not ended before all have.
    return replace(best, cut_off=any(one.cut_off for one in tried))


class Plateau:
    """How many looks in a row did not find a squared error 1 % below the mark, which moves only to one that is.

    A slow fall is one: were the mark the least error so far, a fall of 0.9 % a look would count as none.
    """

    def __init__(self) -> None:
        self.waited, self._mark = 0, np.inf

    def look(self, error: float) -> int:
        """The number of looks, this one included."""
        if error < 0.99 * self._mark:
            self.waited, self._mark = 0, error
        else:
            self.waited += 1
        return self.waited


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


def _train(
    entries: Entries, held_out: Entries, depth: int, start: float, seed: int, steps: int, exact: bool
) -> Trained:
    n, d = entries.shape
    width = min(n, d)
    mean_square = float(np.mean(entries.values**2))
    scale = (start * mean_square**0.5 / width ** ((depth - 1) / 2)) ** (1 / depth)
    network = Product([n, *([width] * (depth - 1)), d], scale, seed)
    target, weight = torch.zeros((n, d)), torch.zeros((n, d))
    target[entries.rows, entries.cols] = torch.from_numpy(entries.values).float()
    weight[entries.rows, entries.cols] = 2.0 / len(entries)  # of the mean squared error's gradient
    idle = float(np.mean(held_out.values**2))
    best: tuple[float, FloatArray, int] = (np.inf, np.zeros((n, d)), 0)
    plateau, left, cut_off = Plateau(), list(RATES), True
    for step in range(1, steps + 1):
        product = network.forward()
        residual = product - target
        slope = residual * weight
        if step % CHECK_EVERY == 0:
            found = product[held_out.rows, held_out.cols].double().numpy()
            error = float(np.mean((found - held_out.values) ** 2))
            if error < best[0]:
                best = (error, product.double().numpy(), step)
            fitted = 0.5 * float((residual * slope).sum())
            # The plateau at the start, before a direction has grown, is no sign of having finished.
            if plateau.look(error) >= PATIENCE and fitted < 0.5 * idle:
                plateau.waited = 0
                del left[0]
                if not left:
                    cut_off = exact and fitted > UNFITTED**2 * mean_square
                    break
        network.backward(slope)
        network.step(left[0] / width)
    return Trained(best[1], best[0], best[2], cut_off, {"depth": depth, "start": start})
