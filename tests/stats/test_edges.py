"""How often the edges of a grid were selected, counted by hand."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from bench.stats.edges import grid_edges


def selections(method: str, configs: list[dict[str, Any]], iterations: list[int], protocol: str = "clean") -> Any:
    told = {"method": method, "task": "classification", "protocol": protocol, "status": "ok"}
    return pd.DataFrame(told | {"config": list(map(json.dumps, configs)), "iteration": iterations})


def test_each_end_of_each_axis_is_counted() -> None:
    ridges = [0.1, 0.1, 1.0, 10.0]
    configs = [{"ridge": ridge, "unit_norm": ridge < 1, "kind": "a"} for ridge in ridges]
    scores = [selections("rfm", configs, [0, 0, 0, 2]), selections("svm", [{"C": 1.0}], [0])]
    scores += [selections("rfm", [configs[3]], [1], protocol) for protocol in ("clean-cv", "published")]
    failed = scores[0].iloc[[0]].assign(status="error", config="")
    edges = grid_edges(pd.concat([*scores, failed], ignore_index=True), ["clean", "clean-cv"])
    assert set(edges["axis"]) == {"ridge", "iteration"}, "flags and words have no edge, and one value is no axis"
    assert set(edges["method"]) == {"rfm"}
    rows = edges.set_index(["axis", "protocol"])
    shown = ["values", "folds", "lowest", "lowest_percent", "highest", "highest_percent", "often"]
    assert rows.loc[("ridge", "clean"), shown].tolist() == [3, 4, 0.1, 50.0, 10.0, 25.0, True]
    other = rows.loc[("ridge", "clean-cv")]
    assert (other["lowest_percent"], other["highest_percent"], other["folds"]) == (0.0, 100.0, 1)
    assert rows.loc[("iteration", "clean")]["lowest_percent"] == 75.0


def test_one_of_two_values_is_always_at_an_edge() -> None:
    edges = grid_edges(selections("mlp", [{"depth": 1}, {"depth": 2}], [0, 0]), ["clean"])
    (row,) = edges.to_dict("records")
    assert (row["lowest_percent"], row["highest_percent"], row["often"]) == (50.0, 50.0, False)


def test_an_axis_that_not_all_configurations_have_counts_where_it_is() -> None:
    edges = grid_edges(selections("x", [{"a": 1}, {"a": 2, "b": 3}, {"a": 3, "b": 4}], [0, 0, 0]), ["clean"])
    shares = edges.set_index("axis")["lowest_percent"].round(1).to_dict()
    assert shares == {"a": 33.3, "b": 33.3}


def test_nothing_selected_is_an_empty_table() -> None:
    assert grid_edges(selections("rfm", [{"ridge": 1}], [0], "published"), ["clean"]).empty
