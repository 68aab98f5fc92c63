"""How the low-rank study's network is chosen and refitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.study.low_rank import compute
from bench.study.low_rank.compute import draw


def test_the_network_is_refitted_on_all_rows_to_the_chosen_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, X_test, _, _ = draw("rotated", 4, 200, 20, 0.1, 0)
    train, held_out = (X[40:], y[40:]), (X[:40], y[:40])
    trained: list[tuple[int, dict[str, Any]]] = []
    plain = compute._epochs

    def noted(rows: Any, targets: Any, **settings: Any) -> Any:
        trained.append((len(rows), settings))
        return plain(rows, targets, **settings)

    monkeypatch.setattr(compute, "_epochs", noted)
    predicted, chosen = compute._network(X, y, train, held_out, X_test, 3, quick=True)
    assert [rows for rows, _ in trained] == [160, 200]
    assert trained[1][1] == {**{k: v for k, v in chosen.items() if k != "epoch"}, "seed": 3, "epochs": chosen["epoch"]}
    settings = {key: chosen[key] for key in ("depth", "width", "rate", "decay")}
    assert compute._best_epoch(train, held_out, settings, 3, 10)[1] == chosen["epoch"]
    changed = y.copy()
    changed[:40] += 5.0  # what chooses is as it was; the refit learns from these rows too
    other, other_chosen = compute._network(X, changed, train, held_out, X_test, 3, quick=True)
    assert other_chosen == chosen
    assert np.abs(other - predicted).max() > 0.1
