"""Matrix completion: identities with IRLS-p and with the form by singular values, recovery, bad input."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from rfm import MatrixCompletion
from rfm.completion.entries import Entries, observed_entries
from rfm.completion.fitting import Schedule, fit
from rfm.completion.kernels import Completion, DenseCompletion, DenseKernel, FactoredKernel
from rfm.completion.rows import RowSystems


def low_rank(n: int, d: int, r: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((n, r)) @ rng.standard_normal((r, d))
    return np.asarray(Y / np.sqrt(np.mean(Y**2)))


def observed(Y: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """``Y`` with NaN where it is not observed."""
    return np.where(np.random.default_rng(seed).random(Y.shape) < share, Y, np.nan)


def unchecked(rows: list[int], cols: list[int], values: list[float]) -> Entries:
    """Entries of a 3 x 3 matrix."""
    return Entries(np.array(rows, dtype=int), np.array(cols, dtype=int), np.array(values), (3, 3))


def steps(entries: Entries, schedule: Schedule) -> list[tuple[np.ndarray, bool]]:
    """The completed matrix of each iteration, and whether its kernel was between the rows."""
    seen: list[tuple[np.ndarray, bool]] = []

    def watch(_: int, completion: Completion, transposed: bool) -> None:
        assert isinstance(completion, DenseCompletion)
        seen.append((completion.X.T if transposed else completion.X, transposed))

    fit(entries, entries.part(np.zeros(0, dtype=int)), schedule, watch)
    return seen


def iterates(entries: Entries, schedule: Schedule) -> list[np.ndarray]:
    return [X for X, _ in steps(entries, schedule)]


def irls(Y: np.ndarray, seen: np.ndarray, p: float, ridges: list[float]) -> list[np.ndarray]:
    """Mohan and Fazel's IRLS-p by its definition: min tr(X W X') with X = Y where seen, W from X's singular values."""
    n, d = Y.shape
    W, completed = np.eye(d), []
    for step in range(len(ridges)):
        X = np.zeros((n, d))
        for i in range(n):
            o, u = np.flatnonzero(seen[i]), np.flatnonzero(~seen[i])
            X[i, o] = Y[i, o]
            X[i, u] = np.linalg.solve(W[np.ix_(u, u)], -W[np.ix_(u, o)] @ Y[i, o])
        completed.append(X)
        if step + 1 < len(ridges):
            _, s, Vt = np.linalg.svd(X, full_matrices=False)
            inner = (s**2 / n + ridges[step + 1]) ** (p / 2 - 1)
            W = Vt.T @ np.diag(inner) @ Vt + ridges[step + 1] ** (p / 2 - 1) * (np.eye(d) - Vt.T @ Vt)
    return completed


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("share", [0.3, 0.8], ids=["by observed entries", "by missing ones"])
def test_every_step_is_a_step_of_irls(share: float, p: float) -> None:
    """p = 0, alpha = 1/2 is the form without singular values, against the one with them."""
    Y = low_rank(30, 20, 2)
    X = observed(Y, share)
    schedule = Schedule(
        alpha=0.5 - p / 4, alternate=False, ridge=0.5, ridge_decay=0.7, iterations=6, single_precision=False
    )
    expected = irls(Y, ~np.isnan(X), p, [0.5 * 0.7**k for k in range(6)])
    assert_allclose(iterates(observed_entries(X), schedule), expected, atol=1e-9)


def test_alternating_is_the_same_step_on_the_transposed_matrix() -> None:
    Y = low_rank(20, 15, 2)
    entries = observed_entries(observed(Y, 0.5))
    first, second = iterates(entries, Schedule(iterations=2, single_precision=False, ridge_decay=0.8))
    kernel = DenseKernel(first @ first.T / 15, 0.8)
    X = kernel.complete(RowSystems(entries.transposed())).X
    assert_allclose(second, X.T, atol=1e-10)


