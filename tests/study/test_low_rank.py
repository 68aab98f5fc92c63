"""How the low-rank study selects, and how its network is refitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from bench.study.low_rank import compute
from bench.study.low_rank.compute import draw
from bench.study.low_rank.network import trained
from bench.study.low_rank.search import Axis, search


def test_the_network_is_refitted_on_all_rows_to_the_chosen_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, X_test, _, _ = draw("rotated", 4, 200, 20, 0.1, 0)
    train, held_out = (X[40:], y[40:]), (X[:40], y[:40])
    noted: list[tuple[int, dict[str, Any]]] = []
    plain = compute.trained

    def note(rows: Any, targets: Any, **settings: Any) -> Any:
        noted.append((len(rows), settings))
        return plain(rows, targets, **settings)

    monkeypatch.setattr(compute, "trained", note)
    predicted, chosen = compute._network(X, y, train, held_out, X_test, 3, quick=True)
    assert [rows for rows, _ in noted] == [160, 200]
    settings = {key: chosen.settings[key] for key in ("depth", "width", "rate", "decay")}
    assert noted[1][1] == {**settings, "seed": 3, "epochs": chosen.settings["epoch"]}
    assert compute._best_epoch(train, held_out, settings, 3, 10)[1] == chosen.settings["epoch"]
    changed = y.copy()
    changed[:40] += 5.0  # what chooses is as it was; the refit learns from these rows too
    other, other_chosen = compute._network(X, changed, train, held_out, X_test, 3, quick=True)
    assert other_chosen == chosen
    assert np.abs(other - predicted).max() > 0.1


@pytest.mark.parametrize("depth", [1, 3])
def test_the_network_takes_the_steps_of_automatic_differentiation_and_adamw(depth: int) -> None:
    X, y, *_ = draw("rotated", 4, 150, 5, 0.1, 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = [torch.nn.Linear(a, b) for a, b in pairwise([4, *([7] * depth), 1])]
    theirs = torch.nn.Sequential(*(part for layer in layers[:-1] for part in (layer, torch.nn.ReLU())), layers[-1])
    rows, targets = torch.from_numpy(X).float(), torch.from_numpy(y).float()
    optimiser = torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.3)
    order = torch.Generator().manual_seed(3)
    for network in trained(X, y, depth=depth, width=7, rate=1e-2, decay=0.3, seed=3, epochs=4):
        for some in torch.randperm(150, generator=order).split(100):
            optimiser.zero_grad()
            ((theirs(rows[some])[:, 0] - targets[some]) ** 2).mean().backward()
            optimiser.step()
        torch.testing.assert_close(network.predict(rows), theirs(rows)[:, 0].detach(), atol=1e-4, rtol=1e-3)


def bowl(**centre: float) -> Callable[[Mapping[str, float]], float]:
    """An error with its least value at ``centre``, in decades."""
    return lambda at: 1.0 + sum((np.log10(at[name]) - np.log10(value)) ** 2 for name, value in centre.items())


A, B = Axis("a", (0.01, 0.1, 1.0, 10.0, 100.0), 1.0), Axis("b", (0.01, 0.1, 1.0, 10.0, 100.0), 1.0)


@pytest.mark.parametrize("diagonal", [False, True])
def test_a_grid_widens_to_where_it_is_best(diagonal: bool) -> None:
    found = search((A, B), bowl(a=0.1, b=10.0), diagonal=diagonal)
    assert (found.settings, found.error, found.at_edge) == ({"a": 0.1, "b": 10.0}, 1.0, [])
    assert found.tried < 25
    far = search((A, B), bowl(a=1e-5, b=1.0), diagonal=diagonal)
    assert (far.settings["a"], far.at_edge) == (0.01, ["a"])


def test_only_diagonal_neighbours_cross_a_narrow_valley() -> None:
    def valley(at: Mapping[str, float]) -> float:
        along, across = np.log10(at["a"] * at["b"]), np.log10(at["a"] / at["b"])
        return float(1.0 + (along - 2) ** 2 / 10 + across**2)

    assert search((A, B), valley, diagonal=True).settings == {"a": 10.0, "b": 10.0}
    assert search((A, B), valley).settings == {"a": 1.0, "b": 1.0}


def test_a_gain_that_is_noise_moves_nothing_and_divergence_loses() -> None:
    def nearly_flat(at: Mapping[str, float]) -> float:
        return float("nan") if at["a"] > 1 else 1.0 + 0.001 * np.log10(at["a"])

    found = search((A,), nearly_flat)
    assert (found.settings, found.tried, found.at_edge) == ({"a": 1.0}, 3, [])
    layers = Axis("layers", (1, 2, 3), 2, first_is_natural=True)  # a natural end is no edge
    assert search((layers,), lambda at: at["layers"]).at_edge == []
    assert search((layers,), lambda at: -at["layers"] + 9).at_edge == ["layers"]


def test_the_updates_are_the_fewest_that_do_as_well() -> None:
    """On a function of one feature: the refit has as many, and M finds the feature."""
    sizes = {"d": 4, "train": 300, "test": 300, "noise": 0.1}
    found = compute.regression({**sizes, "target": "product", "method": "diagonal RFM"}, 0)
    assert 0 < found["chosen"]["iterations"] < compute.ITERATIONS
    assert found["alignment"] > 0.99
    assert found["tried"] == 9 or "ridge" in found["chosen"]
    assert found["r2"] > 0.9
