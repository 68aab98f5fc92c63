"""Placement among the benchmark's published runs: a made CSV of its shape, and the arithmetic worked out run by run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from refusals import refused

from bench.errors import ReportError
from bench.stats.grinsztajn import COLUMNS, PublishedRuns, curves, normalised, placements, read_runs

MODELS = {"XGBoost": 30, "Resnet": 12, "RandomForest": 9}
"""With their numbers of runs on the first table; one less on each further."""
TABLES = ("pol", "house_16H", "nyc-taxi-green-dec-2016")


def made(benchmark: str = "numerical_regression_medium", seed: int = 0) -> pd.DataFrame:
    """Runs of three models on three tables, with what such a file has besides: crashed runs, other columns."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number, table in enumerate(TABLES):
        for model, count in MODELS.items():
            for run in range(count - number):
                row = {"id": f"{table}/{model}/{run}", "benchmark": benchmark, "model_name": model, "n_train": 10_000}
                row |= {"data__keyword": table, "hp": "default" if run == 3 else "random"}
                row["mean_test_score"] = quality = rng.beta(3.5, 1.5)
                row["mean_val_score"] = min(1.0, round(quality + rng.normal(0, 0.05), 2))  # so that some are equal
                rows.append(row | {"mean_time": rng.exponential(10)})
    crashed = dict(rows[0], mean_val_score=np.nan, mean_test_score=np.nan, mean_time=np.nan)
    other = dict(rows[0], benchmark="high_frequency", mean_test_score=99.0)
    return pd.DataFrame([crashed, *rows, other])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedRuns:
    file = tmp_path_factory.mktemp("published") / "benchmark_total.csv"
    pd.concat([made(), made("categorical_classification_large", 1)]).to_csv(file, index=False)
    return read_runs(file)


def by_hand(runs: pd.DataFrame, share: float, *, cut: bool, shuffles: int, seed: int = 0) -> np.ndarray:
    """The curve of each model (by name) for each shuffle: shuffles x iterations x models."""
    rng = np.random.default_rng(seed)
    longest = min(MODELS.values())
    found = np.zeros((shuffles, longest, len(MODELS)))
    for shuffle in found:
        for _, here in runs.groupby("data__keyword"):
            low, high = here["mean_test_score"].quantile(share), here["mean_test_score"].max()
            followed = here.groupby("model_name").size().min()
            for column, model in enumerate(sorted(MODELS)):
                own = here[here["model_name"] == model]
                others = own[own["hp"] == "random"]
                order = pd.concat([own[own["hp"] == "default"], others.iloc[rng.permutation(len(others))]])[:followed]
                better = order["mean_val_score"] > order["mean_val_score"].cummax().shift(fill_value=-np.inf)
                shown = ((order["mean_test_score"] - low) / (high - low)).where(better).ffill()
                shown = shown.clip(lower=0.0) if cut else shown
                shuffle[:, column] += np.pad(shown, (0, longest - followed), mode="edge") / len(TABLES)
    return found


@pytest.mark.parametrize(
    ("benchmark", "kind", "share", "cut"),
    [
        ("numerical_regression_medium", "regression", 0.5, True),
        ("categorical_classification_large", "classification", 0.1, False),
    ],
)
def test_curves_equal_those_worked_out_run_by_run(
    published: PublishedRuns, benchmark: str, kind: Any, share: float, cut: bool
) -> None:
    runs = published.runs
    runs = runs[runs["benchmark"] == benchmark]
    found = curves(runs, kind)
    expected = by_hand(runs, share, cut=cut, shuffles=15)
    assert list(found.mean.index) == list(range(1, 10))
    for ours, theirs in ((found.mean, expected.mean), (found.low, expected.min), (found.high, expected.max)):
        np.testing.assert_allclose(ours[sorted(MODELS)], theirs(axis=0), atol=1e-12)
    assert (found.low.loc[1] == found.high.loc[1]).all()  # the default is first in every order
    two = by_hand(runs, share, cut=cut, shuffles=2, seed=3).mean(axis=0)
    np.testing.assert_allclose(curves(runs, kind, shuffles=2, seed=3).mean[sorted(MODELS)], two, atol=1e-12)