def test_singular_systems_are_still_solved() -> None:
    """A kernel that rounding has made slightly indefinite."""
    entries = observed_entries(np.array([[1.0, 1.0, np.nan]]))
    S = np.ones((3, 3)) - 1e-9 * np.eye(3)
    X, _ = RowSystems(entries).complete(S, 1e-10)
    assert_allclose(X, 1.0, atol=1e-6)


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, torch.linalg.LinAlgError])
@pytest.mark.parametrize(
    ("owner", "name", "failing", "steps"),
    [(DenseKernel, "complete", [5], 4), (DenseCompletion, "row_kernel", range(5, 99), 5)],
)
def test_a_decomposition_that_fails_ends_the_iteration_with_its_best_step(
    error: type[Exception], owner: type, name: str, failing: Sequence[int], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an iteration; and, of kernels, in the last completion too, in whose place the best iteration's then is."""
    calls, plain = [0], getattr(owner, name)

    def fails_at_times(self: Any, *arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] in failing:
            raise error("did not converge")
        return plain(self, *arguments)

    Y = low_rank(30, 25, 2)
    entries = observed_entries(observed(Y, 0.6))
    held = np.arange(len(entries)) % 10 == 0
    monkeypatch.setattr(owner, name, fails_at_times)
    with pytest.warns(ConvergenceWarning, match=f"breakdown after {steps} iterations"):
        model = MatrixCompletion(ridge_decay=0.5).fit(entries.part(~held), validation=entries.part(held))
    assert not model.converged_
    assert model.best_iteration_ == model.path_[:, 1].argmin() == steps - 1
    assert np.sqrt(np.mean((model.completed_ - Y) ** 2)) < 0.5


@pytest.mark.parametrize(
    ("shape", "rank", "share", "parameters", "stopped", "atol"),
    [
        *(((90, 70), 3, 0.3, form, "tolerance", 1e-4) for form in ({}, {"max_rank": 8}, {"dtype": "float64"})),
        ((90, 70), 3, 0.3, {"alpha": 0.4}, "tolerance", 1e-4),
        # Where ridge^(2 alpha) alone would be far below the rounding of the kernel.
        *(((40, 32), 2, 0.5, {"alpha": alpha}, "tolerance", 5e-6) for alpha in (0.75, 1.0, 1.5, 2.0, 5.0)),
        *(
            ((40, 32), 2, 0.5, form | {"alpha": alpha}, "tolerance", 5e-6)
            for form in ({"dtype": "float64"}, {"max_rank": 4}, {"sides": "columns"})
            for alpha in (1.0, 5.0)
        ),
        ((80, 60), 2, 0.6, {"sides": "columns", "ridge_decay": 0.95}, "tolerance", 1e-3),
        ((30, 25), 2, 0.6, {"validation_fraction": 0.0, "tol": 1e-6}, "change", 1e-3),
    ],
)
def test_recovers_a_low_rank_matrix_exactly(
    shape: tuple[int, int], rank: int, share: float, parameters: dict[str, Any], stopped: str, atol: float
) -> None:
    Y = low_rank(*shape, rank)
    X = observed(Y, share)
    model = MatrixCompletion(**parameters).fit(X)
    assert (model.converged_, model.stopped_, model.rank_) == (True, stopped, rank)
    U, V = model.factors_
    i, j = np.nonzero(np.isnan(X))
    for completed in (model.completed_, U @ V.T, model.transform(X)):
        assert_allclose(completed, Y, atol=atol)
    assert_allclose(model.predict(i, j), Y[i, j], atol=atol)


def test_all_observed_gives_the_matrix_itself() -> None:
    Y = np.random.default_rng(0).standard_normal((12, 9))
    for parameters in ({}, {"sides": "columns"}):
        model = MatrixCompletion(**parameters).fit(Y)
        assert_allclose(model.completed_, Y, atol=1e-7)
        assert_array_equal(model.transform(Y), Y)
        assert (model.rank_, model.n_iter_, model.converged_) == (9, 1, True)


def test_without_most_of_it_missing_no_eigenvalues_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """At alpha = 1/2, completing by missing entries, where the inverse of the whole kernel is needed."""
    Y = low_rank(40, 20, 2)
    entries = observed_entries(observed(Y, 0.9))
    schedule = Schedule(iterations=30, ridge_decay=0.6, single_precision=False)
    with monkeypatch.context() as patch:
        patch.setattr(torch.linalg, "eigh", None)
        last = iterates(entries, schedule)[-1]
    assert_allclose(last, Y, atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(60, 15), (15, 60)])
