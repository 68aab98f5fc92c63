"""Fixtures of all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE_THE_CHECKOUT = Path(__file__).parents[2] / "shared" / "uci121" / "uci121.tar.xz"


@pytest.fixture(scope="session")
def archive_path() -> str:
    """The study's archive: ``BENCH_ARCHIVE``, else the copy beside the checkout; without one the test is skipped."""
    location = os.environ.get("BENCH_ARCHIVE") or str(_BESIDE_THE_CHECKOUT)
    if not Path(location).exists():
        pytest.skip(f"no archive: BENCH_ARCHIVE is not set to a path, and {_BESIDE_THE_CHECKOUT} does not exist")
    return location