def test_normalised_scores() -> None:
    among = np.array([0.0, 0.2, 0.4, 0.6, 1.0])
    np.testing.assert_allclose(normalised(among, among, "regression"), [0, 0, 0, 1 / 3, 1])
    np.testing.assert_allclose(normalised(np.array([0.0, 1.2]), among, "classification"), [-0.08 / 0.92, 1.12 / 0.92])
    np.testing.assert_array_equal(normalised(among, np.ones(4), "classification"), [0, 0, 0, 0, 1])


def scored(method: str, scores: dict[str, float], split: str = "grinsztajn-medium", column: str = "r2") -> pd.DataFrame:
    """A results table with two test folds of each dataset, around its score."""
    task = "regression" if column == "r2" else "classification"
    every = {"source": "openml", "method": method, "protocol": "clean", "split": split, "status": "ok", "task": task}
    every |= {"r2": np.nan, "accuracy": np.nan}
    folds = [(dataset, score + change) for dataset, score in scores.items() for change in (-0.01, 0.01)]
    return pd.DataFrame([{"dataset": dataset, **every, column: score} for dataset, score in folds])


def test_our_methods_among_the_published_ones(published: PublishedRuns) -> None:
    runs = published.runs[published.runs["benchmark"] == "numerical_regression_medium"]
    named = {"pol-num-reg": 0.8, "house_16h-num-reg": -3.0}  # OpenML writes it in other letters
    scores = pd.concat(
        [
            scored("rfm", named),
            scored("laplace", {"pol-num-reg": 9.0}),
            scored("mlp", dict.fromkeys(named, 9.0)),
            scored("rfm", {"pol-cat-reg": 0.5, "pol": 0.5}),  # of a part without runs, and of no part
            scored("rfm", {"sgemm-num-reg": 0.5}),  # without runs, as are all others here
            scored("rfm", {"nyc-taxi-green-dec-2016-num-reg": 0.5}).assign(source="user"),
        ]
    )
    (placement,), unplaced = placements(published, scores, ["rfm", "laplace"])
    assert unplaced == {"categorical_regression_medium": "the published runs have none on pol"}
    assert placement.unknown == ("sgemm",)
    assert placement.benchmark == "numerical_regression_medium"
    assert placement.datasets == ("house_16H", "pol")
    assert placement.missing == ("nyc-taxi-green-dec-2016",)
    assert placement.left_out == {"laplace": ("house_16H",)}
    on_pol = runs[runs["data__keyword"] == "pol"]["mean_test_score"]
    low, high = on_pol.median(), on_pol.max()
    assert placement.ours["rfm"] == pytest.approx((max(0, (0.8 - low) / (high - low)) + 0) / 2)
    expected = curves(runs[runs["data__keyword"].isin(placement.datasets)], "regression").mean
    pd.testing.assert_frame_equal(placement.curves.mean, expected)
    assert list(placement.table.columns) == ["1", "all"]  # the fewest runs are nine
    assert set(placement.table.index) == {*MODELS, "rfm"}
    assert placement.table.loc["Resnet", "all"] == expected["Resnet"].iloc[-1]
    assert placement.table["all"].is_monotonic_decreasing
    for column in ("1", "all"):
        better = (placement.table[column].drop("rfm") > placement.table.loc["rfm", column]).sum()
        assert placement.places.loc["rfm", column] == better + 1
    assert list(placements(published, scores)[0][0].places.index) == ["mlp", "rfm"]


def test_accuracies_in_percent_are_shares_there(published: PublishedRuns) -> None:
    scores = scored("rfm", {"pol-cat-clf": 70.0}, "grinsztajn-large", "accuracy")
    (placement,), _ = placements(published, scores)
    runs = published.runs[published.runs["benchmark"] == placement.benchmark]
    on_pol = runs[runs["data__keyword"] == "pol"]["mean_test_score"].to_numpy()
    expected = normalised(np.array([0.7]), on_pol, "classification")[0]
    assert placement.ours["rfm"] == pytest.approx(expected)
    clash = {placement.benchmark: "methods of both the runs and the published ones: Resnet"}
    assert placements(published, scores.assign(method="Resnet")) == ([], clash)


