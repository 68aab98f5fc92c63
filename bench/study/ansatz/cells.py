"""What the ansatz study computes, in full and in a small version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.study.ansatz.datasets import READS
from bench.study.cell import Cell, Study

KINDS = {"network": "bench.study.ansatz.compute:network", "rates": "bench.study.ansatz.compute:rates"}
DATASETS = tuple(READS)
DEFAULT, SMALLER = STARTS = ("default", "third")
SEEDS = range(3)
RATES_SEED = 100
"""Of the networks that choose the learning rates: none of those that are examined."""

WIDTH, DEPTH = 512, 3
SIZES = {"train": 1000, "held_out": 200, "test": 500}
EPOCHS, LIMIT = 300, 600
"""Epochs of every network, and of one that does not interpolate by then."""

RATES_EPOCHS = 60
PUBLISHED_RATE, ADAM_RATE, PAPER_WIDTH = 0.1, 1e-4, 1024
RATES = {(data, start): 0.1 if data == "star" else 1.0 for data in DATASETS for start in STARTS}
"""Of gradient descent, by dataset and start: those of the least training loss in the cells ``rates``, as the report
shows. (Fashion-MNIST, of which no images were at hand, has MNIST's.)"""

MAIN, ADAM, RATE, WIDE = "main", "Adam", "published rate", "paper's width"
VARIANTS = (MAIN, ADAM, RATE, WIDE)
"""What claims are about; and three changes to it, each with one seed."""

_COST = {"digits": 25.0, "mnist": 35.0, "fashion-mnist": 35.0, "cifar10": 42.0, "star": 37.0, "cifar|mnist": 55.0}
_COST_OF = {MAIN: 1.0, ADAM: 1.5, RATE: 1.8, WIDE: 4.0}
_COST_OF_SMALLER = 1.55
"""Processor seconds of a main network from the default start, as measured; and how many times that others take."""

_MEMORY = {"digits": 300.0, "mnist": 450.0, "fashion-mnist": 450.0, "cifar10": 750.0, "star": 650.0}
_MEMORY_OF_TWO = 1000.0
"""MB beyond the loaded libraries; measured: MNIST 320, CIFAR-10 620, star 490, CIFAR|MNIST 820."""


def cells(quick: bool) -> Sequence[Cell]:
    """All cells; ``quick``: digits alone, a narrow network, few epochs."""
    if quick:
        sizes = {"train": 300, "held_out": 100, "test": 200, "width": 96, "depth": DEPTH}
        few = [
            _network("digits", start, variant, seed, {**sizes, "epochs": 150, "limit": 300})
            for start, variant, seeds in ((DEFAULT, MAIN, 3), (SMALLER, MAIN, 3), (DEFAULT, ADAM, 1))
            for seed in range(seeds)
        ]
        return [*few, _rates("digits", DEFAULT, {**sizes, "epochs": 10})]
    sizes = {**SIZES, "width": WIDTH, "depth": DEPTH}
    found = []
    for data in DATASETS:
        for variant in VARIANTS:
            own = {**sizes, "width": PAPER_WIDTH if variant == WIDE else WIDTH, "epochs": EPOCHS, "limit": LIMIT}
            for start in STARTS if variant == MAIN else (DEFAULT,):
                if variant == RATE and RATES[data, start] == PUBLISHED_RATE:
                    continue
                found += [_network(data, start, variant, seed, own) for seed in (SEEDS if variant == MAIN else (0,))]
        found += [_rates(data, start, {**sizes, "epochs": RATES_EPOCHS}) for start in STARTS]
    return found


def _network(data: str, start: str, variant: str, seed: int, sizes: dict[str, Any]) -> Cell:
    optimiser, rate = "sgd", RATES[data, start]
    if variant == ADAM:
        optimiser, rate = "adam", ADAM_RATE
    if variant == RATE:
        rate = PUBLISHED_RATE
    drawn = {"pictures": True} if (variant, start, seed) == (MAIN, DEFAULT, 0) else {}
    parameters = {
        "data": data,
        "start": start,
        "variant": variant,
        "optimiser": optimiser,
        "rate": rate,
        **sizes,
        **drawn,
    }
    cost = _share(sizes) * _COST[data] * _COST_OF[variant] * (_COST_OF_SMALLER if start == SMALLER else 1.0)
    return Cell(
        "network",
        parameters,
        seed,
        cost=cost,
        memory_mb=_MEMORY.get(data, _MEMORY_OF_TWO) * (1.5 if variant == WIDE else 1.0),
        images=READS[data],
        any_device=True,
    )


def _rates(data: str, start: str, sizes: dict[str, Any]) -> Cell:
    return Cell(
        "rates",
        {"data": data, "start": start, **sizes},
        RATES_SEED,
        cost=3 * _share(sizes) * _COST[data],
        memory_mb=_MEMORY.get(data, _MEMORY_OF_TWO),
        images=READS[data],
        any_device=True,
    )


def _share(sizes: dict[str, Any]) -> float:
    """Of a whole cell's cost, that of a smaller one."""
    return float(sizes["train"] / SIZES["train"] * sizes["epochs"] / EPOCHS * min(1.0, sizes["width"] / WIDTH))


STUDY = Study("ansatz", KINDS, cells)
