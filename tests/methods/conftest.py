"""One thread for PyTorch, methods that train for less time than they do in a run, and a real table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.methods import mlp, random_forest, xgboost
from bench.records.dataset import Dataset


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller forests and shorter paths, which keep the same promises."""
    monkeypatch.setattr(random_forest, "TREES", 6)
    monkeypatch.setattr(mlp, "EPOCHS", mlp.EPOCHS[:3])
    monkeypatch.setattr(xgboost, "ROUNDS", xgboost.ROUNDS[:3])


@pytest.fixture(scope="session")
def wine() -> Dataset:
    return EmbeddedSource().load(load_registry().entry("wine"))
