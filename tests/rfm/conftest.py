"""Makes grids of chains importable by name here, and gives tests that name engines an environment that names none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def no_engine_asked_for() -> Iterator[None]:
    """Whatever the tests around are run with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RFM_ENGINE", raising=False)
        patch.delenv("RFM_INSTRUCTIONS", raising=False)
        yield
