"""Tables of the user's own: a YAML file says where they are and what is to be predicted.

    credit:                     # the name in results and reports
      file: credit.csv          # next to this file; or url: https://..., then best with sha256
      target: approved          # the column to predict
      task: classification      # optional, like all below: or regression, if the target is a number
      drop: [customer]          # columns that are not features
      categories: [branch]      # columns that are categories, whatever stands in them
      missing: ["?", "-999"]    # what stands for a missing value (default: the usual marks; []: nothing)
      licence: CC BY 4.0
      family: loans             # what it shares rows or a source with, by any name; a family of the registry too
      notes: Applications of 2019.

Further keys: ``format`` (csv, arff, parquet; else by the file's ending), ``delimiter`` (one character, or ``tab``) and
``header: false`` for CSV, ``sha256`` of the file. A file, the name of its target and the task are a table too, without
more.
Columns become features by the rules of :mod:`bench.data.columns`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field, structs

from bench.data.cache import cache_folder, undamaged
from bench.data.coder import OtherKind
from bench.data.columns import Coded, code_table
from bench.data.download import download, read_url
from bench.data.frames import MAX_BYTES, Format, format_of, read_frame
from bench.data.location import home_expanded, is_url, public_location
from bench.data.registry import Registry
from bench.data.strict_yaml import SHA256, Text, convert, read_yaml
from bench.data.validate import Examined, examine
from bench.errors import DataInvalid, RegistryError, SourceError, UsageError
from bench.records.dataset import Dataset
from bench.records.measure import Kind

DESCRIPTIONS = (".yaml", ".yml")
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
Delimiter = Annotated[
    str, Meta(pattern=rf"\A(.?|{'|'.join(_DELIMITERS)})\Z", title=f"one character, or one of {', '.join(_DELIMITERS)}")
]
Say = Callable[[str], None]
_SWITCH = {
    "classification": "to predict the number, say --task regression (in a description `task: regression`); to take its "
    "values as classes, list it under `categories` in a description",
    "regression": "to predict its values as classes, leave --task regression (in a description `task: regression`) out",
}
"""How to ask for the other kind, by the one that was asked for."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class UserTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of a description. ``rows``, ``features``, ``classes`` are not known before it is read: 0.

    It is in a ``file`` or behind a ``url``; ``format`` None is that of the ending; ``target``, ``drop`` and
    ``categories`` are column names; ``missing`` are the texts that stand for a missing value, None for the common ones;
    ``delimiter`` (empty: found in the first line) and ``header`` are for CSV; ``sha256`` is the file's, empty if not
    given. ``family`` is shared by tables that share rows or a source; empty: it is one of its own.
    """

    name: str
    target: Text
    file: Text = ""
    url: Text = ""
    format: Format | None = None
    drop: tuple[Text, ...] = ()
    categories: tuple[Text, ...] = ()
    missing: tuple[str, ...] | None = None
    delimiter: Delimiter = ""
    header: bool = True
    sha256: SHA256 = ""
    licence: str = ""
    family: str = ""
    notes: str = ""
    rows: ClassVar[int] = 0
    features: ClassVar[int] = 0
    classes: ClassVar[int] = 0
    kind: Kind = field(name="task", default="classification")

    def __post_init__(self) -> None:
        if bool(self.file) == bool(self.url):
            raise ValueError("give either file (a path) or url (a web address)")
        if self.url and not is_url(self.url):
            raise ValueError(f"url: {self.url!r} is not an address that begins with http:// or https://")
        if self.target in self.drop:
            raise ValueError(f"the target {self.target!r} is among the columns to drop")
        if both := [name for name in self.categories if name in self.drop]:
            raise ValueError(f"the column {both[0]!r} is among the categories and among the columns to drop")
        if self.kind == "regression" and self.target in self.categories:
            raise ValueError(f"the target {self.target!r} is among the categories; task: regression predicts numbers")

    @property
    def location(self) -> str:
        """The path or the URL."""
        return self.file or self.url

    @property
    def where(self) -> str:
        """What messages call it."""
        return f"{self.name} ({public_location(self.location)})"


class UserSource:
    """Gives the tables of descriptions, and tells what is to be recorded of those it has given.

    ``offline`` forbids downloads; ``say`` gets a line about each try of one that failed and is followed by another.
    """

    name = "user"

    def __init__(self, tables: Iterable[UserTable], *, offline: bool = False, say: Say = lambda line: None) -> None:
        self.tables = tuple(tables)
        self._offline = offline
        self._say = say
        self._provenance: dict[str, dict[str, Any]] = {}

    def load(self, table: UserTable) -> Dataset:
        """The table as a dataset; what is missing is NaN. Raises :class:`DataInvalid`, :class:`UsageError` for columns
        that are not there, :class:`SourceError` for a download that fails or a format whose package is missing."""
        coded = self.coded(table)
        return Dataset(table.name, coded.X, coded.y, len(coded.classes), self.name, notes=coded.notes)

    def coded(self, table: UserTable) -> Coded:
        """The table with the names of its features and classes, and all findings; raises as :meth:`load`."""
        content = read_content(table, offline=self._offline, say=self._say)
        frame = read_frame(
            content,
            table.format or format_of(table.location),
            table.where,
            delimiter=_DELIMITERS.get(table.delimiter, table.delimiter),
            header=table.header,
            texts=table.categories,
        )
        try:
            coded = code_table(
                frame,
                table.target,
                table.where,
                table.drop,
                kind=table.kind,
                categories=table.categories,
                missing=table.missing,
            )
        except OtherKind as error:
            raise DataInvalid(f"{error}; {_SWITCH[table.kind]}") from error
        found = examine(Examined(coded.X, coded.y, coded.features, coded.classes, coded.inputs))
        coded = replace(coded, findings=(*coded.findings, *found))
        self._provenance[table.name] = {
            "origin": public_location(table.location),
            "target": table.target,
            "licence": table.licence,
            "family": table.family,
            "notes": [note for note in (table.notes, *coded.notes) if note],
            "warnings": coded.warnings,
            "features": coded.recorded_features,
            "classes": list(coded.classes),
        }
        return coded

    def provenance(self) -> Mapping[str, dict[str, Any]]:
        """By name, of every table loaded so far: ``origin, target, licence, family, notes, warnings, features,
        classes``."""
        return dict(self._provenance)


def read_description(path: str | Path, registry: Registry) -> tuple[UserTable, ...]:
    """The tables described in the YAML file at ``path``.

    Raises :class:`RegistryError`, naming file, table and key, for anything the description must not say, and
    :class:`UsageError` if the file, or a table's own, is not there.
    """
    path = home_expanded(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: not a file; the description of a dataset is a YAML file")
    try:
        described = convert(read_yaml(path), dict[str, Any], str(path))
    except OSError as error:
        raise UsageError(f"{path}: the description of a dataset cannot be read: {error.strerror or error}") from error
    if not described:
        raise RegistryError(f"{path}: describes no dataset")
    return tuple(_table(name, content, path, registry) for name, content in described.items())


def read_tables(
    paths: Iterable[str | Path], registry: Registry, target: str | None = None, task: Kind | None = None
) -> tuple[UserTable, ...]:
    """The user's tables: those that YAML files describe, and plain files (or URLs) with the column ``target`` to be
    predicted by ``task`` (default: classification).

    Raises as :func:`read_description`, and for a name given twice.
    """
    tables: list[UserTable] = []
    plain = 0
    for path in paths:
        if str(path).lower().endswith(DESCRIPTIONS):
            tables += read_description(path, registry)
        else:
            tables.append(_plain_table(str(path), registry, target, task or "classification"))
            plain += 1
    for flag, value in (("target", target), ("task", task)):
        if value is not None and not plain:
            raise UsageError(f"--{flag} {value}: it is for files without a description, and none is given")
    names = [table.name for table in tables]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--data: two datasets are both called {', '.join(twice)}")
    return tuple(tables)


def _plain_table(path: str, registry: Registry, target: str | None, kind: Kind) -> UserTable:
    """The table in a file that nothing describes; its name is the file's, with ``my-`` before one of the registry's."""
    if not is_url(path) and not home_expanded(path).is_file():
        raise UsageError(f"{path}: there is no such file")
    try:
        format = format_of(path)
    except UsageError as error:
        raise UsageError(
            f"{path}: {error}. Save it as CSV, or describe it in a YAML file (my.yaml) with `format:` and `target:`"
        ) from error
    if not target:
        raise UsageError(
            f"{path}: which column is to be predicted? Name it with --target, or in a description (a YAML file) with "
            "`file:` and `target:`"
        )
    stem = public_location(path).rsplit("/", 1)[-1].partition(".")[0]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", stem).lstrip("._-")[:90] or "table"
    taken = name in registry.entries or name in registry.subsets
    file, url = ("", path) if is_url(path) else (str(home_expanded(path)), "")
    return UserTable(f"my-{name}" if taken else name, target, file, url, format, kind=kind)


def read_content(table: UserTable, *, offline: bool = False, say: Say = lambda line: None) -> bytes:
    """The bytes of the table's file, checked against ``sha256`` if that is given.

    A file behind a URL is kept in the cache if its checksum is known, else downloaded anew: nothing would tell whether
    it is still the same, and ``offline`` refuses it. Raises :class:`SourceError` if it is not available.
    """
    if is_url(table.location):
        return _from_url(table, offline, say)
    content = _read(table, Path(table.location))
    if table.sha256 and (found := hashlib.sha256(content).hexdigest()) != table.sha256:
        raise DataInvalid(f"{table.where}: SHA-256 is {found}, its description expects {table.sha256}")
    return content


def _read(table: UserTable, path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataInvalid(f"{table.where}: {size} bytes; tables above {MAX_BYTES} are refused")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{table.where}: cannot be read: {error.strerror or error}") from error


def _from_url(table: UserTable, offline: bool, say: Say) -> bytes:
    path = cache_folder() / "user" / table.sha256
    if table.sha256 and (kept := undamaged(path, table.sha256)) is not None:
        return kept
    if offline:
        reason = "not in the cache" if table.sha256 else "kept in the cache only if its description has its sha256"
        raise SourceError(f"{table.where}: {reason}, and downloads are not allowed here")
    if not table.sha256:
        return read_url(table.location, MAX_BYTES, say=say)
    download(table.location, path, max_bytes=MAX_BYTES, known_hash=table.sha256, say=say)
    return _read(table, path)


def _table(name: str, content: Any, path: Path, registry: Registry) -> UserTable:
    where = f"{path}: {name}"
    if not _NAME.fullmatch(name):
        raise RegistryError(f"{where}: not a valid name for a dataset: use letters, digits, '_', '.', '-', at most 100")
    if name in registry.entries or name in registry.subsets:
        raise RegistryError(f"{where}: this is the name of a dataset or subset of the registry; give yours another")
    table = convert(content, UserTable, where, name)
    if table.file:
        table = structs.replace(table, file=str(path.parent / home_expanded(table.file)))
        if not Path(table.file).is_file():
            raise UsageError(f"{where}: file: there is no file {table.file}")
    try:
        format = table.format or format_of(table.location)
    except UsageError as error:
        raise RegistryError(f"{where}: {error}; name it with format: csv, arff or parquet") from error
    if format != "csv" and (table.delimiter or not table.header):
        key = "delimiter" if table.delimiter else "header"
        raise RegistryError(f"{where}: {key} is for CSV; the format of this file is {format}: leave it out")
    return table
