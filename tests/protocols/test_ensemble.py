"""Ensembles: which members are selected, and that their scores are averaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_methods import Noisy, NoisySession

from bench.data.splits import draw_splits
from bench.errors import MethodError
from bench.methods.judging import Judging
from bench.protocols import PROTOCOLS, carry_out
from bench.protocols.ensemble import MOST_CANDIDATES, TOP, candidates, select_members
from bench.protocols.selection import Predicted
from bench.records.dataset import Dataset, FloatArray, Splits
from bench.records.measure import accuracy, squared_error
from bench.records.method import Choice, Fold, HoldoutResult, Member, Path, Task, ensemble_config
from rfm.greedy import STEPS

GREEDY, TOP5 = PROTOCOLS["clean-cv-greedy"], PROTOCOLS["clean-cv-top5"]
POINTS = (1, 2, 5)


def made_task(seed: int, n_classes: int = 3, rows: int = 40) -> tuple[Task, list[Fold]]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, rows) if n_classes else rng.normal(size=rows)
    parts = np.array_split(rng.permutation(rows), [9, 20])
    folds = [Fold(np.setdiff1d(np.arange(rows), part), part) for part in parts]
    return Task(rng.normal(size=(rows, 2)), y, n_classes, seed, keep_scores=True), folds


def made_paths(task: Task, folds: Sequence[Fold], seed: int, count: int = 6) -> list[Path]:
    """Paths whose scores are the targets with noise, some of it shared."""
    rng = np.random.default_rng(seed)
    judging = Judging(task, [task.y[fold.validation] for fold in folds])
    shared = rng.normal(size=(3, len(task.y), task.width))
    for i in range(count):
        for point in range(len(POINTS)):
            noise = rng.uniform(0.2, 0.5) * shared[i % 3] + rng.uniform(0.8, 1.2) * rng.normal(size=shared[0].shape)
            for f, fold in enumerate(folds):
                judging.judge(i, f, point, (task.targets + noise)[fold.validation])
    return [judging.path(i, {"number": i}, POINTS) for i in range(count)]


def error_of(members: Sequence[tuple[Path, int]], task: Task, folds: Sequence[Fold]) -> float:
    """The squared error of the plain mean of (path, point), each as often as it is there, over all rows."""
    means, truths = [], []
    for f, fold in enumerate(folds):
        stacked = [np.asarray(path.scores[f][point], dtype=np.float64) for path, point in members if path.scores]
        means.append(np.mean(stacked, axis=0))
        truths.append(task.y[fold.validation])
    return squared_error(np.concatenate(means), np.concatenate(truths))


def by_the_paper(paths: Sequence[Path], task: Task, folds: Sequence[Fold]) -> list[tuple[Path, int]]:
    """Caruana et al.: add the model with which the mean errs least, with replacement, while it gets better."""
    every = [(path, point) for path in paths for point in range(len(path.iterations))]
    every.sort(key=lambda member: error_of([member], task, folds))
    bag = [every[0]]
    for _ in range(STEPS):
        errors = [error_of([*bag, member], task, folds) for member in every]
        if min(errors) >= error_of(bag, task, folds) - 1e-9:
            break
        bag.append(every[int(np.argmin(errors))])
    return bag


@pytest.mark.parametrize(("seed", "n_classes"), [(0, 0), (1, 0), (2, 2), (3, 2), (0, 3), (4, 3)])
def test_greedy_is_the_papers_loop(seed: int, n_classes: int) -> None:
    task, folds = made_task(seed, n_classes)
    paths = made_paths(task, folds, seed)
    bag = by_the_paper(paths, task, folds)
    expected = Counter((path.config["number"], path.iterations[point]) for path, point in bag)
    members, merit = select_members(paths, folds, task, GREEDY, "made")
    found = {(m.choice.config["number"], m.choice.iteration): m.weight for m in members}
    assert found == expected
    assert len(found) > 1, "or nothing was averaged"
    assert [m.weight for m in members] == sorted((m.weight for m in members), reverse=True)
    if n_classes:
        means = [np.mean([p.scores[f][k] for p, k in bag if p.scores], axis=0) for f in range(len(folds))]
        truth = task.y[np.concatenate([fold.validation for fold in folds])]
        assert merit == pytest.approx(accuracy(np.concatenate(means), truth))
    else:
        assert merit == pytest.approx(1 - error_of(bag, task, folds), rel=1e-6)


def figures(*errors: float, merit: float = 0.5) -> tuple[FloatArray, FloatArray]:
    return np.full((1, len(errors)), merit), np.array([errors])


FOLD = [Fold(np.arange(2), np.arange(10))]


def test_the_five_best_by_squared_error_have_equal_weights() -> None:
    task = Task(np.zeros((10, 1)), np.arange(10) % 2, 2, 0)
    paths = [
        Path({"a": 1}, (1, 2), *figures(0.3, 0.1, merit=0.4)),
        Path({"a": 2}, (0,), *figures(0.2, merit=0.9)),
        Path({"a": 3}, (4, 5, 6), *figures(0.1, 0.5, 0.3, merit=0.6)),
    ]
    members, merit = select_members(paths, FOLD, task, TOP5, "made")
    order = [({"a": 3}, 4), ({"a": 1}, 2), ({"a": 2}, 0), ({"a": 3}, 6), ({"a": 1}, 1)]
    assert members == tuple(Member(Choice(config, iteration)) for config, iteration in order), "equal: larger merit"
    assert len(members) == TOP
    assert merit == pytest.approx((0.6 + 0.4 + 0.9 + 0.6 + 0.4) / 5)
    same = [Path({"a": k}, (0, 1), *figures(0.1, 0.1)) for k in (2, 1)]
    first = select_members(same, FOLD, task, TOP5, "made")[0]
    assert [(m.choice.config["a"], m.choice.iteration) for m in first] == [(2, 0), (2, 1), (1, 0), (1, 1)]


def test_what_is_not_finite_is_no_candidate() -> None:
    task, folds = made_task(0)
    sound, a, b, c, *_ = made_paths(task, folds, 0)
    merit, error, kept = a.merit.copy(), b.squared_error.copy(), tuple(part.copy() for part in c.scores or ())
    merit[1, 0] = kept[2][2, 0, 0] = np.nan
    error[0, 1:] = np.inf
    paths = [replace(a, merit=merit), replace(b, squared_error=error), replace(c, scores=kept), sound]
    found = {(c.path.config["number"], c.point) for c in candidates(paths, folds, counts=True)}
    assert found == {(1, 1), (1, 2), (2, 0), (3, 0), (3, 1), (0, 0), (0, 1), (0, 2)}
    for protocol in (GREEDY, TOP5):
        members, value = select_members(paths, folds, task, protocol, "made")
        assert {(m.choice.config["number"], POINTS.index(m.choice.iteration)) for m in members} <= found
        assert np.isfinite(value)
        with pytest.raises(MethodError, match="none of made's configurations has finite validation figures"):
            select_members([replace(sound, merit=np.nan * sound.merit)], folds, task, protocol, "made")
        with pytest.raises(MethodError, match="none of made's configurations"):
            select_members([], folds, task, protocol, "made")


def test_greedy_asks_for_scores_by_the_methods_name_and_refuses_others() -> None:
    task, folds = made_task(0)
    paths = made_paths(task, folds, 0)
    with pytest.raises(MethodError, match="made does not keep the scores of validation rows"):
        select_members([paths[0], replace(paths[1], scores=None)], folds, task, GREEDY, "made")
    assert paths[0].scores is not None
    short = tuple(part[:, 1:] for part in paths[0].scores)
    with pytest.raises(MethodError, match=r"'number': 0.*have shapes \[\(3, 8, 3\), .*expected \[\(3, 9, 3\)"):
        select_members([replace(paths[0], scores=short)], folds, task, GREEDY, "made")


def test_greedy_takes_its_members_from_the_best_fifty() -> None:
    """The next best by itself would cancel the errors of the best: it is not looked at."""
    task, folds = made_task(1)
    judging = Judging(task, [task.y[fold.validation] for fold in folds])
    noise = np.random.default_rng(1).normal(size=task.targets.shape)
    for i in range(MOST_CANDIDATES + 1):
        size = -(1.0 + i / 1000) if i == MOST_CANDIDATES else 1.0 + i / 1000
        for f, fold in enumerate(folds):
            judging.judge(i, f, 0, (task.targets + size * noise)[fold.validation])
    paths = [judging.path(i, {"number": i}, (0,)) for i in range(MOST_CANDIDATES + 1)]
    members, _ = select_members(paths, folds, task, GREEDY, "made")
    assert members == (Member(Choice({"number": 0}, 0)),)
    members, _ = select_members(paths[1:], folds, task, GREEDY, "made")
    assert {m.choice.config["number"] for m in members} == {1, MOST_CANDIDATES}


@pytest.fixture(params=["classification", "regression"])
def table(request: pytest.FixtureRequest) -> Dataset:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 4))
    if request.param == "regression":
        return Dataset("table", X, 5.0 + 3.0 * X[:, 0] - X[:, 1], 0, "embedded")
    return Dataset("table", X, (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0.5), 3, "embedded")


def one_fold(table: Dataset) -> Splits:
    splits = draw_splits("table", table.strata, 0)
    return replace(splits, holdouts=splits.holdouts[:1])


@pytest.mark.parametrize("protocol", ["clean-top5", "clean-greedy", "clean-cv-top5", "clean-cv-greedy"])
def test_the_members_scores_are_averaged_by_their_weights(table: Dataset, protocol: str) -> None:
    method, kept = Noisy(), list[Predicted]()
    (result,) = carry_out(method, table, one_fold(table), PROTOCOLS[protocol], 0, keep=kept.append)
    assert result.is_ensemble
    assert [member.choice for member in result.members] == method.predicted, "each fitted once"
    assert len(method.predicted) > 1
    assert (result.config, result.iteration) == (ensemble_config(result.members), 0)
    heaviest = result.members[0].choice
    assert result.details == {"who": heaviest.config, "when": heaviest.iteration}
    assert result.predict_seconds == 0.0
    train, test = one_fold(table).holdouts[0].train, one_fold(table).holdouts[0].test
    X = (table.X - table.X[train].mean(axis=0)) / table.X[train].std(axis=0, ddof=1)
    session = NoisySession(Task(X, table.y, table.n_classes, 0), method)
    weights = [m.weight for m in result.members]
    mean = np.average([session.scores(m.choice, test) for m in result.members], axis=0, weights=weights)
    if not table.n_classes:
        mean = mean * table.y[train].std() + table.y[train].mean()
    np.testing.assert_allclose(kept[0].scores, mean, rtol=1e-12, atol=1e-12)


def test_seconds_of_scoring_are_known_only_if_every_member_tells_them(table: Dataset) -> None:
    method = Noisy()
    method.predict_seconds = None
    (result,) = carry_out(method, table, one_fold(table), GREEDY, 0)
    assert result.predict_seconds is None


@pytest.mark.parametrize("protocol", ["clean-cv-top5", "clean-cv-greedy"])
def test_of_one_candidate_the_ensemble_is_the_single_choice(table: Dataset, protocol: str) -> None:
    kept: list[Predicted] = []
    results = [
        carry_out(Noisy([4], (2,)), table, one_fold(table), PROTOCOLS[name], 0, keep=kept.append)[0]
        for name in ("clean-cv", protocol)
    ]
    single, ensemble = results
    assert np.array_equal(kept[0].scores, kept[1].scores)
    assert ensemble.members == single.members == (Member(Choice({"number": 4}, 2)),)
    assert (ensemble.measures, ensemble.path) == (single.measures, single.path)
    assert ensemble.validation_score == pytest.approx(single.validation_score, rel=1e-6)


@pytest.mark.parametrize(
    "config",
    [
        {"members": []},
        {"members": 3},
        {"members": [{"config": {}, "iteration": 0}]},
        {"members": [{"config": {}, "iteration": 0, "weight": -1.0}]},
        {"members": [{"config": {}, "iteration": 0, "weight": float("nan")}]},
        {"members": [{"config": 3, "iteration": 0, "weight": 1.0}]},
        {"members": [{"config": {}, "iteration": 0, "weight": 1.0}], "ridge": 1.0},
    ],
)
def test_a_methods_own_configuration_is_no_ensemble(config: dict[str, Any]) -> None:
    own = HoldoutResult(0, 90.0, config, 3, 80.0, 1.0)
    assert not own.is_ensemble
    assert own.members == (Member(Choice(config, 3)),)
