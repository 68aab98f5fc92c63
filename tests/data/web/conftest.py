"""The services, importable by name and at hand, and short waits for the server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.data import download
from bench.data.download import RetryPolicy

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from loopback import Loopback
    from services import FakeOpenML, FakeUCI


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RETRY_POLICY", RetryPolicy(attempts=3, pause_seconds=0.01, timeout_seconds=5.0))


@pytest.fixture
def openml(web: Loopback, monkeypatch: pytest.MonkeyPatch) -> FakeOpenML:
    """OpenML, with nothing in it yet."""
    from services import FakeOpenML

    return FakeOpenML(web, monkeypatch)


@pytest.fixture
def uci(web: Loopback, monkeypatch: pytest.MonkeyPatch) -> FakeUCI:
    """UCI's repository, with nothing in it yet."""
    from services import FakeUCI

    return FakeUCI(web, monkeypatch)
