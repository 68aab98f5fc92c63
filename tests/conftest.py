"""Fixtures of all tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local jobs are carried out in the test's own process: for tests of what is before and after a job.

    That costs no fork server, which loads the libraries of its jobs, and nothing is isolated, watched or timed.
    """
    from bench.records.method import HoldoutResult
    from bench.records.result import JobResult
    from bench.run import local

    def carried_out(task: Any, *_: Any, **__: Any) -> JobResult:
        outcome = json.loads(json.dumps(task.work.run(), default=lambda value: value.tolist()))
        holdouts = tuple(HoldoutResult(**holdout) for holdout in outcome["holdouts"])
        return JobResult(task.job, "ok", holdouts=holdouts, peak_rss_mb=1.0, provenance={"threads": 1})

    monkeypatch.setattr(local, "isolated", carried_out)


@pytest.fixture(scope="session")
def image_folder() -> Path:
    """A folder of real images: ``BENCH_IMAGES``, else copies beside the checkout; without one the test is skipped."""
    folder = Path(os.environ.get("BENCH_IMAGES") or _IMAGES_BESIDE)
    if not folder.is_dir():
        pytest.skip(f"no images in {folder}; BENCH_IMAGES names a folder with some")
    return folder
