"""Threads of the linear algebra while an estimator works: few, and those of before afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from rfm import KernelRidgeRegressorCV, RFMClassifier
from rfm.machine import Machine
from rfm.solvers.choice import DIRECT_ROWS
from rfm.threads import SMALL, few_threads


def threads() -> tuple[int, set[int]]:
    return torch.get_num_threads(), {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    with threadpool_limits(2):
        torch.set_num_threads(2)
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("rows", "device", "expected"),
    [(SMALL, "cpu", (1, {1})), (SMALL + 1, "cpu", (1, {2})), (DIRECT_ROWS, "cpu", (1, {2})),
     (DIRECT_ROWS + 1, "cpu", (1, {1})), (10, "cuda", (2, {2}))],
)  # fmt: skip
def test_as_many_as_help(rows: int, device: str, expected: tuple[int, set[int]]) -> None:
    with few_threads(rows, device):
        assert threads() == expected
    with pytest.raises(ZeroDivisionError), few_threads(rows, device):
        _ = 1 / 0
    assert threads() == (2, {2})


def test_threads_of_python_do_not_disturb_each_other() -> None:
    def fit(_: int) -> tuple[int, int, int]:
        before = torch.get_num_threads()
        with few_threads(10, "cpu"):
            time.sleep(0.01)
            inside = torch.get_num_threads()
        return before, inside, torch.get_num_threads()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fit, range(40)))
    assert all(inside == 1 and before == after for before, inside, after in found)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("model", [RFMClassifier(iterations=1), KernelRidgeRegressorCV(ridges=(0.1, 1.0), cv=2)])
def test_an_estimator_fits_and_predicts_with_few(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, set[int]]] = []
    for module in ("rfm.estimators", "rfm.tuned_machine"):
        for name in ("fit_machine", "validate_grid"):
            watch(monkeypatch, f"{module}.{name}", seen)
    watch(monkeypatch, "rfm.machine.Machine.scores", seen)
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
    model.fit(X, y).predict(X)
    assert len(seen) >= 2
    assert set(map(str, seen)) == {str((1, {1}))}
    assert threads() == (2, {2})


def watch(monkeypatch: pytest.MonkeyPatch, where: str, seen: list[tuple[int, set[int]]]) -> None:
    """Note the threads at every call of what is at ``where``, if it is there."""
    module, _, name = where.rpartition(".")
    owner: Any = Machine if module.endswith("Machine") else __import__(module, fromlist=["_"])
    if (called := getattr(owner, name, None)) is None:
        return

    def noting(*args: Any, **kwargs: Any) -> Any:
        seen.append(threads())
        return called(*args, **kwargs)

    monkeypatch.setattr(owner, name, noting)
