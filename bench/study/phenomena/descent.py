"""ReLU networks on images of more pixels than there are training rows: trained among the coordinates of their span.

Gradient descent without weight decay adds to the first layer multiples of training rows only. With V (d, r) their
span's basis, W_1 is always its start outside of the span plus A V', and A (units, r) is trained instead of W_1 (units,
d): the same network, for r / d of the cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from bench.study.machines import FloatArray, IntArray, accuracy
from bench.study.networks import Epoch, ReluNetwork, one_hot, train
from rfm.span import Span

RATES = (0.1, 0.03, 0.01, 0.003)
"""Learning rates, the published one first."""
LEARNED = 0.5
"""How much of the way from chance to all training rows a network must get for its learning rate to be kept."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Rows as the network sees them: ``within`` (m, r) the span, and what ``outside`` (m, units) adds to its units."""

    within: torch.Tensor
    outside: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class SpanNetwork:
    """``network`` takes the coordinates of ``span``; ``first`` (units, d) is where the first layer started."""

    network: ReluNetwork
    span: Span
    first: torch.Tensor

    @classmethod
    def start(cls, span: Span, hidden: Sequence[int], outputs: int, seed: int) -> SpanNetwork:
        """PyTorch's default start of a network of d inputs with ``hidden`` layers of so many units."""
        network = ReluNetwork.start("default", [len(span.basis), *hidden, outputs], seed)
        first, *others = network.layers
        return cls(ReluNetwork([(first.double() @ span.basis).float(), *others]), span, first)

    def seen(self, Z: FloatArray, *, training: bool = False) -> Seen:
        """The rows of ``Z`` (m, d); ``training`` rows have no part outside of the span."""
        rows = torch.from_numpy(Z)
        within = rows @ self.span.basis
        if training:
            return Seen(within.float())
        start = self.first.double()
        return Seen(within.float(), (rows @ start.T - within @ (start @ self.span.basis).T).float())

    def predicted(self, rows: Seen) -> IntArray:
        """The classes (m,) of the largest outputs."""
        units = rows.within @ self.network.layers[0].T
        if rows.outside is not None:
            units += rows.outside
        classes: IntArray = ReluNetwork(self.network.layers[1:]).outputs(units.clamp_min_(0.0)).argmax(dim=1).numpy()
        return classes

    def first_layer(self) -> torch.Tensor:
        """W_1 (units, d) float64."""
        return self.first.double() + self.moved() @ self.span.basis.T

    def moved(self) -> torch.Tensor:
        """What training has added to W_1, among the coordinates of the span: (units, r) float64."""
        # Less the start as it was rounded, or the rounding would be what an untrained layer has learned.
        return self.network.layers[0].double() - self._start_within.float().double()

    def metric_cosine(self, core: torch.Tensor) -> float:
        """The cosine of the entries of W_1' W_1 and V C V', with C (r, r) the ``core``; neither is formed."""
        layer = self.network.layers[0].double()
        return _cosine(layer, core, layer @ layer.T + self._gram_outside)

    def moved_cosine(self, core: torch.Tensor) -> float:
        """The same of D' D, with D what training has added to W_1; 0 where that is nothing."""
        moved = self.moved()
        return _cosine(moved, core, moved @ moved.T)

    @cached_property
    def _start_within(self) -> torch.Tensor:
        return self.first.double() @ self.span.basis

    @cached_property
    def _gram_outside(self) -> torch.Tensor:
        """W W' (units, units) of what the first layer has outside of the span, and keeps."""
        start = self.first.double()
        return start @ start.T - self._start_within @ self._start_within.T


def _cosine(layer: torch.Tensor, core: torch.Tensor, gram: torch.Tensor) -> float:
    """Of A' A and C, (r, r), for a ``layer`` A (units, r); ``gram`` (units, units) has the norm of the first."""
    norm = float(gram.norm() * core.norm())
    return float(((layer @ core) * layer).sum()) / norm if norm > 0 else 0.0


def trained(
    X: FloatArray,
    labels: IntArray,
    tests: Mapping[str, FloatArray],
    parameters: Mapping[str, Any],
    *,
    outputs: int,
    seed: int,
    rates: Sequence[float] = RATES,
) -> tuple[dict[str, IntArray], dict[str, Any]]:
    """The classes that a network gives the rows of each of ``tests``, and an account of its training.

    ``parameters``: its ``width``, of two hidden layers, and the ``epochs`` at most and ``batch`` of its training.

    SGD at the first of ``rates`` at which it learns (:data:`LEARNED`), neither diverges nor dies, or else that with the
    least training loss; no classes if it diverges at all. Training ends early once all training rows have been
    right at two of the epochs, every fifth, that are looked at.
    """
    hidden, epochs, batch = [int(parameters["width"])] * 2, int(parameters["epochs"]), int(parameters["batch"])
    span = Span.of(X, "cpu")
    targets = one_hot(torch.from_numpy(labels), outputs)
    tried: dict[float, Any] = {}
    best: tuple[float, SpanNetwork] | None = None
    enough = (1.0 - LEARNED) / outputs + LEARNED
    for rate in rates:
        network = SpanNetwork.start(span, hidden, outputs, seed)
        rows = network.seen(X, training=True)
        steps = train(network.network, rows.within, targets, rate=rate, epochs=epochs, batch=batch, seed=seed)
        last, right = _until_right(network, rows, labels, steps)
        tried[rate] = {"epochs": last.number, "loss": None if last.diverged else last.loss, "train": right}
        if last.diverged:
            continue
        if best is None or last.loss < tried[best[0]]["loss"] or right >= enough:
            best = rate, network
        if right >= enough:
            break
    account = {"tried": {f"{rate:g}": record for rate, record in tried.items()}, "rate": best and best[0]}
    if best is None:
        return {}, account
    return {name: best[1].predicted(best[1].seen(test)) for name, test in tests.items()}, account


def _until_right(network: SpanNetwork, rows: Seen, labels: IntArray, epochs: Iterator[Epoch]) -> tuple[Epoch, float]:
    """The last epoch that was trained, and the share of training rows that are right after it (0 if it diverged)."""
    before = right = 0.0
    for epoch in epochs:
        if epoch.number % 5 == 0 and not epoch.diverged:
            before, right = right, accuracy(network.predicted(rows), labels)
            if before == right == 1.0:
                return epoch, right
    return epoch, 0.0 if epoch.diverged else accuracy(network.predicted(rows), labels)
