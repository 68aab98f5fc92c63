"""The leak decomposition, the contrast of protocols, groups and bins, on tables worked by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.records.measure import COMPARED
from bench.stats.frame import protocols_in, score_matrix
from bench.stats.groups import SIZE_BINS, standard_groups
from bench.stats.paired import paired_difference
from bench.stats.protocols import LeakDecomposition, leak_decomposition, noise_pair, protocol_contrast

MEASURE = COMPARED["classification"]
ACCURACY = {
    # protocol: {method: accuracies on a, b, c}
    "published": {"rfm": [90.0, 80.0, 70.0], "laplace": [85.0, 79.0, 70.0]},
    "relearn": {"rfm": [88.0, 80.0, 69.0], "laplace": [85.0, 79.0, 70.0]},
    "clean": {"rfm": [87.0, 78.0, 69.0], "laplace": [86.0, 78.0, None]},
    "clean-cv": {"rfm": [88.0, 79.0, 69.0], "laplace": [86.0, 78.0, 70.0]},
}


@pytest.fixture
def scores() -> pd.DataFrame:
    """Two hold-outs a job, half a point either side of the mean."""
    rows = []
    for protocol, methods in ACCURACY.items():
        for method, values in methods.items():
            for dataset, value in zip("abc", values, strict=True):
                row = {"dataset": dataset, "method": method, "protocol": protocol, "fit_seconds": 1.5}
                row |= {"task": "classification", "seed": 0}
                if value is None:
                    rows.append({**row, "status": "error", "accuracy": float("nan"), "fit_seconds": float("nan")})
                else:
                    rows += [{**row, "status": "ok", "accuracy": value + shift} for shift in (-0.5, 0.5)]
    return pd.DataFrame(rows)


def seeded(values: list[float]) -> pd.Series:
    """Of datasets a, b, ... with seed 0."""
    index = pd.MultiIndex.from_product([list("abc"[: len(values)]), [0]], names=["dataset", "seed"])
    return pd.Series(values, index)


def decomposed(scores: pd.DataFrame, datasets: str) -> LeakDecomposition:
    found = leak_decomposition(scores, list(datasets), {})
    assert found is not None
    return found


def test_matrix_keeps_the_place_of_what_is_missing(scores: pd.DataFrame) -> None:
    matrix = score_matrix(scores, "clean", MEASURE, ["rfm", "laplace"])
    assert list(matrix.columns) == ["rfm", "laplace"]
    assert matrix["rfm"].tolist() == [87.0, 78.0, 69.0]
    assert pd.isna(matrix.loc["c", "laplace"])
    assert protocols_in(scores) == ["clean", "clean-cv", "relearn", "published"]


def test_leak_is_decomposed_on_datasets_with_every_result(scores: pd.DataFrame) -> None:
    found = decomposed(scores, "abc")
    assert list(found.accuracy.index) == ["a", "b"]  # c lacks laplace under clean
    steps = {(s.first, s.second): s for s in found.steps}
    assert {pair: (s.method.mean, s.baseline.mean, s.excess.mean) for pair, s in steps.items()} == {
        ("published", "relearn"): (-1.0, 0.0, -1.0),
        ("relearn", "clean"): (-1.5, 0.0, -1.5),
        ("clean", "clean-cv"): (1.0, 0.0, 1.0),
        ("published", "clean"): (-2.5, 0.0, -2.5),
        ("published", "clean-cv"): (-1.5, 0.0, -1.5),
    }
    assert steps["relearn", "clean"].excess == paired_difference(seeded([-2.0, -1.0]), seeded([0.0, 0.0]), {})
    lead = {"published": 3.0, "relearn": 2.0, "clean": 0.5, "clean-cv": 1.5}
    assert {p: d.mean for p, d in found.over_baseline.items()} == lead
    assert found.over_baseline["clean"].ties == 1


def test_a_protocol_that_covers_little_does_not_shrink_the_decomposition(scores: pd.DataFrame) -> None:
    few = scores[(scores["protocol"] != "clean-cv") | (scores["dataset"] == "a")]
    found = decomposed(few, "abc")
    assert (found.path, list(found.accuracy.index)) == (["published", "relearn", "clean"], ["a", "b"])
    assert decomposed(few, "a").path == ["published", "relearn", "clean", "clean-cv"]


def test_leak_without_a_baseline_or_without_protocols(scores: pd.DataFrame) -> None:
    alone = decomposed(scores[scores["method"] == "rfm"], "abc")
    assert (alone.baseline, alone.over_baseline, len(alone.accuracy)) == (None, {}, 3)
    assert leak_decomposition(scores[scores["protocol"] == "clean"], ["a"], {}) is None
    assert leak_decomposition(scores, ["nowhere"], {}) is None
    two = decomposed(scores[scores["protocol"].isin(["published", "clean"])], "ab")
    assert [(s.first, s.second) for s in two.steps] == [("published", "clean")]


def test_contrast_is_paired_by_method(scores: pd.DataFrame) -> None:
    rfm, laplace = protocol_contrast(scores, MEASURE, "clean", "clean-cv", {}, ["rfm", "laplace"])
    assert (rfm.method, rfm.comparison.difference.datasets) == ("rfm", 3)
    assert rfm.comparison.difference.mean == pytest.approx(2 / 3)
    assert (laplace.comparison.difference.datasets, laplace.comparison.difference.mean, laplace.first) == (2, 0.0, 82.0)
    assert rfm.comparison.p >= rfm.comparison.difference.p
    assert (rfm.comparison.first, rfm.comparison.second) == ("clean-cv", "clean")


def test_protocols_are_compared_on_the_seeds_that_both_have(scores: pd.DataFrame) -> None:
    again = scores.assign(seed=1, accuracy=scores["accuracy"] + 4)
    both = pd.concat([scores, again[again["protocol"] != "clean"]])
    rfm, _ = protocol_contrast(both, MEASURE, "clean", "clean-cv", {}, ["rfm", "laplace"])
    assert rfm.comparison.difference.mean == pytest.approx(2 / 3)
    assert rfm.comparison.difference.by_seed == ((0, pytest.approx(2 / 3)),)
    rfm_published = protocol_contrast(both, MEASURE, "published", "relearn", {})[1]
    assert rfm_published.comparison.difference.by_seed == ((0, pytest.approx(-1.0)), (1, pytest.approx(-1.0)))
    other = scores.assign(seed=2)
    disjoint = pd.concat([scores[scores["protocol"] == "clean"], other[other["protocol"] == "clean-cv"]])
    assert protocol_contrast(disjoint, MEASURE, "clean", "clean-cv", {}) == []
    assert leak_decomposition(disjoint, ["a", "b"], {}) is None


def test_noise_is_between_the_fewest_inner_folds_and_the_most() -> None:
    pair = noise_pair(["clean-cv", "published", "clean", "relearn"])
    assert pair is not None
    assert [protocol.name for protocol in pair] == ["clean", "clean-cv"]
    assert noise_pair(["clean", "published"]) is None


def test_groups_hold_what_is_present_and_regression_is_one_of_its_own() -> None:
    kinds = {"iris": "small", "letter": "large", "adult": "test-file", "absent": "small", "servo": "small"}
    names = ["servo", "letter", "iris", "adult", "mine", "iris"]
    assert {g.key: g.datasets for g in standard_groups(names, kinds, {"servo", "yacht"})} == {
        "small90": ("iris",),
        "no-test-file": ("iris", "letter"),
        "test-file": ("adult",),
        "all-available": ("adult", "iris", "letter", "mine"),
        "regression": ("servo",),
    }
    assert [g.key for g in standard_groups(["letter"], kinds)] == ["no-test-file", "all-available"]
    assert [g.key for g in standard_groups(["mine"], {})] == ["all-available"]


def test_bins_cover_everything_once_and_include_their_upper_edge() -> None:
    values = pd.Series({"a": 10.0, "b": 200.0, "c": 201.0, "d": 5000.0, "e": 6000.0})
    assert SIZE_BINS.split(values) == [
        ("at most 200", ["a", "b"]),
        ("above 200 to 1,000", ["c"]),
        ("above 1,000 to 5,000", ["d"]),
        ("above 5,000", ["e"]),
    ]
