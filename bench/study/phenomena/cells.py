"""What the study of the four phenomena computes, in full and in a small version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.study.cell import Cell, Study

_HERE = "bench.study.phenomena."
KINDS = {
    "grokking-rfm": _HERE + "grokking:rfm",
    "grokking-network": _HERE + "grokking:network",
    "tickets": _HERE + "tickets:tickets",
    "simplicity-kernels": _HERE + "simplicity:kernels",
    "simplicity-network": _HERE + "simplicity:network",
    "spurious-kernels": _HERE + "spurious:kernels",
    "spurious-network": _HERE + "spurious:network",
    "faces": _HERE + "faces:olivetti",
    "celeba": _HERE + "faces:celeba",
}

SEEDS, NETWORK_SEEDS = 5, 3
COUNTS = {"imbalanced": [50, 500], "balanced": [275, 275]}
PATCH = [2, 7, 5]
"""Row, column and side of the published patch."""
NETWORKS: tuple[tuple[list[int] | None, int, int, float, int, int], ...] = (
    (PATCH, 10, 1024, 0.1, 500, SEEDS),
    (PATCH, 10, 1024, 0.03, 500, SEEDS),
    (PATCH, 10, 128, 0.1, 300, SEEDS),
    (PATCH, 2, 1024, 0.1, 500, SEEDS),
    (None, 10, 128, 0.1, 300, NETWORK_SEEDS),
)
"""Patch, outputs, batch, learning rate, epochs and seeds: as published but for ten outputs instead of two; more slowly;
in more steps; with two outputs; without a patch."""
SIZES = (50, 100, 200, 400, 800, 1600)
FILLED: tuple[tuple[str, list[int]], ...] = (
    ("mnist", [3, 8]),
    ("mnist", [4, 9]),
    ("cifar10", [0, 9]),
    ("fashion-mnist", [2, 6]),
)
"""Pairs of classes whose object fills the picture: digits, airplanes and trucks, pullovers and shirts."""
LOCAL: tuple[list[int], ...] = ([4, 9], list(range(10)))
"""Digits that are put into a corner of a photo."""
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
MARKS = (2, 4, 6)
NETWORK_SHARES, NETWORK_MARK = (0.6, 0.8, 0.95), 4
ATTRIBUTES = ("Wearing_Lipstick", "Wearing_Earrings", "Eyeglasses")
_SETS = ("cifar10", "mnist")


def cells(quick: bool) -> Sequence[Cell]:
    """All cells; ``quick``: of everything a little, on scikit-learn's digits alone."""
    if quick:
        return _quick()
    return [*_grokking(), *_tickets(), *_simplicity(), *_spurious(), *_faces()]


def _grokking() -> list[Cell]:
    base = {"images": "cifar10", "classes": [0, 9], "test": 250, "size": 96}
    imbalanced, balanced = COUNTS["imbalanced"], COUNTS["balanced"]
    variants = ((imbalanced, PATCH), (imbalanced, None), (balanced, PATCH))
    found = [
        _cell(
            "grokking-rfm", {**base, "counts": counts, "patch": patch, "iterations": 5}, seed, cost=12, memory_mb=2400
        )
        for seed in range(SEEDS)
        for counts, patch in variants
    ]
    trained = {**base, "counts": imbalanced, "iterations": 5, "width": 1024}
    found += [
        _cell(
            "grokking-network",
            {**trained, "patch": patch, "outputs": outputs, "batch": batch, "rate": rate, "epochs": epochs},
            seed,
            cost=45 if outputs == 10 else 10,
            memory_mb=1800,
        )
        for patch, outputs, batch, rate, epochs, seeds in NETWORKS
        for seed in range(seeds)
    ]
    large = {**base, "images": "stl10", "counts": imbalanced, "patch": PATCH, "iterations": 5}
    slow = {**large, "width": 1024, "outputs": 10, "batch": 1024, "rate": 0.1, "epochs": 500}
    for seed in range(NETWORK_SEEDS):
        found += [
            _cell("grokking-rfm", {**large, "patch": patch}, seed, cost=12, memory_mb=2400) for patch in (PATCH, None)
        ]
        found.append(_cell("grokking-network", slow, seed, cost=45, memory_mb=1800))
    return found


