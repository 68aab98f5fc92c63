"""CPU seconds per 1,000 samples, worked by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bench.stats.frame import seconds_per_thousand

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
