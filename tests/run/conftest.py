"""The tiny benchmark and its plug-in methods, importable by name here and in the processes that tests start."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from tiny_benchmark import TinyBenchmark


@pytest.fixture
def tiny(tmp_path: Path) -> TinyBenchmark:
    """Two generated tables, methods by name, and a run folder of its own."""
    from tiny_benchmark import TinyBenchmark

    return TinyBenchmark(tmp_path / "run")