def _tickets() -> list[Cell]:
    settings: list[dict[str, Any]] = [{"images": name, "classes": classes} for name, classes in FILLED]
    settings += [{"images": "mnist", "photos": "cifar10", "side": 14, "classes": classes} for classes in LOCAL]
    settings.append({"images": "svhn", "classes": [4, 9]})
    return [
        _cell(
            "tickets",
            {**setting, "n": n, "test": 500 // len(setting["classes"])},
            seed,
            cost=0.3 + n * n / 280_000,
            memory_mb=300 + 0.4 * n,
        )
        for setting in settings
        for seed in range(SEEDS if setting["images"] != "svhn" else NETWORK_SEEDS)
        for n in SIZES
    ]


def _simplicity() -> list[Cell]:
    base = {"halves": list(_SETS), "n": 1000, "test": 100}
    found = [_cell("simplicity-kernels", base, seed, cost=11, memory_mb=1600) for seed in range(SEEDS)]
    trained = {**base, "width": 1024, "epochs": 300, "batch": 100}
    found += [_cell("simplicity-network", trained, seed, cost=90, memory_mb=1000) for seed in range(NETWORK_SEEDS)]
    return found


def _spurious() -> list[Cell]:
    base = {"images": "cifar10", "classes": [3, 5], "n": 600, "test": 250}
    found = [
        _cell("spurious-kernels", {**base, "mark": mark, "share": share}, seed, cost=5, memory_mb=700)
        for mark in MARKS
        for share in SHARES
        for seed in range(SEEDS)
    ]
    trained = {**base, "mark": NETWORK_MARK, "width": 1024, "epochs": 200, "batch": 100}
    found += [
        _cell("spurious-network", {**trained, "share": share}, seed, cost=40, memory_mb=700)
        for share in NETWORK_SHARES
        for seed in range(NETWORK_SEEDS)
    ]
    return found


def _faces() -> list[Cell]:
    found = [
        Cell("faces", {"count": 80, "test": 32}, seed, cost=2, memory_mb=400, images=("olivetti-glasses",))
        for seed in range(SEEDS)
    ]
    found += [
        Cell(
            "celeba",
            {"attribute": attribute, "count": 500, "test": 500, "size": 96},
            seed,
            cost=60,
            memory_mb=6000,
            images=("celeba",),
        )
        for attribute in ATTRIBUTES
        for seed in range(NETWORK_SEEDS)
    ]
    return found


def _cell(
    kind: str, parameters: Mapping[str, Any], seed: int = 0, *, cost: float = 1.0, memory_mb: float = 200.0
) -> Cell:
    """A cell that reads the image sets that its parameters name."""
    named = [parameters.get("images"), parameters.get("photos"), *parameters.get("halves", ())]
    sets = tuple(dict.fromkeys(name for name in named if name is not None))
    return Cell(kind, parameters, seed, cost=cost, memory_mb=memory_mb, images=sets)


def _quick() -> list[Cell]:
    base = {"images": "digits", "classes": [3, 8], "test": 40, "size": 16}
    small, large, patch = [10, 100], [55, 55], [0, 0, 2]
    found = [
        _cell("grokking-rfm", {**base, "counts": counts, "patch": place, "iterations": 3}, seed)
        for seed in range(2)
        for counts, place in ((small, patch), (small, None), (large, patch))
    ]
    trained = {**base, "counts": small, "patch": patch, "iterations": 3, "width": 64, "epochs": 60, "batch": 1024}
    found += [
        _cell("grokking-network", {**trained, "outputs": outputs, "rate": rate})
        for outputs, rate in ((10, 0.1), (10, 0.03), (2, 100.0))
    ]
    found += [
        _cell("tickets", {**setting, "n": n, "test": 40}, seed)
        for setting in (
            {"images": "digits", "classes": [3, 8]},
            {"images": "digits", "photos": "digits", "side": 4, "classes": [4, 9]},
        )
        for seed in range(2)
        for n in (40, 80)
    ]
    halves = {"halves": ["digits", "digits"], "n": 200, "test": 20}
    found += [_cell("simplicity-kernels", halves, seed) for seed in range(2)]
    found.append(_cell("simplicity-network", {**halves, "width": 64, "epochs": 30, "batch": 100}))
    marked = {"images": "digits", "classes": [3, 8], "n": 200, "test": 40, "mark": 2, "edge": 0}
    found += [_cell("spurious-kernels", {**marked, "share": share}, seed) for share in (0.5, 0.95) for seed in range(2)]
    found.append(_cell("spurious-network", {**marked, "share": 0.95, "width": 64, "epochs": 30, "batch": 100}))
    return found


STUDY = Study("phenomena", KINDS, cells)
