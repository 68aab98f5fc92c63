"""Fetching into the cache: the archive from the first place that serves it, single tables, the 2014 study's results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.archive import ArchiveSource
from bench.data.cache import cache_folder
from bench.data.download import download
from bench.data.registry import Study
from bench.data.sources import Source
from bench.errors import DataInvalid, DataUnavailable, SourceError

MAX_RESULTS_BYTES = 16 << 20
RUNS_URL = "https://figshare.com/ndownloader/files/40081681"
RUNS_HASH = "md5:73159b346ec355e4cebbc7702ac4f91a"
"""Of all runs of the benchmark of Grinsztajn et al., one CSV; figshare gives its MD5."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Findings:
    """What loading tables one by one has shown: how many are ``sound``, what is to be noted of them, what is wrong.

    ``notes`` and ``problems`` are pairs (table, line); ``invalid`` says whether one of the problems is a table that is
    there and wrong.
    """

    sound: int
    notes: tuple[tuple[str, str], ...]
    problems: tuple[tuple[str, str], ...]
    invalid: bool


def look_through(source: Source, entries: Iterable[Any]) -> Findings:
    """Load every entry from ``source``, which checks it, and drop it again."""
    sound, invalid = 0, False
    notes: list[tuple[str, str]] = []
    problems: list[tuple[str, str]] = []
    for entry in entries:
        try:
            dataset = source.load(entry)
        except (DataInvalid, DataUnavailable) as error:
            problems.append((entry.name, str(error)))
            invalid = invalid or isinstance(error, DataInvalid)
        else:
            sound += 1
            notes += [(entry.name, note) for note in dataset.notes]
    return Findings(sound, tuple(notes), tuple(problems), invalid)


def fetch_archive(sources: Iterable[ArchiveSource], entries: Sequence[Any], say: Say) -> tuple[Path, Findings]:
    """The folder in the cache that now holds the archive, and what its tables are like.

    ``sources``, of which there is at least one, are tried in turn: the first that has all of ``entries`` sound is kept,
    else the one that has most of them. A download that holds other tables than the study's is made anew by a further
    call. ``say`` gets a line for each source, and one for each that is not available; if none can, the last one's
    :class:`SourceError` is raised.
    """
    best: tuple[ArchiveSource, Findings] | None = None
    trouble: SourceError | None = None
    for source in sources:
        if trouble is not None:
            say(str(trouble))
        say(f"archive: {source.location}")
        trouble = None
        try:
            findings = look_through(source.open(), entries)
        except SourceError as error:
            source.drop()
            trouble = error
            continue
        if findings.invalid:
            source.drop()
        if best is None or findings.sound > best[1].sound:
            best = source, findings
        if not findings.problems:
            break
    if best is None:
        raise trouble or SourceError("no place to get the archive from")
    if trouble is not None:
        say(str(trouble))
    return best[0].keep(), best[1]


def results_file() -> Path:
    """Where the 2014 study's own results are in the cache: ``bench report --published`` reads them there.

    Raises :class:`DataUnavailable` if they have not been fetched.
    """
    return _fetched(_results_path(), "the study's results", "--published")


def fetch_results(study: Study, *, offline: bool, say: Say) -> tuple[Path, bool]:
    """Download the results unless they are in the cache; also, whether they are the file of the registry's checksum.

    Its content is for the caller to check. Raises :class:`SourceError` as :func:`bench.data.download.download` does,
    :class:`DataUnavailable` if ``offline`` and they are not in the cache.
    """
    path = _results_path()
    if not offline:
        download(study.results_url, path, max_bytes=MAX_RESULTS_BYTES, say=say)
    path = results_file()
    return path, hashlib.sha256(path.read_bytes()).hexdigest() == study.results_sha256


def drop_results() -> None:
    """Drop the cached file, so that it is fetched anew."""
    _results_path().unlink(missing_ok=True)


def fetch_runs(*, offline: bool, say: Say) -> Path:
    """Download the runs of the benchmark of Grinsztajn et al. unless they are in the cache; where they are.

    Raises as :func:`fetch_results`, and :class:`SourceError` for another file than :data:`RUNS_HASH` is of.
    """
    if not offline:
        download(RUNS_URL, _runs_path(), known_hash=RUNS_HASH, say=say)
    return runs_file()


def runs_file() -> Path:
    """Where these runs are in the cache: ``bench report --published-grinsztajn`` reads them there.

    Raises :class:`DataUnavailable` if they have not been fetched.
    """
    return _fetched(_runs_path(), "the benchmark's runs", "--published-grinsztajn")


def _fetched(path: Path, what: str, flag: str) -> Path:
    if not path.is_file():
        raise DataUnavailable(
            f"{path}: {what} have not been fetched; `python -m bench fetch {flag}` gets them, or name a file: "
            f"{flag} FILE"
        )
    return path


def _runs_path() -> Path:
    return cache_folder() / "study" / "grinsztajn.csv"


def _results_path() -> Path:
    return cache_folder() / "study" / "results.txt"
