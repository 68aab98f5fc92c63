"""The registry: what `datasets.yaml` says about each table, strictly checked.

The file is data without logic: one entry per table, and named subsets that are lists of tables or rules over entries.
It stands at the root of a checkout and next to this module in an installed package.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from bench.data.strict_yaml import Record, read_record
from bench.errors import RegistryError, unknown_name

MAX_BYTES = 4 << 20

Group: TypeAlias = Literal["small", "large", "test-file"]
Confidence: TypeAlias = Literal["known", "likely", "none"]


@dataclass(frozen=True)
class ArchiveFiles:
    """The table's files in the 2014 study's archive.

    ``table`` is the train file in the group ``test-file``: the published index lists refer to it alone. Checksums are
    SHA-256; ``table_sha256`` is None where the original file is not available. ``rebuilt`` marks a table that was
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
    """What is known of one table: sizes, licence, where it is available, known faults.

    ``rows``, ``features``, ``classes`` are those of the archive's (train) table.
    """

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


@dataclass(frozen=True)
class Registry:
    """All entries by name, in the file's order, and the subsets as tuples of names."""

    path: Path
    study: Study
    entries: Mapping[str, Entry]
    subsets: Mapping[str, tuple[str, ...]]

    def entry(self, name: str) -> Entry:
        """The entry called ``name``. Raises :class:`UsageError` naming the nearest one."""
        if name not in self.entries:
            raise unknown_name("dataset", name, self.entries)
        return self.entries[name]

    def select(self, spec: str) -> tuple[Entry, ...]:
        """Entries for a comma-separated mix of subset and dataset names, in order of mention, each once.

        Raises :class:`UsageError` for an unknown name or an empty ``spec``.
        """
        words = [word.strip() for word in spec.split(",") if word.strip()]
        if not words:
            raise unknown_name("subset or dataset", spec, self.subsets)
        chosen: dict[str, None] = {}
        for word in words:
            if word in self.subsets:
                chosen.update(dict.fromkeys(self.subsets[word]))
            elif word in self.entries:
                chosen[word] = None
            else:
                raise unknown_name("subset or dataset", word, [*self.subsets, *self.entries])
        return tuple(self.entries[name] for name in chosen)


def load_registry(path: str | Path | None = None) -> Registry:
    """The registry at ``path`` (default: the one that comes with the package), parsed once per file version.

    Raises :class:`RegistryError` naming the file, the entry and the key.
    """
    found = Path(path) if path is not None else default_path()
    try:
        stat = found.stat()
    except OSError as error:
        raise RegistryError(f"{found}: cannot read the registry: {error.strerror or error}") from error
    return _load(found.resolve(), stat.st_mtime_ns, stat.st_size)


def default_path() -> Path:
    """`datasets.yaml` next to this module (installed package), else at the root of the checkout."""
    installed = Path(__file__).with_name("datasets.yaml")
    return installed if installed.exists() else Path(__file__).resolve().parents[2] / "datasets.yaml"


@functools.lru_cache(maxsize=8)
def _load(path: Path, mtime_ns: int, size: int) -> Registry:
    if size > MAX_BYTES:
        raise RegistryError(f"{path}: {size} bytes; a registry has at most {MAX_BYTES}")
    top = read_record(path)
    study = top.record("study")
    datasets = top.record("datasets")
    subsets = top.record("subsets")
    top.done()
    registry_study = Study(
        citation=study.text("citation"),
        archive_url=study.text("archive_url"),
        mirrors=study.texts("mirrors"),
        results_url=study.text("results_url"),
        results_sha256=study.sha256("results_sha256"),
    )
    study.done()
    entries = {name: _entry(name, datasets.record(name)) for name in datasets.names()}
    if not entries:
        raise datasets.error("no datasets")
    return Registry(path, registry_study, entries, {name: _subset(name, subsets, entries) for name in subsets.names()})


def _entry(name: str, record: Record) -> Entry:
    archive = record.record("archive")
    checksums = archive.record("sha256")
    files = ArchiveFiles(
        folder=archive.file_name("folder"),
        table=archive.file_name("table"),
        table_sha256=checksums.sha256("table") if checksums.has("table") else None,
        tuning_sha256=checksums.sha256("conxuntos.dat"),
        holdouts_sha256=checksums.sha256("conxuntos_kfold.dat"),
        rebuilt=archive.flag("rebuilt", default=False),
    )
    checksums.done()
    archive.done()
    entry = Entry(
        name=name,
        rows=record.integer("rows", at_least=2),
        features=record.integer("features", at_least=1),
        classes=record.integer("classes", at_least=2),
        group=record.choice("group", get_args(Group)),
        licence=record.text("licence"),
        origin=record.text("origin"),
        archive=files,
        openml=_link(record.record("openml")),
        uci=_link(record.record("uci")),
        faults=record.texts("faults"),
        embedded=_embedded(record.record("embedded")) if record.has("embedded") else None,
    )
    record.done()
    if entry.classes > entry.rows:
        raise record.error(f"{entry.classes} classes in {entry.rows} rows")
    return entry


def _link(record: Record) -> Link:
    link = Link(
        id=record.integer("id", at_least=1) if record.has("id") else None,
        name=record.text("name", default=""),
        confidence=record.choice("confidence", get_args(Confidence)),
        note=record.text("note", default=""),
        target=record.text("target", default=""),
        drop=record.texts("drop"),
        rows=record.integer("rows", at_least=2) if record.has("rows") else None,
        classes=record.integer("classes", at_least=2) if record.has("classes") else None,
        differs=record.flag("differs", default=False),
        refused=record.text("refused", default=""),
    )
    record.done()
    if (link.id is None) != (link.confidence == "none"):
        raise record.error(f"id {link.id} does not go with confidence {link.confidence!r}")
    return link


def _embedded(record: Record) -> EmbeddedFile:
    embedded = EmbeddedFile(
        file=record.file_name("file"),
        sha256=record.sha256("sha256"),
        carrier=record.text("carrier"),
        carrier_file=record.text("carrier_file"),
        carrier_licence=record.text("carrier_licence"),
        attribution=record.text("attribution"),
    )
    record.done()
    return embedded


def _subset(name: str, subsets: Record, entries: Mapping[str, Entry]) -> tuple[str, ...]:
    """A subset is a list of names, or a rule: ``group`` in a list, ``embedded: true``, or ``{}`` for all."""
    if name in entries:
        raise subsets.error(f"subset {name!r} has the name of a dataset")
    if subsets.is_list(name):
        names = subsets.texts(name)
        for member in names:
            if member not in entries:
                raise subsets.error(f"subset {name!r}: {unknown_name('dataset', member, entries)}")
    else:
        rule = subsets.record(name)
        groups = rule.texts("group") if rule.has("group") else get_args(Group)
        for group in groups:
            if group not in get_args(Group):
                raise rule.error(str(unknown_name("group", group, get_args(Group))))
        only_embedded = rule.flag("embedded", default=False)
        rule.done()
        names = tuple(e.name for e in entries.values() if e.group in groups and (e.embedded or not only_embedded))
    if not names or len(set(names)) != len(names):
        raise subsets.error(f"subset {name!r} is empty or names a dataset twice")
    return names