@pytest.mark.parametrize(("iterations", "max_rank"), [(4, None), (5, None), (6, None), (4, 15), (5, 15)])
def test_the_rank_counts_eigenvalues_of_the_last_kernel_above_the_ridge(
    n: int, d: int, iterations: int, max_rank: int | None
) -> None:
    X = observed(low_rank(n, d, 3) + 0.3 * np.random.default_rng(8).standard_normal((n, d)), 0.7)
    sides = [transposed for _, transposed in steps(observed_entries(X), Schedule(iterations=iterations))]
    with pytest.warns(ConvergenceWarning):
        model = MatrixCompletion(
            iterations=iterations, max_rank=max_rank, validation_fraction=0.0, ridge_decay=0.5
        ).fit(X)
    rows_side = not sides[model.best_iteration_]  # the last completion is once more on the other side
    averaged = d if rows_side else n
    singular = np.linalg.svd(model.completed_, compute_uv=False)
    assert model.rank_ == int((singular**2 / averaged > model.ridge_).sum())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("alpha", "max_rank"), [(0.25, None), (0.5, None), (0.7, None), (0.5, 20), (0.7, 20)])
def test_new_rows_are_completed_in_the_kernel_of_the_power(alpha: float, max_rank: int | None) -> None:
    """K = (X' X / n + ridge I)^(2 alpha) from the completed matrix, by its definition, at any scale."""
    Y = 1e3 * low_rank(30, 20, 3)
    X = observed(Y + 300 * np.random.default_rng(9).standard_normal(Y.shape), 0.7)
    model = MatrixCompletion(alpha, max_rank=max_rank).fit(X)
    new = observed(Y[:5], 0.5, seed=3)
    values, vectors = np.linalg.eigh(model.completed_.T @ model.completed_ / 30 + model.ridge_ * np.eye(20))
    K = (vectors * values ** (2 * alpha)) @ vectors.T
    expected = new.copy()
    for row in expected:
        o, u = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        row[u] = K[np.ix_(u, o)] @ np.linalg.solve(K[np.ix_(o, o)], row[o])
    assert_allclose(model.transform(new), expected, atol=1e-3)


def test_the_scale_of_the_data_does_not_matter() -> None:
    X = observed(low_rank(40, 30, 2), 0.5)
    one, other = MatrixCompletion().fit(X), MatrixCompletion().fit(X * 1e6)
    assert_allclose(other.completed_, 1e6 * one.completed_, rtol=1e-4, atol=1.0)


def test_factored_kernels_are_the_leading_part_of_dense_ones() -> None:
    """With rank d nothing is cut off: one step of both is the same."""
    X = observed(low_rank(25, 8, 3), 0.6)
    entries = observed_entries(X)
    V = np.random.default_rng(6).standard_normal((8, 8))
    dense = DenseKernel(V @ V.T, 0.2).complete(RowSystems(entries))
    factored = FactoredKernel(V, 0.2).complete(RowSystems(entries))
    assert factored.norm() == pytest.approx(dense.norm())
    for alpha in (0.5, 0.3):
        F = factored.column_kernel(0.1, alpha).V
        assert_allclose(F @ F.T, dense.column_kernel(0.1, alpha).S, atol=1e-10)


def test_noise_is_not_fitted() -> None:
    Y = low_rank(120, 100, 2)
    rng = np.random.default_rng(7)
    model = MatrixCompletion(validation_fraction=0.1).fit(observed(Y + 0.3 * rng.standard_normal(Y.shape), 0.3))
    assert model.stopped_ == "held-out error"
    assert np.sqrt(np.mean((model.completed_ - Y) ** 2)) < 0.16  # a least-squares fit that knows the rank: about 0.105
    best = model.path_[model.best_iteration_]
    assert best[1] == model.path_[:, 1].min()


