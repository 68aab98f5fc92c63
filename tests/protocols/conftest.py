"""Makes small methods and the report's synthetic runs importable by name; lets a test register protocols of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.protocols import PROTOCOLS, Protocol

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
sys.path.insert(0, str(Path(__file__).parent))

from undrawn import undrawn

__all__ = ["registry", "undrawn"]


@pytest.fixture
def registry() -> Iterator[dict[str, Protocol]]:
    """The registered protocols; what a test adds to them is gone after it."""
    before = dict(PROTOCOLS)
    try:
        yield PROTOCOLS
    finally:
        PROTOCOLS.clear()
        PROTOCOLS.update(before)
