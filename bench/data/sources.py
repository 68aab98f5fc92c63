"""Where tables come from. A run takes all its tables from one source, so that no two of one name are ever mixed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.location import is_url, public_location
from bench.data.openml_source import OpenMLSource
from bench.data.registry import Entry, Registry
from bench.data.uci_source import UCISource
from bench.errors import SourceError, first_few, unknown_name
from bench.records.dataset import Dataset


class Source(Protocol):
    """A place that gives tables by their entry: the registry's, or one of the source's own kind."""

    name: str
    """One of :data:`SOURCES`: recorded with every result."""
    location: str
    """Where it is, for messages."""

    def has(self, entry: Any) -> bool:
        """Whether the files of ``entry`` are there (not whether they are sound)."""

    def load(self, entry: Any) -> Dataset:
        """The checked table. Raises :class:`DataUnavailable` if it is not there, :class:`DataInvalid` if wrong."""


class Service(Source, Protocol):
    """A source that downloads single tables, and keeps them in the cache."""

    title: str
    """Its name in sentences."""
    pages: str
    """Where people read of a table: this address, a slash and the table's id."""

    def __init__(self, *, offline: bool = False, say: Callable[[str], None] = lambda line: None) -> None:
        """Of the tables at the service's address; ``offline``: of those in the cache."""

    def provenance(self) -> dict[str, dict[str, Any]]:
        """By name, what is recorded of every table loaded so far: :func:`bench.data.copies.provenance`."""


SERVICES: dict[str, type[Service]] = {service.name: service for service in (OpenMLSource, UCISource)}
"""The services by name: what ``--source`` takes besides the package and the study's archive."""
SOURCES = (EmbeddedSource.name, ArchiveSource.name, *SERVICES)


def origin(source: Source) -> dict[str, Any]:
    """What a run records of ``source``, for whoever repeats it.

    ``source``; of an archive ``name`` and ``sha256``, that of the content
    (:attr:`bench.data.archive.ArchiveSource.checksum`), empty if not all of it can be read; of a service its
    ``address``.
    """
    if not isinstance(source, ArchiveSource):
        return {"source": source.name} | (
            {"address": public_location(source.location)} if is_url(source.location) else {}
        )
    try:
        checksum = source.checksum
    except SourceError:
        checksum = ""
    return {"source": source.name, "archive": {"name": public_location(source.origin), "sha256": checksum}}


def in_words(source: Source) -> str:
    """Where ``source`` has its tables from, for whoever reads along."""
    if source.name == "embedded":
        return "the package (embedded)"
    if source.name == "user":
        return "your own files"
    return f"{source.name} ({source.location})"


def resolve_source(
    registry: Registry,
    entries: Sequence[Entry],
    archive: str | None = None,
    source: str | None = None,
    *,
    shipped: bool = False,
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Source:
    """The one source from which all of ``entries`` are taken: the first of these that is there.

    1. The one that ``source`` names; the tables of a service are downloaded when they are loaded, unless they are in
       the cache or ``offline`` forbids it.
    2. ``archive`` (a folder, tar file or URL), or, for tables of the study, the environment variable ``BENCH_ARCHIVE``.
    3. The tables that ship with the package, if ``entries`` are ``shipped``: asked for as a subset of such tables.
    4. The archive that was fetched before.
    5. The tables that ship with the package, if they are all of ``entries``.

    What is not one of the study's tables comes from the package, also when an archive is given
    (:func:`bench.data.selection.by_source`).

    Raises :class:`SourceError` saying what was tried, :class:`UsageError` for an unknown source.
    """
    if source is not None and source not in SOURCES:
        raise unknown_name("source", source, SOURCES)
    studied = [entry for entry in entries if entry.archive]
    given = archive or (os.environ.get("BENCH_ARCHIVE") if source == "archive" or (not source and studied) else None)
    if source not in (None, "archive") and archive:
        raise SourceError(f"--source {source} and --archive exclude each other: a run has one source")
    if source in SERVICES:
        return SERVICES[source](offline=offline, say=say)
    if given:
        return ArchiveSource(given, registry, offline=offline, say=say).open()
    embedded = EmbeddedSource()
    covered = [entry for entry in entries if embedded.has(entry)]
    if source == "embedded" and not covered:
        raise SourceError(f"none of the {len(entries)} datasets asked for comes with the package")
    if source == "embedded" or (source is None and shipped):
        return embedded
    if (source or studied) and (fetched := ArchiveSource.fetched(registry)) is not None:
        return fetched
    if source is None and len(covered) == len(entries):
        return embedded
    missing = first_few([entry.name for entry in entries if not embedded.has(entry)])
    raise SourceError(
        f"no source has the {len(entries)} datasets asked for. Tried: embedded (has {len(covered)}, not {missing}); "
        "archive (neither --archive nor BENCH_ARCHIVE is given; none fetched into the cache). To get them: "
        "`python -m bench fetch` downloads the study's archive, or `--archive PATH_OR_URL` names a copy of it"
    )
