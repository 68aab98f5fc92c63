"""Tables of scores by hand: means over seeds and folds, which seeds count, CPU seconds per 1,000 samples."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bench.records.measure import COMPARED
from bench.stats.frame import left_out_seeds, score_matrix, seconds_per_thousand, seed_matrix
from bench.stats.seeds import SeedGap, counted, seed_gaps

ACCURACY = COMPARED["classification"]


def has(**seeds: str) -> pd.DataFrame:
    """Of one dataset ``d``: the seeds, one digit each, that every method has."""
    every = sorted({int(s) for of in seeds.values() for s in of})
    index = pd.MultiIndex.from_product([["d"], every], names=["dataset", "seed"])
    return pd.DataFrame({m: [str(s) in of for s in every] for m, of in seeds.items()}, index=index)


@pytest.mark.parametrize(
    ("seeds", "count"),
    [
        ({"a": "012", "b": "012"}, {"a": "012", "b": "012"}),
        ({"a": "012", "b": "12", "c": "02"}, {"a": "2", "b": "2", "c": "2"}),
        ({"a": "01", "b": "01", "c": "7"}, {"a": "01", "b": "01", "c": ""}),
        ({"a": "0", "b": "1"}, {"a": "0", "b": ""}),  # the smaller seed of two that one method each has
        ({"a": "01", "b": "12", "c": "02"}, {"a": "0", "b": "", "c": "0"}),
        ({"a": "0", "b": "0", "c": "123", "d": "123"}, {"a": "", "b": "", "c": "123", "d": "123"}),
        ({"a": "012"}, {"a": "012"}),
        ({"a": "01", "b": ""}, {"a": "01", "b": ""}),  # no result at all is no seed of its own
    ],
)
def test_only_seeds_count_that_all_have(seeds: dict[str, str], count: dict[str, str]) -> None:
    there = has(**seeds)
    found = counted(there)
    assert {m: "".join(str(s) for (_, s), x in found[m].items() if x) for m in found} == count
    lost = {m: tuple(int(s) for s in of if s not in count[m]) for m, of in seeds.items()}
    expected = [SeedGap("d", m, gone, missing=not count[m]) for m, gone in lost.items() if gone]
    assert seed_gaps(there) == expected


def scores(rows: list[tuple[str, str, int, float | None]]) -> pd.DataFrame:
    """(dataset, method, seed, accuracy): two test folds each, a point either side; None failed."""
    found = []
    for dataset, method, seed, value in rows:
        row = {"dataset": dataset, "method": method, "seed": seed, "protocol": "clean", "task": "classification"}
        if value is None:
            found.append({**row, "status": "error", "accuracy": None, "fit_seconds": None})
        else:
            found += [{**row, "status": "ok", "accuracy": value + s, "fit_seconds": 1.0 + seed} for s in (-1.0, 1.0)]
    return pd.DataFrame(found).astype({"accuracy": "float64", "fit_seconds": "float64"})


def test_a_dataset_is_its_mean_over_seeds_and_test_folds() -> None:
    table = scores([("x", "rfm", 0, 80.0), ("x", "rfm", 1, 90.0), ("x", "mlp", 0, 70.0), ("x", "mlp", 1, 72.0)])
    assert score_matrix(table, "clean", ACCURACY, ["rfm", "mlp"]).loc["x"].tolist() == [85.0, 71.0]
    lowest = score_matrix(table, "clean", ACCURACY, ["rfm", "mlp"], over="min")
    assert lowest.loc["x"].tolist() == [79.0, 69.0]
    fewer = table.drop(index=table.index[:1])  # seed 0 of rfm with one test fold: seeds weigh the same all the same
    assert score_matrix(fewer, "clean", ACCURACY).loc["x", "rfm"] == (81.0 + 90.0) / 2


def test_a_seed_that_failed_for_one_counts_for_none_and_is_named() -> None:
    table = scores(
        [
            ("x", "rfm", 0, 80.0), ("x", "rfm", 1, 90.0), ("x", "mlp", 0, 70.0), ("x", "mlp", 1, None),
            ("y", "rfm", 0, 60.0), ("y", "mlp", 1, 50.0), ("z", "rfm", 3, None), ("z", "mlp", 4, None),
        ]
    )  # fmt: skip
    by_seed = seed_matrix(table, "clean", ACCURACY, ["rfm", "mlp"])
    assert list(by_seed.index) == [("x", 0), ("y", 0), ("z", 3)]
    matrix = score_matrix(table, "clean", ACCURACY, ["rfm", "mlp"])
    assert matrix.loc["x"].tolist() == [80.0, 70.0]
    assert (matrix.loc["y", "rfm"], pd.isna(matrix.loc["y", "mlp"])) == (60.0, True)
    assert matrix.loc["z"].isna().all()
    assert left_out_seeds(table, "clean", "classification") == [
        SeedGap("x", "rfm", (1,), missing=False),
        SeedGap("y", "mlp", (1,), missing=True),
    ]


def test_nothing_done_has_its_place() -> None:
    table = scores([("x", "rfm", 2, None), ("y", "rfm", 2, None)])
    matrix = seed_matrix(table, "clean", ACCURACY)
    assert list(matrix.index) == [("x", 2), ("y", 2)]
    assert matrix["rfm"].isna().all()
    assert left_out_seeds(table, "clean", "classification") == []
    assert seed_matrix(table, "relearn", ACCURACY).empty


LATER = {"predict_seconds": 2.0, "train_samples": 50, "test_samples": 20}
UNTOLD: dict[str, Any] = dict.fromkeys(["train_samples", "test_samples"])
NAN = float("nan")


def frame(*folds: dict[str, Any]) -> pd.DataFrame:
    """RFM's test folds of 400 samples each, with what ``folds`` say of them."""
    plain = {"dataset": "a", "method": "rfm", "protocol": "clean", "seed": 0, "status": "ok", "rows": 400}
    plain |= {"split": "published", "fit_seconds": 10.0, **LATER}
    kinds = {"rows": "Int64", **dict.fromkeys(UNTOLD, "Int64"), "fit_seconds": "float64", "predict_seconds": "float64"}
    return pd.DataFrame([plain | fold for fold in folds]).astype(kinds)


