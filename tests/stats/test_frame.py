"""CPU seconds per 1,000 samples, computed again row by row without pandas."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.stats.frame import seconds_per_thousand

LATER = ["predict_seconds", "train_samples", "test_samples"]
DATASETS = ["a", "b", "c", "d", "task"]


def made_up(seed: int) -> list[dict[str, Any]]:
    """Rows of three methods on five datasets, two seeds, three test folds; of some not all is known."""
    rng, rows = np.random.default_rng(seed), list[dict[str, Any]]()
    for d, dataset in enumerate(DATASETS):
        for method in ("rfm", "mlp", "old"):
            for of in (0, 1):
                row = {"dataset": dataset, "method": method, "protocol": "clean", "seed": of, "rows": 100 * (d + 1)}
                row["split"] = "openml-task-7" if dataset == "task" else f"seed-{of}" if d % 2 else "published"
                if method == "mlp" and dataset == "b" and of == 1:
                    rows.append({**row, "status": "timeout"})
                    continue
                for fold in range(3):
                    fitting, scoring = float(rng.uniform(1, 9)), float(rng.uniform(0, 1))
                    outcome = {"status": "ok", "holdout": fold, "fit_seconds": fitting, "predict_seconds": scoring}
                    sizes = {"train_samples": int(rng.integers(50, 80)), "test_samples": int(rng.integers(10, 30))}
                    if method == "old":
                        outcome["predict_seconds"] = None
                    if method == "old" or (method == "mlp" and fold == 0):
                        sizes = dict.fromkeys(sizes)
                    rows.append({**row, **outcome, **sizes})
    rows.append({**rows[0], "protocol": "relearn", "fit_seconds": 1e6})
    rows.append({**rows[0], "dataset": "not asked for", "fit_seconds": 1e6})
    return rows


def as_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    kinds = dict.fromkeys(["rows", "train_samples", "test_samples"], "Int64")
    return pd.DataFrame(rows).astype({**kinds, "fit_seconds": "float64", "predict_seconds": "float64"})


def by_hand(rows: list[dict[str, Any]], method: str, figure: str) -> float:
    """The median over datasets of the mean over what is known of test folds and seeds."""
    means = []
    for dataset in DATASETS:
        found = []
        for row in rows:
            if (row["dataset"], row["method"], row["protocol"], row["status"]) != (dataset, method, "clean", "ok"):
                continue
            known = row["predict_seconds"] is not None
            share, size = (0.75, row["train_samples"]) if figure == "train" else (0.25, row["test_samples"])
            if size is None and row["split"] == "openml-task-7":
                continue
            size = share * row["rows"] if size is None else size
            if figure == "train":
                found.append(1000 * (row["fit_seconds"] - (row["predict_seconds"] if known else 0)) / size)
            elif known:
                found.append(1000 * row["predict_seconds"] / size)
        if found:
            means.append(statistics.fmean(found))
    return statistics.median(means) if means else math.nan


@pytest.mark.parametrize("seed", range(3))
def test_seconds_per_thousand_samples_computed_again(seed: int) -> None:
    rows = made_up(seed)
    found = seconds_per_thousand(as_frame(rows), "clean", DATASETS)
    assert list(found.index) == ["mlp", "old", "rfm"]
    assert list(found.columns) == ["train", "predict"]
    expected = [[by_hand(rows, method, figure) for figure in found.columns] for method in found.index]
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=1e-12)
    assert np.isnan(found.to_numpy()).tolist() == [[False, False], [False, True], [False, False]]


def test_frames_without_the_later_columns_take_the_folds_shares() -> None:
    rows = [{k: v for k, v in row.items() if k not in LATER} for row in made_up(0)]
    frame = as_frame([dict.fromkeys(LATER) | row for row in rows])
    found = seconds_per_thousand(frame.drop(columns=LATER), "clean", DATASETS)
    pd.testing.assert_frame_equal(found, seconds_per_thousand(frame, "clean", DATASETS))
    assert found["predict"].isna().all()
    asked = [row for row in rows if (row["dataset"], row["method"], row["protocol"]) == ("c", "rfm", "clean")]
    mean = statistics.fmean(row["fit_seconds"] for row in asked)
    assert seconds_per_thousand(frame, "clean", ["c"]).loc["rfm", "train"] == pytest.approx(1000 * mean / (0.75 * 300))
    other = seconds_per_thousand(frame, "clean", ["task"])  # of whose folds only the task knows the sizes
    assert list(other.index) == ["mlp", "old", "rfm"]
    assert other.isna().all(axis=None)


def test_a_method_without_a_result_has_its_row() -> None:
    rows = made_up(0)
    failed = {key: rows[0][key] for key in ("dataset", "protocol", "seed", "rows", "split")}
    found = seconds_per_thousand(as_frame([*rows, {**failed, "method": "svm", "status": "oom"}]), "clean", DATASETS)
    assert found.loc["svm"].isna().all()
    nobody = seconds_per_thousand(as_frame(rows), "published", DATASETS)
    assert nobody.shape == (0, 2)
