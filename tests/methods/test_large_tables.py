"""The kernel methods beyond the size at which whole matrices are formed: what they do there, at a small size."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.data.splits import splits_for
from bench.methods import get_method, ntk, rfm
from bench.methods.contract import check_method
from bench.protocols import PROTOCOLS, carry_out, reduction
from bench.records.dataset import Dataset, IntArray
from bench.records.method import HIDDEN, Choice, Fold, Prediction, Task
from rfm.solvers import choice

N, TEST = 400, 100
SOLVERS = {"cholesky": 25_000, "cg": 0}
"""The solver, and the limit of direct solution at which it serves."""


def lower_limits(patch: pytest.MonkeyPatch, solver: str) -> None:
    """Every table is a large one, solved by ``solver``."""
    patch.setattr(rfm, "SWEEP_ROWS", 0)
    patch.setattr("rfm.large.SWEEP_ROWS", 0)
    patch.setattr(ntk, "LARGE_ROWS", 0)
    patch.setattr(choice, "DIRECT_ROWS", SOLVERS[solver])


def task() -> tuple[Task, IntArray, IntArray]:
    """A table whose last rows are hidden, and the numbers of the others and of these."""
    draws = np.random.default_rng(1)
    X = draws.standard_normal((N + TEST, 5))
    y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(np.int64) + (X[:, 2] > 1)
    y[N:] = HIDDEN
    return Task(X=X, y=y, n_classes=3, seed=7), np.arange(N), np.arange(N, N + TEST)


CHOICES = {
    "rfm": Choice({"ridge": 1.0, "unit_norm": True}, 2),
    "laplace": Choice({"ridge": 1.0, "unit_norm": True}, 0),
    "ntk": Choice({"ridge": 1.0, "depth": 2}, 0),
}


@pytest.mark.parametrize("name", CHOICES)
def test_scores_are_the_small_tables_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Solved directly; iterated they are near, and the iterations are recorded."""
    table, train, test = task()

    def predicted() -> Prediction:
        return get_method(name).session(table).predict(CHOICES[name], train, test)

    small = predicted()
    lower_limits(monkeypatch, "cholesky")
    direct = predicted()
    np.testing.assert_allclose(direct.scores, small.scores, atol=2e-3)
    assert (direct.details["solver"], direct.details["fitted_rows"]) == ("cholesky", N)
    lower_limits(monkeypatch, "cg")
    iterated = predicted()
    assert np.mean(iterated.scores.argmax(axis=1) == small.scores.argmax(axis=1)) >= 0.99
    details = json.loads(json.dumps(dict(iterated.details)))
    assert details["solver"] == "cg"
    assert details["residual"] <= choice.CONVERGED
    assert 1 <= details["iterations"] <= 10
    assert len(details.get("updates", [])) == CHOICES[name].iteration


@pytest.mark.parametrize("name", CHOICES)
def test_choosing_gives_the_same_figures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With folds too large for the sweep (``--full``) RFM's chains are followed one by one; NTK forms the matrix of
    the rows that choose only."""
    table, train, _ = task()
    fold = Fold(fit=train[40:200], validation=train[250:])
    small = get_method(name).session(table).tune([fold])
    lower_limits(monkeypatch, "cholesky")
    large = get_method(name).session(table).tune([fold])
    for one, other in zip(small, large, strict=True):
        assert (one.config, one.iterations) == (other.config, other.iterations)
        np.testing.assert_allclose(one.merit, other.merit, atol=0.01)
        np.testing.assert_allclose(one.squared_error, other.squared_error, atol=3e-3)


# NTK chooses by whole matrices in float64: a fit by other arithmetic does not give its paths' figures to all digits.
@pytest.mark.parametrize(
    ("name", "solver"),
    [("rfm", "cholesky"), ("ntk", "cholesky"), ("rfm", "cg"), ("laplace", "cg")],
)
def test_the_contract_holds(name: str, solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lower_limits(monkeypatch, solver)
    method = get_method(name)
    if name != "ntk":
        monkeypatch.setattr(type(method), "ridges", (1.0,))  # the whole grid takes long
    assert check_method(method) == []


@pytest.mark.parametrize("protocol", ["clean", "published"])
def test_a_reduced_table_goes_through_the_protocols(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Selected on a sample by the sweep, fitted on all rows beyond it; the metric that leaks is the sample's."""
    monkeypatch.setattr(reduction, "LARGE_ROWS", 1000)
    monkeypatch.setattr(reduction, "TUNING_ROWS", 400)
    monkeypatch.setattr(rfm, "SWEEP_ROWS", 400)
    monkeypatch.setattr("rfm.large.SWEEP_ROWS", 400)
    monkeypatch.setattr(choice, "DIRECT_ROWS", 400)
    draws = np.random.default_rng(3)
    X = draws.standard_normal((1200, 3))
    data = Dataset("generated", X, (X[:, 0] * X[:, 1] > 0).astype(np.int64), 2, "generated")
    splits = reduction.reduced(splits_for(data, 0), len(X))
    (result,) = carry_out(get_method("rfm"), data, splits, PROTOCOLS[protocol], 0)
    assert result.details["solver"] == "cg"
    assert len(result.details.get("updates", [])) == (result.iteration if protocol == "clean" else 0)
    assert result.score > 85


@pytest.mark.parametrize("name", CHOICES)
def test_estimates_are_modest_where_matrices_are_not_formed(name: str) -> None:
    """The largest table of the archive fits into 8 GiB; half of the matrix of 20,000 fitted ones is kept."""
    method = get_method(name)
    assert method.peak_bytes(130_064, 50, 2) < 4.5 * (1 << 30)
    fitted = 20_000
    assert 2 * fitted**2 < method.peak_bytes(26_667, 10, 2) < 3 << 30
