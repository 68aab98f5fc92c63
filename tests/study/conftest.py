"""Makes the small image sets importable by name here; the images that are everywhere, and the browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.study.images import Images, find_images

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
sys.path.insert(0, str(Path(__file__).parent))

from chromium import browser

__all__ = ["browser", "images"]


@pytest.fixture(scope="session")
def images() -> Images:
    """scikit-learn's digits alone."""
    return find_images(None, ("digits",))