def test_a_model_without_runs_on_a_table_is_left_out(published: PublishedRuns) -> None:
    runs = published.runs
    lost = (runs["data__keyword"] == "pol") & (runs["model_name"] == "Resnet")
    without = PublishedRuns(runs[~lost])
    scores = scored("rfm", {"pol-num-reg": 0.8, "house_16H-num-reg": 0.7})
    (placement,), _ = placements(without, scores)
    assert placement.left_out == {"Resnet": ("pol",)}
    assert "Resnet" not in placement.table.index
    assert "Resnet" not in placement.curves.low
    apart = pd.concat([scored("rfm", {"pol-num-reg": 1}), scored("mlp", {"house_16H-num-reg": 1})])
    reason = {placement.benchmark: "no published model and method of ours have all of house_16H, pol"}
    assert placements(without, apart) == ([], reason)


def test_what_is_read(published: PublishedRuns) -> None:
    assert list(published.runs.columns) == list(COLUMNS)
    assert set(published.runs["benchmark"]) == {"numerical_regression_medium", "categorical_classification_large"}
    assert published.unusable == 2
    assert len(published.runs) == 2 * sum(count - number for count in MODELS.values() for number in range(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.drop(columns=["hp", "n_train"]), "not the benchmark's runs: no column hp, n_train"),
        (lambda runs: runs.assign(benchmark="tabzilla"), r"of another benchmark \(tabzilla\); known are numerical_"),
        (lambda runs: runs[:0], r"runs of another benchmark \(no rows\)"),
        (lambda runs: runs.assign(hp=["random", "best"] * (len(runs) // 2)), "row 3: hp: 'best' is none of"),
        (lambda runs: runs.assign(mean_time="soon"), "row 2: mean_time: 'soon' is not a number"),
        (lambda runs: runs.assign(model_name=None), "row 2: model_name: nan names none"),
        (lambda runs: runs.assign(mean_test_score=30.5), "row 2: mean_test_score: 30.5 is above 1"),
        (lambda runs: pd.DataFrame(), "cannot read the benchmark's runs"),
        (None, "cannot read the benchmark's runs"),
    ],
)
def test_files_that_are_not_its_runs(tmp_path: Path, change: Any, message: str) -> None:
    file = tmp_path / "runs.csv"
    if change:
        runs = change(made()[:20])
        file.write_text("" if runs.columns.empty else runs.to_csv(index=False))
    assert str(file) in refused(ReportError, message, read_runs, file)


def test_the_authors_forks_file_is_of_the_same_layout(tmp_path: Path, fork_results: Path) -> None:
    """It has neither of two columns; with them, made from others, the best by validation is the fork's printed mean."""
    refused(ReportError, "no column benchmark, hp", read_runs, fork_results)
    fork = pd.read_csv(fork_results)
    part = fork["data__categorical"].map({0.0: "numerical", 1.0: "categorical"})
    size = fork["max_train_samples"].map({10_000.0: "medium", 50_000.0: "large"})
    fork["benchmark"], fork["hp"] = part + "_regression_" + size, "random"
    fork["mean_val_score"], fork["mean_test_score"] = fork["mean_r2_val"], fork["mean_r2_test"]
    fork.to_csv(tmp_path / "fork.csv")
    published = read_runs(tmp_path / "fork.csv")
    assert published.unusable + len(published.runs) == len(fork)
    for benchmark, tables, printed in (
        ("numerical_regression_medium", 20, 0.795),
        ("categorical_regression_medium", 13, 0.700),
    ):
        runs = published.runs[published.runs["benchmark"] == benchmark]
        best = runs.loc[runs.groupby("data__keyword")["mean_val_score"].idxmax()]
        assert len(best) == tables
        assert best["mean_test_score"].mean() == pytest.approx(printed, abs=5e-4)
        followed = curves(runs, "regression")
        assert list(followed.mean.columns) == ["ours"]
        assert len(followed.mean) == runs.groupby("data__keyword").size().max()
