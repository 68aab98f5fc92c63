"""Makes grids of chains importable by name here; which engine is asked for, and whether tensors are NumPy's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rfm import arrays

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def no_engine_asked_for() -> Iterator[None]:
    """Whatever the tests around are run with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RFM_ENGINE", raising=False)
        patch.delenv("RFM_INSTRUCTIONS", raising=False)
        yield


@pytest.fixture
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and no tensor is NumPy's to work on any more: the CPU's go the way of CUDA's."""
    return lambda: monkeypatch.setattr(arrays, "NUMPY_DEVICES", frozenset())


@pytest.fixture(params=["NumPy's", "CUDA's"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, without_numpy: Callable[[], None]) -> str:
    """The way in which tensors are worked on, CUDA's in several blocks."""
    if request.param == "CUDA's":
        without_numpy()
        monkeypatch.setattr(arrays, "CUDA_BLOCK_BYTES", 1 << 14)
    return str(request.param)
