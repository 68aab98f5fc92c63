"""Fixtures of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# One BLAS thread, as jobs have: set before the libraries load. Two test processes on two cores would else spin.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# A busy machine must not fail a property for being slow.
hypothesis.settings.register_profile("bench", deadline=None)
hypothesis.settings.load_profile("bench")

_BESIDE_THE_CHECKOUT = Path(__file__).parents[2] / "shared" / "uci121" / "uci121.tar.xz"
_IMAGES_BESIDE = Path(__file__).parents[2] / "shared" / "images"


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave the user's cache alone, and unpack the archive once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def archive_path() -> str:
    """The study's archive: ``BENCH_ARCHIVE``, else the copy beside the checkout; without one the test is skipped."""
    location = os.environ.get("BENCH_ARCHIVE") or str(_BESIDE_THE_CHECKOUT)
    if not Path(location).exists():
        pytest.skip(f"no archive at {location}; BENCH_ARCHIVE names one")
    return location


@pytest.fixture(scope="session")
def image_folder() -> Path:
    """A folder of real images: ``BENCH_IMAGES``, else copies beside the checkout; without one the test is skipped."""
    folder = Path(os.environ.get("BENCH_IMAGES") or _IMAGES_BESIDE)
    if not folder.is_dir():
        pytest.skip(f"no images in {folder}; BENCH_IMAGES names a folder with some")
    return folder
