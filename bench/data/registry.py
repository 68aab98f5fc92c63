"""The registry: what `datasets.yaml` says about each table, strictly checked.

The file is data without logic: one entry per table, and named subsets that are lists of tables or rules over entries.
Tables with classes are those of the 2014 study; those with a number to predict (``task: regression``) are not in it.
It stands at the root of a checkout and next to this module in an installed package.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from msgspec import Meta, Struct, field

from bench.data.strict_yaml import SHA256, FileName, Positive, Several, Text, convert, read_yaml
from bench.errors import RegistryError, UsageError, nearest, unknown_name
from bench.records.measure import Kind

Group: TypeAlias = Literal["small", "large", "test-file"]
Confidence: TypeAlias = Literal["known", "likely", "none"]
Sure: TypeAlias = Literal["documented", "likely", "guessed"]
_Columns = Annotated[
    str, Meta(pattern=r"\A[0-9]{1,5}(-[0-9]{1,5})?\Z", title="a column's number or a range such as 3-6")
]


class ArchiveFiles(Struct, frozen=True, forbid_unknown_fields=True):
    """The table's files in the 2014 study's archive.

    ``table`` is the train file in the group ``test-file``: the published index lists refer to it alone. Checksums are
    SHA-256; ``table_sha256`` is None where the original file is not available. ``rebuilt`` marks a table that was
    rebuilt from raw data and agrees with the index lists: the original's checksum is not known, so another is allowed.
    """

    folder: FileName
    table: FileName
    tuning_sha256: SHA256
    holdouts_sha256: SHA256
    table_sha256: SHA256 | None = None
    rebuilt: bool = False


class Link(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same data elsewhere: ``id`` is None where none is known; ``confidence`` in it, and in words what differs.

    ``target`` (empty: as the service says) and ``drop`` name columns. ``rows`` and ``classes``, where given, are the
    copy's instead of the entry's; ``differs`` allows it any sizes. ``refused`` says why the copy is not used, if so.
    """

    id: Positive | None = None
    name: str = ""
    confidence: Confidence
    note: str = ""
    target: str = ""
    drop: tuple[Text, ...] = ()
    rows: Several | None = None
    classes: Several | None = None
    differs: bool = False
    refused: str = ""

    def __post_init__(self) -> None:
        if (self.id is None) != (self.confidence == "none"):
            raise ValueError(f"id {self.id} does not go with confidence {self.confidence!r}")


class Nominal(Struct, frozen=True, forbid_unknown_fields=True):
    """Columns whose numbers are codes without order, how ``sure`` that is, and in words what they hold.

    ``columns`` are numbers from 0, or ranges such as ``3-6`` (:attr:`numbers`), of the archive's table and of the
    embedded one alike. Copies of other services have columns of their own.
    """

    columns: tuple[_Columns, ...]
    sure: Sure
    note: Text

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("no columns; where there are no nominal ones, write nominal: none")
        last = -1
        for part in self.columns:  # before any range is written out
            first, end = _ends(part)
            if end < first:
                raise ValueError(f"columns: the range {part} runs backwards")
            if first <= last:
                raise ValueError(f"columns: {part} after {last}: a column named twice, or out of order")
            last = end

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the columns, ascending."""
        return tuple(n for first, end in map(_ends, self.columns) for n in range(first, end + 1))


def _ends(columns: str) -> tuple[int, int]:
    first, _, last = columns.partition("-")
    return int(first), int(last or first)


class EmbeddedFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A table that ships with the package: file name, SHA-256 of the file, package it was taken from, and whose it is.

    ``carrier_licence`` is the package's licence; the entry's own ``licence`` is that of the data.
    """

    file: FileName
    sha256: SHA256
    carrier: Text
    carrier_file: Text
    carrier_licence: Text
    attribution: Text


class Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of one table: sizes, licence, where it is available, known faults.

    ``rows``, ``features``, ``classes`` are those of the archive's (train) table, or of the embedded one if the archive
    has none: then there is a number to predict, and there are no ``classes`` (0) and no ``group``. ``family`` names the
    siblings that share rows or a source with it (:attr:`Registry.families`); empty if it has none.
    """

    name: str
    kind: Kind = field(name="task", default="classification")
    rows: Several
    features: Positive
    classes: Several = 0
    group: Group | Literal[""] = ""
    family: str = ""
    licence: Text
    origin: Text
    archive: ArchiveFiles | None = None
    openml: Link = Link(confidence="none")
    uci: Link = Link(confidence="none")
    faults: tuple[Text, ...] = ()
    embedded: EmbeddedFile | None = None
    nominal: Nominal | Literal["none"] | None = None
    """None: nobody has looked."""

    def __post_init__(self) -> None:
        for key in ("classes", "group", "archive"):
            if self.kind == "regression" and getattr(self, key):
                raise ValueError(f"key {key!r} does not go with task: regression")
            if self.kind == "classification" and not getattr(self, key):
                raise ValueError(f"key {key!r} is missing")
        if self.classes > self.rows:
            raise ValueError(f"{self.classes} classes in {self.rows} rows")
        if unknown := [number for number in self.nominal_columns if number >= self.features]:
            raise ValueError(f"nominal: column {unknown[0]} of {self.features} (counted from 0)")

    @property
    def nominal_columns(self) -> tuple[int, ...]:
        """The columns whose numbers are codes without order, as far as the registry knows."""
        return self.nominal.numbers if isinstance(self.nominal, Nominal) else ()


class Study(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the 2014 study's archive and its results are published; ``mirrors`` are further places with the archive."""

    citation: Text
    archive_url: Text
    results_url: Text
    results_sha256: SHA256
    mirrors: tuple[Text, ...] = ()


