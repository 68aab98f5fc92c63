"""Tables and configurations that are hard on methods, under every ensemble: a clear result, or an error of one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from bench.data.splits import draw_splits
from bench.errors import MethodError
from bench.methods import get_method
from bench.methods.plugin import EstimatorMethod, Fitting
from bench.protocols import PROTOCOLS, Predicted, carry_out
from bench.records.dataset import Dataset, FloatArray, Splits
from bench.records.method import Config, HoldoutResult, Method
from rfm import KernelRidgeClassifierCV, KernelRidgeRegressorCV, RFMClassifierCV, RFMRegressorCV

ROWS = 40
ENSEMBLES = ["", "-top5", "-greedy"]


def codes(count: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).integers(0, count, ROWS).astype(float)


def columns(name: str) -> tuple[FloatArray, tuple[int, ...]]:
    """Features (ROWS, d), and which columns are nominal."""
    two = np.column_stack([codes(3, 0), codes(2, 1)])
    if name == "all columns nominal":
        return two, (0, 1)
    if name == "a category of one test row":
        two[one_fold().holdouts[0].test[0], 0] = 7.0
        return two, (0,)
    if name == "as many categories as samples":
        return np.column_stack([np.arange(ROWS, dtype=float), two]), (0, 1, 2)
    assert name == "nothing but an identifier"
    return np.arange(ROWS, dtype=float)[:, None], (0,)


TABLES = [
    "all columns nominal",
    "a category of one test row",
    "as many categories as samples",
    "nothing but an identifier",
]
LABELS = np.arange(ROWS) % 2


def one_fold() -> Splits:
    splits = draw_splits("hard", LABELS, 0)
    return replace(splits, holdouts=splits.holdouts[:1])


def carried(method: Method, name: str, protocol: str, targets: Any = LABELS) -> tuple[HoldoutResult, FloatArray]:
    """The result of one test fold, and the scores of its rows."""
    X, nominal = columns(name)
    kept: list[Predicted] = []
    table = Dataset("hard", X, targets, 0 if targets.dtype.kind == "f" else 2, "user", nominal=nominal)
    (result,) = carry_out(method, table, one_fold(), PROTOCOLS[protocol], 0, keep=kept.append)
    return result, kept[0].scores


METHODS = ["rfm", "laplace", "rfm_l1", "ntk", "svm_rbf", "logistic_regression"]


@pytest.mark.parametrize(
    ("method", "name", "ensemble"),
    [
        *((method, name, "-greedy") for method in METHODS for name in TABLES),
        *(("rfm", name, ensemble) for name in TABLES for ensemble in ENSEMBLES[:2]),
        *((method, TABLES[2], ensemble) for method in METHODS[1:] for ensemble in ENSEMBLES[:2]),
    ],
)
def test_a_table_has_a_finite_result(method: str, name: str, ensemble: str) -> None:
    for targets in (LABELS, codes(5, 3)):
        result, scores = carried(get_method(method), name, f"clean-cv{ensemble}-nominal", targets)
        assert np.isfinite(scores).all()
        assert np.isfinite(result.score)
        assert sum(member.weight for member in result.members) >= 1
        assert all(member.weight > 0 for member in result.members)


class Spoilt(GaussianNB):
    """Says nothing that is a number."""

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), 2), np.nan)


class OfKinds(EstimatorMethod):
    name = "of_kinds"
    title = "Of kinds"

    def __init__(self, kinds: list[str]) -> None:
        self.grid = {"kind": kinds}

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        if config["kind"] == "raises":
            raise ValueError("cannot be\nfitted")
        return Spoilt() if config["kind"] == "spoilt" else GaussianNB()


@pytest.mark.parametrize("ensemble", ENSEMBLES[1:])
@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        (["sound"], ["sound"]),
        (["spoilt", "sound"], ["sound"]),
        (["spoilt"], "none of of_kinds's configurations has finite validation figures: there is no ensemble"),
        (["sound", "raises"], "cannot be\nfitted"),
    ],
)
def test_an_ensemble_is_of_sound_configurations(kinds: list[str], outcome: list[str] | str, ensemble: str) -> None:
    method, protocol = OfKinds(kinds), f"clean{ensemble}"
    if isinstance(outcome, str):
        with pytest.raises((MethodError, ValueError), match=outcome):
            carried(method, TABLES[0], protocol)
        return
    result, _ = carried(method, TABLES[0], protocol)
    assert [member.choice.config["kind"] for member in result.members] == outcome
    assert result.score == carried(OfKinds(["sound"]), TABLES[0], "clean")[0].score


def fitted(kind: Callable[..., Any], *, ensemble: bool, weights: Any = None, **given: Any) -> Any:
    X, nominal = columns("as many categories as samples")
    return kind(ensemble=ensemble, categorical_features=list(nominal), **given).fit(X, LABELS, weights)


every = pytest.mark.parametrize(
    "kind", [RFMClassifierCV, KernelRidgeClassifierCV, RFMRegressorCV, KernelRidgeRegressorCV]
)


@every
@pytest.mark.parametrize("ensemble", [False, True])
class TestEstimators:
    def test_more_categories_than_samples_and_new_ones(self, kind: Any, *, ensemble: bool) -> None:
        model = fitted(kind, ensemble=ensemble)
        new = pd.DataFrame(columns("as many categories as samples")[0]).to_numpy() + 1000.0
        predicted = model.predict(new)
        assert np.isfinite(predicted).all()
        assert len(set(predicted.tolist())) == 1, "of rows without a known category nothing is known"

    def test_one_configuration(self, kind: Any, *, ensemble: bool) -> None:
        updates = {"iterations": 0} if kind in (RFMClassifierCV, RFMRegressorCV) else {}
        model = fitted(kind, ensemble=ensemble, ridges=[1.0], unit_norms=[False], **updates)
        assert model.weights_.tolist() == [1.0]
        assert [weight for weight, _ in model.members_] == [1.0]


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
        fitted(kind, ensemble=False, weights=weights)
    assert "\n" not in str(raised.value)