def forms(X: np.ndarray) -> dict[str, tuple[Any, dict[str, Any]]]:
    i, j = np.nonzero(~np.isnan(X))
    values = X[i, j]
    return {
        "nan": (X, {}),
        "triplets": ((i[::-1], j[::-1], values[::-1]), {"shape": X.shape}),
        "coo": (sparse.coo_array((values, (i, j)), shape=X.shape), {}),
        "csc": (sparse.csc_matrix((values, (i, j)), shape=X.shape), {}),
        "entries": (Entries(i[::-1], j[::-1], values[::-1], X.shape), {}),
        "masked": (np.ma.masked_invalid(X), {}),
        "mask": (np.nan_to_num(X, nan=-7.0), {"mask": ~np.isnan(X)}),
    }


def test_all_forms_of_input_mean_the_same() -> None:
    X = observed(np.round(low_rank(9, 7, 2), 1), 0.6)
    X[0, 0] = 0.0  # an observed zero
    found = {
        name: observed_entries(given, more.get("mask"), more.get("shape")) for name, (given, more) in forms(X).items()
    }
    expected = found["nan"]
    assert (expected.rows[0], expected.cols[0], expected.values[0]) == (0, 0, 0.0)
    for entries in found.values():
        for part in ("rows", "cols", "values"):
            assert_array_equal(getattr(entries, part), getattr(expected, part))


ONE = ([0], [0], [1.0])


