"""The server, importable by name, and no patience with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.data import download
from bench.data.download import Patience

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from loopback import Loopback


@pytest.fixture
def web() -> Iterator[Loopback]:
    """A server with nothing on it yet."""
    from loopback import Loopback

    server = Loopback()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PATIENCE", Patience(attempts=3, pause_seconds=0.01, timeout_seconds=5.0))