class _Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A subset by what its entries have: what is predicted, their ``group``, whether they ship with the package, and
    whether they have nominal columns."""

    kind: Kind = field(name="task", default="classification")
    group: tuple[Text, ...] = ()
    embedded: bool = False
    nominal: bool = False

    def __post_init__(self) -> None:
        for group in self.group:
            if group not in get_args(Group):
                raise ValueError(str(unknown_name("group", group, get_args(Group))))

    def fits(self, entry: Entry) -> bool:
        """Whether ``entry`` is in the subset."""
        grouped = not self.group or entry.group in self.group
        placed = entry.kind == self.kind and grouped and (entry.embedded is not None or not self.embedded)
        return placed and (bool(entry.nominal_columns) or not self.nominal)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    study: Study
    subsets: dict[str, Any]
    datasets: dict[str, Any]
    families: dict[str, Text] = {}


@dataclass(frozen=True)
class Registry:
    """All entries by name, in the file's order, the subsets as tuples of names, and why the datasets of each family
    are related."""

    path: Path
    study: Study
    entries: Mapping[str, Entry]
    subsets: Mapping[str, tuple[str, ...]]
    families: Mapping[str, str]

    @property
    def family_of(self) -> dict[str, str]:
        """The family of each dataset; of one without siblings its own name."""
        return {entry.name: entry.family or entry.name for entry in self.entries.values()}

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
            raise UsageError(f"--subset is empty; subsets: {', '.join(self.subsets)}")
        chosen: dict[str, None] = {}
        for word in words:
            if word in self.subsets:
                chosen.update(dict.fromkeys(self.subsets[word]))
            elif word in self.entries:
                chosen[word] = None
            else:
                near = nearest(word, [*self.subsets, *self.entries])
                raise UsageError(
                    f"unknown subset or dataset {word!r}: {near}subsets: {', '.join(self.subsets)}, openml-suite:N; "
                    f"{len(self.entries)} datasets (`python -m bench list`)"
                )
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
    file = convert(read_yaml(path), _File, str(path))
    entries = {name: convert(of, Entry, f"{path}: datasets: {name}", name) for name, of in file.datasets.items()}
    if not entries:
        raise RegistryError(f"{path}: no datasets")
    _check_families(entries, file.families, str(path))
    subsets = {name: _subset(of, entries, name, f"{path}: subsets: {name}") for name, of in file.subsets.items()}
    return Registry(path, file.study, entries, subsets, file.families)


def _check_families(entries: Mapping[str, Entry], families: Mapping[str, str], where: str) -> None:
    """Each family is known, has two datasets or more, and has the name of none but one of its own."""
    for entry in entries.values():
        if entry.family and entry.family not in families:
            raise RegistryError(f"{where}: datasets: {entry.name}: {unknown_name('family', entry.family, families)}")
    for name in families:
        members = [entry.name for entry in entries.values() if entry.family == name]
        if len(members) < 2:
            raise RegistryError(f"{where}: families: {name}: a family has two datasets or more; it has {len(members)}")
        if name in entries and name not in members:
            raise RegistryError(f"{where}: families: {name}: the name of a dataset that is not in the family")


def _subset(content: Any, entries: Mapping[str, Entry], name: str, where: str) -> tuple[str, ...]:
    """A subset is a list of names, or a rule: ``group`` in a list, ``embedded: true``, ``nominal: true`` (tables with
    nominal columns), ``task: regression``, or ``{}`` for all tables with classes."""
    if name in entries:
        raise RegistryError(f"{where}: the subset has the name of a dataset")
    names: tuple[str, ...]
    if isinstance(content, list):
        names = convert(content, tuple[Text, ...], where)
        for member in names:
            if member not in entries:
                raise RegistryError(f"{where}: {unknown_name('dataset', member, entries)}")
    else:
        rule = convert(content, _Rule, where)
        names = tuple(entry.name for entry in entries.values() if rule.fits(entry))
    if not names or len(set(names)) != len(names):
        raise RegistryError(f"{where}: the subset is empty or names a dataset twice")
    return names
