"""The services, importable by name, and short waits for the server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.data import download
from bench.data.download import RetryPolicy

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RETRY_POLICY", RetryPolicy(attempts=3, pause_seconds=0.01, timeout_seconds=5.0))
