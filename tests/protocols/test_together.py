"""Protocols that tune alike, carried out together: what each gives alone, from one set of fits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_methods import Noisy, NoisySession

from bench.data.splits import draw_splits
from bench.errors import MethodError
from bench.methods import built_in_methods, get_method, mlp, random_forest, xgboost
from bench.protocols import PROTOCOLS, Predicted, Protocol, carry_out, carry_out_together, selection
from bench.records.dataset import Dataset, IntArray
from bench.records.method import Choice, Fold, HoldoutResult, Path, Prediction, Session, Task

ALIKE = [("clean", "clean-top5", "clean-greedy"), ("published", "relearn")]


def small_table(seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = np.arange(48) % 3
    X = rng.normal(size=(48, 4)) + y[:, None] * [1.0, 0.5, 0.0, 0.0]
    X[::7, 3] = np.nan
    return Dataset("small", X, y.astype(np.int64), 3, "embedded")


def without_seconds(results: list[HoldoutResult] | MethodError) -> list[HoldoutResult]:
    assert not isinstance(results, MethodError), results
    return [replace(r, fit_seconds=0.0, predict_seconds=None) for r in results]


@pytest.mark.parametrize("names", ALIKE, ids=lambda names: names[0])
@pytest.mark.parametrize("name", built_in_methods())
def test_each_gives_what_it_gives_alone(name: str, names: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_forest, "TREES", 10)  # the extra trees' too
    monkeypatch.setattr(mlp, "EPOCHS", mlp.EPOCHS[:2])
    monkeypatch.setattr(xgboost, "ROUNDS", xgboost.ROUNDS[:3])
    method = get_method(name)
    table = small_table()
    splits = draw_splits("small", table.y, 0)
    splits = replace(splits, holdouts=splits.holdouts[:1])
    kept: list[Predicted] = []
    protocols = [PROTOCOLS[name] for name in names]
    together = carry_out_together(method, table, splits, protocols, 5, keep=kept.append)
    for protocol, found in zip(protocols, together, strict=True):
        own: list[Predicted] = []
        assert without_seconds(found) == without_seconds(carry_out(method, table, splits, protocol, 5, keep=own.append))
        mine = [each for each in kept if each.protocol == protocol.name]
        assert [(a.holdout, a.scores.tolist()) for a in mine] == [(a.holdout, a.scores.tolist()) for a in own]


@pytest.mark.parametrize("other", ["clean-cv", "clean-nominal", "published"])
def test_protocols_that_tune_differently_are_refused(other: str) -> None:
    with pytest.raises(ValueError, match="do not tune alike"):
        together(Counting(), "clean", other)


class Clock:
    """CPU time that passes only when told to."""

    now = 0.0

    def __call__(self) -> float:
        return Clock.now


class CountingSession(NoisySession):
    """Every fit takes a second of the clock, tuning a hundred."""

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        Clock.now += 100.0
        paths = super().tune(folds)
        return paths if self._method.keeps else [replace(path, scores=None) for path in paths]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        Clock.now += 1.0
        prediction = super().predict(choice, train, test)
        broken = choice.config["number"] == self._method.broken
        return replace(prediction, scores=prediction.scores * np.nan) if broken else prediction


class Counting(Noisy):
    """Eight configurations; the prediction of the ``broken`` one is not finite."""

    def __init__(self, *, keeps: bool = True, broken: int = -1) -> None:
        super().__init__(range(8), (0,))
        self.keeps, self.broken = keeps, broken

    def session(self, task: Task) -> Session:
        return CountingSession(task, self)


def together(method: Counting, *names: str) -> list[Any]:
    table = small_table()
    splits = draw_splits("small", table.y, 0)
    splits = replace(splits, holdouts=splits.holdouts[:2])
    return carry_out_together(method, table, splits, [PROTOCOLS[name] for name in names], 0)


def test_the_grid_and_each_choice_are_fitted_once_and_seconds_are_those_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection.time, "process_time", Clock())
    method = Counting()
    found = together(method, "clean", "clean-top5", "clean-greedy")
    assert method.tuned == 2, "once a test fold"
    chosen = [{repr(m.choice) for m in results[fold].members} for fold in range(2) for results in found]
    per_fold = [set().union(*chosen[:3]), set().union(*chosen[3:])]
    assert len(method.predicted) == sum(map(len, per_fold)), "what two protocols select is fitted once"
    seconds = [[r.fit_seconds for r in results] for results in found]
    assert list(itertools.chain(*zip(*seconds, strict=True))) == [100.0 + len(numbers) for numbers in chosen]


def test_what_one_cannot_do_is_its_own_error() -> None:
    single, greedy = together(Counting(keeps=False), "clean", "clean-greedy")
    assert isinstance(greedy, MethodError)
    assert "Path.scores" in str(greedy)
    assert len(single) == 2


def test_a_broken_member_fails_those_that_select_it_and_ends_what_has_failed() -> None:
    sound, top5 = together(Counting(), "clean", "clean-top5")
    members = {member.choice.config["number"] for member in top5[0].members}
    member = min(members - {result.config["number"] for result in sound})
    single, ensemble = together(Counting(broken=member), "clean", "clean-top5")
    assert without_seconds(single) == without_seconds(sound)
    assert isinstance(ensemble, MethodError)
    assert "not finite" in str(ensemble)
    alone = Counting(broken=member)
    assert isinstance(together(alone, "clean-top5")[0], MethodError)
    assert alone.tuned == 1, "the second fold is not tuned for nothing"


def test_what_tunes_alike() -> None:
    assert PROTOCOLS["clean-cv"].tuning == PROTOCOLS["clean-cv-greedy"].tuning
    assert replace(PROTOCOLS["clean-cv"], inner_folds=7).tuning != PROTOCOLS["clean-cv"].tuning
    assert Protocol("x", ties="order").tuning == PROTOCOLS["clean"].tuning
