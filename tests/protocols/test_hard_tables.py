"""Tables and configurations that are hard on methods, under every ensemble: a clear result, or an error of one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.data.splits import draw_splits
from bench.methods import get_method
from bench.protocols import PROTOCOLS, Predicted, carry_out
from bench.records.dataset import Dataset, FloatArray
from bench.records.method import HoldoutResult, Method
from rfm import KernelRidgeClassifierCV, KernelRidgeRegressorCV, RFMClassifierCV, RFMRegressorCV

ROWS = 40
ENSEMBLES = ["", "-top5", "-greedy"]
WITH_UPDATES = (RFMClassifierCV, RFMRegressorCV)


def codes(count: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).integers(0, count, ROWS).astype(float)


LABELS = np.arange(ROWS) % 2
DRAWN = draw_splits("hard", LABELS, 0)
ONE_FOLD = replace(DRAWN, holdouts=DRAWN.holdouts[:1])
IDENTIFIER, TWO = np.arange(ROWS, dtype=float)[:, None], np.column_stack([codes(3, 0), codes(2, 1)])
ONE_ROWS = TWO.copy()
ONE_ROWS[ONE_FOLD.holdouts[0].test[0], 0] = 7.0
TABLES = {
    "all columns nominal": (TWO, (0, 1)),
    "a category of one test row": (ONE_ROWS, (0,)),
    "as many categories as samples": (np.hstack([IDENTIFIER, TWO]), (0, 1, 2)),
    "nothing but an identifier": (IDENTIFIER, (0,)),
}
"""Features (ROWS, d), and which columns are nominal."""
X, NOMINAL = TABLES["as many categories as samples"]


def carried(method: Method, name: str, protocol: str, targets: Any) -> tuple[HoldoutResult, FloatArray]:
    """The result of one test fold, and the scores of its rows."""
    X, nominal = TABLES[name]
    kept: list[Predicted] = []
    table = Dataset("hard", X, targets, 0 if targets.dtype.kind == "f" else 2, "user", nominal=nominal)
    (result,) = carry_out(method, table, ONE_FOLD, PROTOCOLS[protocol], 0, keep=kept.append)
    return result, kept[0].scores


METHODS = ["rfm", "laplace", "rfm_l1", "ntk", "svm_rbf", "logistic_regression"]


@pytest.mark.parametrize(
    ("method", "name", "ensemble"),
    [
        *((method, name, "-greedy") for method in METHODS for name in TABLES),
        *(("rfm", "as many categories as samples", ensemble) for ensemble in ENSEMBLES[:2]),
    ],
)
def test_a_table_has_a_finite_result(method: str, name: str, ensemble: str) -> None:
    for targets in (LABELS, codes(5, 3)):
        result, scores = carried(get_method(method), name, f"clean-cv{ensemble}-nominal", targets)
        assert np.isfinite(scores).all()
        assert np.isfinite(result.score)
        assert sum(member.weight for member in result.members) >= 1
        assert all(member.weight > 0 for member in result.members)


every = pytest.mark.parametrize(
    "kind", [RFMClassifierCV, KernelRidgeClassifierCV, RFMRegressorCV, KernelRidgeRegressorCV]
)


@every
@pytest.mark.parametrize("ensemble", [False, True])
def test_more_categories_than_samples_and_new_ones(kind: Any, ensemble: bool) -> None:
    model = kind(ensemble=ensemble, categorical_features=list(NOMINAL)).fit(X, LABELS)
    predicted = model.predict(X + 1000.0)
    assert np.isfinite(predicted).all()
    assert len(set(predicted.tolist())) == 1, "of rows without a known category nothing is known"


@every
@pytest.mark.parametrize("ensemble", [False, True])
def test_of_one_configuration_there_is_one_member(kind: Any, ensemble: bool) -> None:
    grid = {"ridges": [1.0], "unit_norms": [False]} | ({"iterations": 0} if kind in WITH_UPDATES else {})
    model = kind(ensemble=ensemble, categorical_features=list(NOMINAL), **grid).fit(X, LABELS)
    assert model.weights_.tolist() == [weight for weight, _ in model.members_] == [1.0]


@every
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(ROWS), "Negative values"),
        (np.r_[-1e-9, np.ones(ROWS - 1)], "Negative values"),
        (np.zeros(ROWS), "at least one non-zero"),
        (np.full(ROWS, np.nan), "NaN"),
        (np.r_[np.inf, np.ones(ROWS - 1)], "infinity"),
        (np.r_[1.0, np.zeros(ROWS - 1)], "at least 2 (classes|rows)"),
    ],
)
def test_bad_weights(kind: Any, weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        kind(categorical_features=list(NOMINAL)).fit(X, LABELS, weights)
    assert "\n" not in str(raised.value)
