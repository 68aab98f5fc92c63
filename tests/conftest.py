"""Fixtures of all tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from command import Command

# One BLAS thread, as jobs have: set before the libraries load. Two test processes on two cores would else spin.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# A busy machine must not fail a property for being slow.
hypothesis.settings.register_profile("bench", deadline=None)
hypothesis.settings.load_profile("bench")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports that another process can be sent: names that are no UTF-8, as files may have, are shown escaped."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave the user's cache alone, and unpack the archive once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def archive_path() -> str:
    """The study's archive; without one the test is skipped."""
    return str(_named_by("BENCH_ARCHIVE", "the study's archive"))


@pytest.fixture(scope="session")
def published_path() -> Path:
    """The 2014 study's results file; without it the test is skipped."""
    return _named_by("BENCH_PUBLISHED", "the 2014 study's results file")


@pytest.fixture(scope="session")
def fork_results() -> Path:
    """The file of results of the RFM authors' fork of Grinsztajn et al.; without it the test is skipped."""
    folder = _named_by("BENCH_GRINSZTAJN", "a folder with rfm-authors-fork-results.csv")
    return folder / "rfm-authors-fork-results.csv"


@pytest.fixture(scope="session")
def parity_path() -> Path:
    """The file of outcomes of the published code; without it the test is skipped."""
    return _named_by("BENCH_PARITY", "outcomes of the published code, as tab-separated text")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("list", "--json").out`` is what ``python -m bench list --json`` prints."""
    from command import Command

    return Command(capsys)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True)
    if not made or made.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder, which is the current one; there is no archive."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_ARCHIVE", raising=False)
    return tmp_path


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local jobs are carried out in the test's own process: for tests of what is before and after a job.

    That costs no fork server, which loads the libraries of its jobs, and nothing is isolated, watched or timed.
    """
    from bench.records.method import HoldoutResult
    from bench.records.result import JobResult
    from bench.run import local, worker
    from bench.run.provenance import machine

    one_at_a_time = threading.Lock()

    def carried_out(task: Any, *_: Any, **__: Any) -> JobResult:
        def result(job: Any, own: dict[str, Any], further: tuple[JobResult, ...] = ()) -> JobResult:
            return JobResult(
                job,
                own.get("status", "ok"),
                own.get("reason", ""),
                holdouts=tuple(HoldoutResult(**holdout) for holdout in own.get("holdouts", ())),
                predictions=tuple(own.get("predictions", ())),
                peak_rss_mb=1.0,
                provenance=machine(1, task.work.device),
                further=further,
            )

        with one_at_a_time:
            worker._seed_global_generators(worker.derive_seed("global generators", task.job.id))
            try:
                found = json.loads(json.dumps(task.work.run(), default=worker._plain))
            except Exception as error:
                return result(task.job, worker._failure(error))
        others = zip(task.further, found.get("further", ()), strict=True)
        return result(task.job, found, tuple(result(job, own) for job, own in others))

    monkeypatch.setattr(local, "isolated", carried_out)


@pytest.fixture(scope="session")
def image_folder() -> Path:
    """A folder of real images; without one the test is skipped."""
    return _named_by("BENCH_IMAGES", "a folder of images")


def _named_by(variable: str, what: str) -> Path:
    """The path that an environment variable names: ``what`` lies there. Else the test is skipped."""
    location = os.environ.get(variable)
    if not location:
        pytest.skip(f"{variable} is not set; it names {what}")
    if not Path(location).exists():
        pytest.skip(f"{variable} names {what}, and there is no {location}")
    return Path(location)
