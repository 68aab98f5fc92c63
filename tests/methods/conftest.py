"""One thread for PyTorch, and methods that train for less time than they do in a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench.methods import mlp, random_forest, xgboost


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller forests and shorter paths, which keep the same promises."""
    monkeypatch.setattr(random_forest, "TREES", 12)
    monkeypatch.setattr(mlp, "EPOCHS", mlp.EPOCHS[:4])
    monkeypatch.setattr(xgboost, "ROUNDS", xgboost.ROUNDS[:4])