@pytest.mark.parametrize(
    ("folds", "train", "predict"),
    [
        pytest.param([{}], 160.0, 100.0, id="samples of the fold"),
        pytest.param([UNTOLD], 8000 / 300, 20.0, id="shares of the published folds"),
        pytest.param([UNTOLD | {"split": "seed-3"}], 8000 / 300, 20.0, id="shares of drawn folds"),
        pytest.param([UNTOLD | {"split": "openml-task-7"}], NAN, NAN, id="only the task knows its sizes"),
        pytest.param([{"predict_seconds": None}], 200.0, NAN, id="scoring is not told apart"),
        pytest.param([{}, {}, {"seed": 1, "fit_seconds": 6.0}], 400 / 3, 100.0, id="mean over folds and seeds"),
        pytest.param(
            [{}, {"dataset": "b", "fit_seconds": 6.0}, {"dataset": "c", "fit_seconds": 62.0}], 160.0, 100.0,
            id="median over datasets",
        ),
        pytest.param(
            [{}, UNTOLD | {"split": "openml-task-7"}, UNTOLD | {"dataset": "b", "split": "openml-task-7"}],
            160.0, 100.0, id="of what is known",
        ),
        pytest.param(
            [
                {}, {"protocol": "relearn", "fit_seconds": 1e6}, {"dataset": "not asked for", "fit_seconds": 1e6},
                {"status": "timeout", "fit_seconds": 1e6},
            ], 160.0, 100.0,
            id="nothing else counts",
        ),
    ],
)  # fmt: skip
def test_seconds_per_thousand_samples(folds: list[dict[str, Any]], train: float, predict: float) -> None:
    found = seconds_per_thousand(frame(*folds), "clean", ["a", "b", "c"])
    assert found.loc["rfm"].to_dict() == pytest.approx({"train": train, "predict": predict}, nan_ok=True)


def test_frames_without_the_later_columns_take_the_folds_shares() -> None:
    found = seconds_per_thousand(frame({}).drop(columns=list(LATER)), "clean", ["a"])
    assert found.loc["rfm"].to_dict() == pytest.approx({"train": 10_000 / 300, "predict": NAN}, nan_ok=True)


def test_a_method_without_a_result_has_its_row() -> None:
    table = frame({}, {"method": "svm", "status": "oom"}, {"method": "mlp"})
    found = seconds_per_thousand(table, "clean", ["a"])
    assert list(found.index) == ["mlp", "rfm", "svm"]
    assert found.loc["svm"].isna().all()
    assert seconds_per_thousand(table, "published", ["a"]).shape == (0, 2)
