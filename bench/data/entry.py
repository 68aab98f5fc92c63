"""What the registry holds: an entry for each table, with where it is to be had and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Group: TypeAlias = Literal["small", "large", "test-file"]
Confidence: TypeAlias = Literal["known", "likely", "none"]


@dataclass(frozen=True)
class ArchiveFiles:
    """The table's files in the 2014 study's archive.

    ``table`` is the train file in the group ``test-file``: the published index lists refer to it alone. Checksums are
    SHA-256; ``table_sha256`` is None where the original file could not be had. ``rebuilt`` marks a table that was
    rebuilt from raw data and agrees with the index lists: the original's checksum is not known, so another is allowed.
    """

    folder: str
    table: str
    table_sha256: str | None
    tuning_sha256: str
    holdouts_sha256: str
    rebuilt: bool


@dataclass(frozen=True)
class Link:
    """The same data elsewhere: ``id`` is None where none is known; ``confidence`` in it, and in words what differs.

    ``target`` (empty: as the service says) and ``drop`` name columns. ``rows`` and ``classes``, where given, are the
    copy's instead of the entry's; ``differs`` allows it any sizes. ``refused`` says why the copy is not used, if so.
    """

    id: int | None
    name: str
    confidence: Confidence
    note: str
    target: str = ""
    drop: tuple[str, ...] = ()
    rows: int | None = None
    classes: int | None = None
    differs: bool = False
    refused: str = ""


@dataclass(frozen=True)
class EmbeddedFile:
    """A table that ships with the package: file name, SHA-256 of the file, package it was taken from, and whose it is.

    ``carrier_licence`` is the package's licence; the entry's own ``licence`` is that of the data.
    """

    file: str
    sha256: str
    carrier: str
    carrier_file: str
    carrier_licence: str
    attribution: str


@dataclass(frozen=True)
class Entry:
    """What is known of one table. ``rows``, ``features``, ``classes`` are those of the archive's (train) table."""

    name: str
    rows: int
    features: int
    classes: int
    group: Group
    licence: str
    origin: str
    archive: ArchiveFiles
    openml: Link
    uci: Link
    faults: tuple[str, ...]
    embedded: EmbeddedFile | None


@dataclass(frozen=True)
class Study:
    """Where the 2014 study's archive and its results are published; ``mirrors`` are further places with the archive."""

    citation: str
    archive_url: str
    mirrors: tuple[str, ...]
    results_url: str
    results_sha256: str
