"""Where tables come from. A run takes all its tables from one source, so that no two of one name are ever mixed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from bench.data.dataset import Dataset
from bench.data.download import is_url
from bench.data.registry import Entry, Registry
from bench.errors import SourceError, unknown_name

SOURCES = ("embedded", "archive")


def split_name(source: str, seed: int) -> str:
    """What the splits of a table from ``source`` are called: its own published lists, or those drawn from ``seed``."""
    return "published" if source == "archive" else f"seed-{seed}"


def origin(source: Source) -> dict[str, Any]:
    """What a run records of ``source``, for whoever repeats it: ``source``, and of an archive ``name`` and ``sha256``.

    The checksum is that of the content (:attr:`bench.data.archive.ArchiveSource.checksum`), empty if not all of it
    can be read.
    """
    from bench.data.archive import ArchiveSource

    if not isinstance(source, ArchiveSource):
        return {"source": source.name}
    try:
        checksum = source.checksum
    except SourceError:
        checksum = ""
    return {"source": source.name, "archive": {"name": public_location(source.origin), "sha256": checksum}}


def public_location(location: str) -> str:
    """A path or URL without what is private to a machine or a person.

    Paths below the current folder become relative to it, others their last part; URLs lose user, password and query.
    """
    if is_url(location):
        parts = urlsplit(location)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    here = Path.cwd()
    path = Path(os.path.normpath(here / Path(location).expanduser()))  # as it was named: no links resolved
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name


class Source(Protocol):
    """A place that gives tables by their registry entry."""

    name: str
    """``embedded`` or ``archive``: recorded with every result."""
    location: str
    """Where it is, for messages."""

    def has(self, entry: Entry) -> bool:
        """Whether the files of ``entry`` are there (not whether they are sound)."""

    def load(self, entry: Entry) -> Dataset:
        """The checked table. Raises :class:`DataUnavailable` if it is not there, :class:`DataInvalid` if wrong."""


def resolve_source(
    registry: Registry,
    entries: Sequence[Entry],
    archive: str | None = None,
    source: str | None = None,
    *,
    offline: bool = False,
) -> Source:
    """The one source from which all of ``entries`` are taken.

    ``source`` asks for one by name. Otherwise ``archive`` (a folder, tar file or URL) or the environment variable
    ``BENCH_ARCHIVE`` gives the archive for everything; without them the tables that ship with the package serve if they
    cover ``entries``, else a copy of the archive fetched earlier. Raises :class:`SourceError` saying what was tried,
    :class:`UsageError` for an unknown source.
    """
    from bench.data.archive import ArchiveSource
    from bench.data.embedded import EmbeddedSource

    if source is not None and source not in SOURCES:
        raise unknown_name("source", source, SOURCES)
    given = archive or (os.environ.get("BENCH_ARCHIVE") if source != "embedded" else None)
    if source == "embedded" and archive:
        raise SourceError("--source embedded and --archive exclude each other: a run has one source")
    if given:
        return ArchiveSource(given, registry, offline=offline).open()
    embedded = EmbeddedSource()
    covered = [entry for entry in entries if embedded.has(entry)]
    if source == "embedded" or (source is None and len(covered) == len(entries)):
        if not covered:
            raise SourceError(f"none of the {len(entries)} tables asked for ships with the package")
        return embedded
    if (fetched := ArchiveSource.fetched(registry)) is not None:
        return fetched
    missing = [entry.name for entry in entries if not embedded.has(entry)]
    named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    raise SourceError(
        f"no source has the {len(entries)} tables asked for. Tried: embedded (has {len(covered)}, not {named}); "
        "archive (neither --archive nor BENCH_ARCHIVE is given; none fetched into the cache). To get them: "
        "`python -m bench fetch` downloads the study's archive, or `--archive PATH_OR_URL` names a copy of it"
    )
