"""What a session is shown under each protocol, and how a choice is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from small_methods import Watched, WatchedSession

from bench.data.splits import draw_splits
from bench.errors import MethodError
from bench.protocols import PROTOCOLS, Predicted, carry_out
from bench.protocols.rows import fill_missing, standardise
from bench.records.dataset import Dataset, Holdout, Splits
from bench.records.method import HIDDEN, Fold, Path


@pytest.fixture
def table() -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset("table", rng.normal(3.0, 2.0, (60, 3)), np.repeat([0, 1, 2], 20), 3, "embedded")


def test_what_scoring_took_is_optional_and_part_of_the_whole(table: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = draw_splits("table", table.y, 0)
    untold = carry_out(Watched(), table, splits, PROTOCOLS["clean"], 0)
    assert {(r.predict_seconds, r.train_samples, r.test_samples) for r in untold} == {(None, 45, 15)}
    for told in (-1e-9, 1e6, np.nan, np.inf):
        monkeypatch.setattr(WatchedSession, "predict_seconds", told)
        with pytest.raises(MethodError, match=r"test fold 0: predict_seconds is .*, expected 0 to .*; leave it None"):
            carry_out(Watched(), table, splits, PROTOCOLS["clean"], 0)
    monkeypatch.setattr(WatchedSession, "predict_seconds", np.float64(0.0))
    assert [r.predict_seconds for r in carry_out(Watched(), table, splits, PROTOCOLS["relearn"], 0)] == [0.0] * 4


@pytest.mark.parametrize("protocol", [p for p in PROTOCOLS if PROTOCOLS[p].exposure == 0])
def test_a_clean_session_never_sees_a_test_label(table: Dataset, protocol: str) -> None:
    method, splits = Watched(), draw_splits("table", table.y, 0)
    results = carry_out(method, table, splits, PROTOCOLS[protocol], 0)
    assert [r.holdout for r in results] == [0, 1, 2, 3]
    for task, folds, holdout in zip(method.tasks, method.folds, splits.holdouts, strict=True):
        train, test = np.arange(len(holdout.train)), np.arange(len(holdout.train), 60)
        assert (task.y[test] == HIDDEN).all()
        assert np.array_equal(task.y[train], table.y[holdout.train])
        np.testing.assert_allclose(task.X[train].mean(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(task.X[train].std(axis=0, ddof=1), 1.0)
        assert len(folds) == PROTOCOLS[protocol].inner_folds
        assert task.keep_scores == protocol.startswith(("clean-greedy", "clean-cv-greedy"))
        for fold in folds:
            assert set(fold.fit) | set(fold.validation) == set(train)
            assert not set(fold.fit) & set(fold.validation)
    for result, holdout in zip(results, splits.holdouts, strict=True):
        assert result.score == 100.0 * np.mean(table.y[holdout.test] == 0)


@pytest.mark.parametrize(("protocol", "transfer"), [("relearn", False), ("published", True)])
def test_the_other_protocols_choose_once_on_the_tuning_halves(table: Dataset, protocol: str, *, transfer: bool) -> None:
    method, splits = Watched(), draw_splits("table", table.y, 0)
    kept: list[Predicted] = []
    results = carry_out(method, table, splits, PROTOCOLS[protocol], 0, keep=kept.append)
    assert [(r.holdout, r.train_samples, r.test_samples) for r in results] == [(k, 45, 15) for k in range(4)]
    [[fold]] = method.folds
    assert np.array_equal(fold.fit, splits.tuning.train)
    assert np.array_equal(fold.validation, splits.tuning.test)
    assert [p[2] for p in method.predicted] == [transfer] * 4
    for (train, test, _), told, holdout in zip(method.predicted, kept, splits.holdouts, strict=True):
        assert np.array_equal(train, holdout.train)
        assert np.array_equal(test, holdout.test)
        assert np.array_equal(told.rows, holdout.test)
        assert np.array_equal(told.truth, table.y[holdout.test])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tuning_rows_bound_what_is_chosen_on_and_not_what_is_fitted(table: Dataset, protocol: str) -> None:
    method, splits = Watched(), replace(draw_splits("table", table.y, 0), tuning_rows=15)
    results = carry_out(method, table, splits, PROTOCOLS[protocol], 0)
    for folds in method.folds:
        for fold in folds:
            assert len(fold.fit) <= 15
            assert not set(fold.fit) & set(fold.validation)
            if not PROTOCOLS[protocol].sees_test_labels:
                assert len(fold.fit) + len(fold.validation) == 15
            else:
                assert set(fold.fit) <= set(splits.tuning.train)
                assert set(fold.validation) <= set(splits.tuning.test)
    fitted = [len(h.train) for h, result in zip(splits.holdouts, results, strict=True) for _ in result.members]
    assert [len(train) for train, _, _ in method.predicted] == fitted


@pytest.mark.parametrize("size", [None, 12])
def test_a_validation_part_of_its_own_selects_and_is_never_fitted(table: Dataset, size: int | None) -> None:
    rows = np.random.default_rng(1).permutation(60)
    own = Holdout(train=rows[:30], validation=rows[30:45], test=rows[45:])
    method, splits = Watched(), Splits("own", Holdout(rows[:30], rows[30:45]), (own,), tuning_rows=size)
    (result,) = carry_out(method, table, splits, PROTOCOLS["clean"], 0)
    (task,), [[fold]], [(train, test, _)] = method.tasks, method.folds, method.predicted
    assert np.array_equal(task.y[:45], table.y[rows[:45]])
    assert (task.y[45:] == HIDDEN).all()
    np.testing.assert_allclose(task.X[:30].mean(axis=0), 0.0, atol=1e-12)  # scaled by the training part alone
    assert np.array_equal(train, np.arange(30))
    assert np.array_equal(test, np.arange(45, 60))
    assert set(fold.fit) <= set(range(30))
    assert set(fold.validation) <= set(range(30, 45))
    assert (len(fold.fit), len(fold.validation)) == ((30, 15) if size is None else (12, 12))
    assert result.score == 100.0 * np.mean(table.y[own.test] == 0)


def test_a_constant_column_is_left_out_of_the_scaling() -> None:
    X = np.column_stack([np.array([1.0, 2.0, 3.0, 100.0]), np.array([5.0, 5.0, 5.0, 6.0])])
    scaled = standardise(X, np.arange(3))
    assert np.array_equal(scaled[:3, 0], [-1.0, 0.0, 1.0])
    assert (scaled[:, 1] == 0).all()


def test_the_seed_is_that_of_run_dataset_fold_and_method(table: Dataset) -> None:
    def seeds(protocol: str, seed: int = 0, name: str = "watched", dataset: str = "table") -> list[int]:
        method = Watched()
        method.name = name
        carry_out(method, replace(table, name=dataset), draw_splits("table", table.y, 0), PROTOCOLS[protocol], seed)
        return [task.seed for task in method.tasks]

    for protocol, sessions in (("clean", 4), ("relearn", 1)):
        first = seeds(protocol)
        assert first == seeds(protocol)
        others = (seeds(protocol, seed=1), seeds(protocol, name="other"), seeds(protocol, dataset="other"))
        assert len({*first, *others[0], *others[1], *others[2]}) == 4 * sessions


@pytest.mark.parametrize(("protocol", "chosen"), [("clean", 2), ("clean-cv", 2), ("relearn", 1), ("published", 1)])
def test_ties_are_settled_as_the_protocol_says(
    table: Dataset, monkeypatch: pytest.MonkeyPatch, protocol: str, chosen: int
) -> None:
    """By the smaller Brier score, but as the published code does under its own procedure."""
    tune = WatchedSession.tune

    def tied(session: WatchedSession, folds: Sequence[Fold]) -> list[Path]:
        return [replace(p, squared_error=p.squared_error / p.config["a"]) for p in tune(session, folds)]

    monkeypatch.setattr(WatchedSession, "tune", tied)
    results = carry_out(Watched(), table, draw_splits("table", table.y, 0), PROTOCOLS[protocol], 0)
    assert {result.config["a"] for result in results} == {chosen}


@pytest.mark.parametrize("standardised", [True, False])
def test_on_the_tuning_halves_features_are_filled_and_scaled_over_all_rows(table: Dataset, standardised: bool) -> None:
    """Those that the archive has scaled are taken as they are."""
    X, rows = table.X.copy(), np.arange(60)
    X[::7, 1] = np.nan
    method = Watched()
    found = replace(table, X=X, standardised=standardised)
    carry_out(method, found, draw_splits("table", table.y, 0), PROTOCOLS["relearn"], 0)
    filled = fill_missing(X, rows)
    assert np.array_equal(method.tasks[0].X, filled if standardised else standardise(filled, rows))


def test_the_rule_for_missing_numbers_is_part_of_a_tables_identity(
    table: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = table.X.copy()
    X[0, 0] = np.nan
    tables = [table, replace(table, X=X)]
    before = [each.sha256 for each in tables]
    monkeypatch.setattr("bench.records.dataset._FILLING", "another rule")
    assert [each.sha256 == old for each, old in zip(tables, before, strict=True)] == [True, False]


@pytest.mark.parametrize(("zeros", "chosen"), [(False, True), (True, False)])
def test_an_all_zero_row_takes_unit_norm_from_the_published_choice(
    table: Dataset, monkeypatch: pytest.MonkeyPatch, *, zeros: bool, chosen: bool
) -> None:
    """The published code divides by the norm: NaN there, and the configuration is out."""
    monkeypatch.setattr(Watched, "configurations", lambda self: [{"unit_norm": True}, {"unit_norm": False}])
    X = table.X.copy()
    X[7] *= not zeros
    found = replace(table, X=X, standardised=True)
    results = carry_out(Watched(), found, draw_splits("table", table.y, 0), PROTOCOLS["published"], 0)
    assert {result.config["unit_norm"] for result in results} == {chosen}