@pytest.mark.parametrize(
    ("X", "more", "words"),
    [
        (np.full((3, 3), np.nan), {}, "no entry"),
        (sparse.csr_array((3, 4)), {}, "no entry"),
        (([0, 0], [1, 1], [1.0, 2.0]), {}, r"entry \(0, 1\) is given more than once"),
        (sparse.coo_array(([1.0, 2.0], ([2, 2], [0, 0])), shape=(3, 3)), {}, "more than once"),
        (([0, 1], [1, 1], [1.0, np.nan]), {}, r"entry \(1, 1\) is nan"),
        (np.array([[1.0, np.inf], [1.0, 2.0]]), {}, "inf"),
        (np.ma.masked_array([[1.0, np.nan]], mask=[[True, False]]), {}, "nan"),
        (np.array([[1.0, np.nan]]), {"mask": np.array([[True, True]])}, "nan"),
        (np.eye(2), {"mask": np.ones((3, 3), dtype=bool)}, "mask must be boolean"),
        (sparse.csr_array(np.eye(3)), {"mask": np.eye(3, dtype=bool)}, "dense array"),
        (([0], [5], [1.0]), {"shape": (2, 2)}, "column 5: the matrix has 2"),
        (([-1], [0], [1.0]), {"shape": (2, 2)}, "row -1"),
        (([0.5], [0], [1.0]), {}, "integers"),
        (([0, 1], [0], [1.0]), {}, "one length"),
        (([0], [0]), {}, "3|parts"),
        (np.zeros(4), {}, "2 dimensions"),
        (np.eye(2) * 1j, {}, "complex"),
        (([0], [0], [1.0 + 1j]), {}, "complex"),
        (ONE, {"shape": (2,)}, r"two integers, rows and columns, got \(2,\)"),
        (ONE, {"shape": (2.5, 2.5)}, "two integers"),
        (ONE, {"shape": (-2, 2)}, "two integers"),
        (np.eye(2), {"shape": (3, 3)}, r"has shape \(2, 2\), not \(3, 3\)"),
        (sparse.csr_array(np.eye(2)), {"shape": (3, 3)}, r"has shape \(2, 2\), not \(3, 3\)"),
        (np.eye(2) * 1e200, {}, "common scale"),
        (np.array([[1e200, np.nan], [1.0, 2.0]]), {}, "common scale"),
        (np.eye(2) * 1e-200, {}, "common scale"),
        (unchecked([0, 0], [1, 1], [1.0, 2.0]), {}, "more than once"),
        (unchecked([0, 5], [1, 1], [1.0, 2.0]), {}, "row 5: the matrix has 3"),
        (unchecked([0, 1], [1, 1], [1.0, np.nan]), {}, r"entry \(1, 1\) is nan"),
        (unchecked([], [], []), {}, "no entry"),
        (unchecked([0], [1], [1.0]), {"mask": np.ones((3, 3), dtype=bool)}, "dense array"),
        (unchecked([0], [1], [1.0]), {"shape": (3, 4)}, r"not \(3, 4\)"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), {}, "must hold numbers"),
    ],
)
def test_bad_input_is_refused_with_its_place(X: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MatrixCompletion(validation_fraction=0.0).fit(X, **more)


ONES, HALF = np.ones((2, 3)), observed(np.ones((6, 4)), 0.5)
TRANSPOSED = 'complete its transpose with sides="columns", whose kernel is 2 x 2 only$'


@pytest.mark.parametrize(
    ("parameters", "X", "more", "words"),
    [
        ({"max_rank": 8}, np.ones((9, 7)), {}, "max_rank is 8, more than a 9 x 7 matrix can have"),
        ({"validation_fraction": 1.0}, np.ones((9, 7)), {}, "validation_fraction must be in"),
        ({"validation_fraction": 0.99}, HALF, {}, r"validation_fraction 0\.99 holds out all 10 entries"),
        ({}, ONES, {"validation": np.eye(2)}, r"validation entries are of a \(2, 2\) matrix, the others of \(2, 3\)"),
        ({}, ONES, {"validation": ([1], [2], [1.0])}, "among the entries to fit"),
        ({}, ONE, {"shape": (100_000, 100_000)}, "give max_rank, an upper bound of its rank$"),
        ({}, ONE, {"shape": (100_000, 2)}, 'max_rank, .*; or sides="columns", whose kernel is 2 x 2 only$'),
        ({}, ONE, {"shape": (2, 100_000)}, TRANSPOSED),
        ({"sides": "columns"}, ONE, {"shape": (2, 100_000)}, TRANSPOSED),
    ],
)
def test_parameters_and_validation_must_suit_the_matrix(
    parameters: dict[str, Any], X: Any, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        MatrixCompletion(**parameters).fit(X, **more)


def test_frames_with_missing_integers_are_read() -> None:
    frame = pd.DataFrame({"a": [1, None, 3], "b": [4, 5, None]}, dtype="Int64")
    expected = np.array([[1.0, 4.0], [np.nan, 5.0], [3.0, np.nan]])
    for X in (frame, frame.astype(object), frame.astype("float64"), np.array([[1, 4], [None, 5], [3, None]])):
        entries = observed_entries(X)
        assert_array_equal(entries.values, expected[~np.isnan(expected)])
        assert_array_equal(np.stack([entries.rows, entries.cols]), np.nonzero(~np.isnan(expected)))


@pytest.mark.parametrize(
    ("count", "share", "held_out"),
    [(69, 0.05, False), (70, 0.05, True), (69, 0.0, False), (69, np.float32(0.06), True)],
)
def test_too_few_entries_to_hold_any_out_is_said(count: int, share: float, held_out: bool) -> None:
    entries = observed_entries(low_rank(10, 9, 1)).part(np.arange(90) * 7 % 90 < count)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MatrixCompletion(iterations=2, validation_fraction=share).fit(entries)
    assert np.isfinite(model.path_[:, 1]).all() == held_out
    said = [str(w.message) for w in caught if "are too few" in str(w.message)]
    assert len(said) == (share > 0 and not held_out)
    assert all(words.startswith("69 observed entries are too few to hold 0.05 of them out") for words in said)


def test_between_columns_only_few_columns_make_a_matrix_small() -> None:
    """A kernel between the rows, too large here, is never made."""
    rows, cols = np.repeat(np.arange(18_000), 2), np.tile([0, 1, 2], 12_000)
    with pytest.warns(ConvergenceWarning):
        model = MatrixCompletion(sides="columns", iterations=2).fit((rows, cols, 1.0 + cols))
    assert model.completed_.shape == (18_000, 3)


@pytest.mark.parametrize("parameters", [{}, {"max_rank": 3}])
def test_empty_rows_and_columns_are_said_and_filled_with_zero(parameters: dict[str, Any]) -> None:
    X = observed(low_rank(30, 20, 2), 0.7)
    X[4] = X[:, 9] = np.nan
    with pytest.warns(UserWarning, match="have no observed entry") as caught:
        model = MatrixCompletion(**parameters).fit(X)
    assert len(caught) == 2
    assert (model.empty_rows_.tolist(), model.empty_columns_.tolist()) == ([4], [9])
    assert_allclose(model.completed_[4], 0.0, atol=1e-12)
    assert_allclose(model.completed_[:, 9], 0.0, atol=1e-12)


def test_stopping_short_is_said_and_keeps_the_best() -> None:
    X = observed(low_rank(30, 25, 3), 0.4)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        model = MatrixCompletion(iterations=5).fit(X)
    assert not model.converged_
    assert model.best_iteration_ == model.path_[:, 1].argmin()
    assert np.isfinite(model.completed_).all()


def test_all_zeros_is_a_matrix_too() -> None:
    X = sparse.coo_array((np.zeros(6), (np.arange(6), np.arange(6))), shape=(6, 6))
    model = MatrixCompletion(validation_fraction=0.0).fit(X)
    assert not model.completed_.any()
    assert model.rank_ == 0


@pytest.mark.parametrize("parameters", [{}, {"max_rank": 4}])
def test_fitting_and_filling_in_at_once_reads_all_forms_alike(parameters: dict[str, Any]) -> None:
    """The mask and the shape are those of the rows to fill in too, the last of which has no entry."""
    Y = low_rank(42, 30, 2)
    X = observed(Y, 0.5)
    X[-1] = np.nan
    for given, more in forms(X).values():
        with pytest.warns(UserWarning, match="1 rows have no observed entry"):
            filled = MatrixCompletion(**parameters).fit_transform(given, **more)
        assert filled.shape == (42, 30)
        assert_allclose(filled[:-1], Y[:-1], atol=1e-4)
        assert not filled[-1].any()
    model = MatrixCompletion(**parameters).fit(Y)
    new = model.transform(np.where(np.isnan(X), 99.0, X), mask=~np.isnan(X))
    assert_array_equal(new, model.transform(X))


@pytest.mark.parametrize(
    ("method", "given", "more", "words"),
    [
        ("predict", ([8], [0]), {}, "from 0 to 7"),
        ("predict", ([0, 1], [0]), {}, "one length"),
        ("predict", ([0], [6]), {}, "from 0 to 5"),
        ("predict", ([0.5], [0]), {}, "integers"),
        ("transform", (np.ones((2, 5)),), {}, "6 columns"),
        ("transform", (sparse.csr_array(np.eye(5)),), {}, "6 columns"),
        ("transform", (observed_entries(np.ones((2, 5))),), {}, "6 columns"),
        ("transform", (([0], [6], [1.0]),), {}, "column 6: the matrix has 6"),
        ("transform", (ONE,), {"shape": (2, 7)}, "rows of 6 columns are needed"),
        ("transform", (np.ones((2, 6)),), {"mask": np.ones((2, 2), dtype=bool)}, "mask must be boolean"),
    ],
)
def test_prediction_and_new_rows_are_checked(
    method: str, given: tuple[Any, ...], more: dict[str, Any], words: str
) -> None:
    model = MatrixCompletion().fit(low_rank(8, 6, 2))
    with pytest.raises(ValueError, match=words):
        getattr(model, method)(*given, **more)


@pytest.mark.parametrize("parameters", [{}, {"max_rank": 4}])
def test_new_rows_without_any_entry_are_filled_with_zero(parameters: dict[str, Any]) -> None:
    model = MatrixCompletion(**parameters).fit(observed(low_rank(30, 20, 2), 0.7))
    assert_array_equal(model.transform(np.full((3, 20), np.nan)), np.zeros((3, 20)))
    mixed = model.transform(([2], [4], [1.5]))
    assert mixed.shape == (3, 20)
    assert not mixed[:2].any()
    assert mixed[2, 4] == 1.5
    assert model.predict([], []).shape == (0,)
