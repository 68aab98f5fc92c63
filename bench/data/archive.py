"""The archive of the 2014 study: tables and the published index lists, from a folder, a tar file or a URL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

import numpy as np

from bench.data.cache import FileSet, drop, recall, remember, sets_folder
from bench.data.download import download, downloaded
from bench.data.location import home_expanded, is_url
from bench.data.registry import ArchiveFiles, Entry, Registry
from bench.data.splits import HOLDOUTS, TRAIN_SHARE, TUNING_SHARE, first_part_counts
from bench.data.tables import read_divisions, read_table
from bench.data.tar import Limits, read_members
from bench.errors import DataInvalid, DataUnavailable, SourceError
from bench.records.dataset import Dataset, IntArray, Splits

TUNING_FILE = "conxuntos.dat"
HOLDOUTS_FILE = "conxuntos_kfold.dat"
FETCHED = "fetched archive"
"""Label under which the cache remembers what `bench fetch` got last."""

Files = Mapping[str, Callable[[], bytes]]
"""Readers of the files of an archive by ``folder/file``."""


class ArchiveSource:
    """The study's archive in the layout ``[anything/]<name>/<file>``.

    A tar file is unpacked once into the cache, under the checksum of its content; a URL is downloaded for that unless
    it was before. Only files that the registry names are read. ``offline`` forbids the download.
    """

    name = "archive"

    def __init__(
        self,
        location: str,
        registry: Registry,
        *,
        offline: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """``say`` gets a line about each try of a download that failed and is followed by another."""
        self.location = location
        self._say = say
        self._origin = location
        self._offline = offline
        self._set: FileSet | None = None
        self._wanted = frozenset(
            name for entry in registry.entries.values() if entry.archive for name in file_names(entry.archive)
        )

    @classmethod
    def fetched(cls, registry: Registry) -> ArchiveSource | None:
        """The archive that ``bench fetch`` put into the cache last, if it is there."""
        found = recall(FETCHED)
        if found is None:
            return None
        source = cls(found[1], registry)
        source._set = FileSet(found[0])
        source.location = f"{found[1]} (cached)"
        return source

    def open(self) -> ArchiveSource:
        """Find the files now rather than at the first table. Raises :class:`SourceError` if that cannot be done."""
        _ = self._files
        return self

    def has(self, entry: Entry) -> bool:
        """Whether the files of ``entry`` are there."""
        return entry.archive is not None and all(name in self._files for name in file_names(entry.archive))

    def load(self, entry: Entry) -> Dataset:
        """The table with the published splits, exactly as the archive has it (most tables are standardised there).

        A file whose checksum is not the registry's is refused; where the registry's own copy was rebuilt or was not
        available, another table passes if its sizes, labels and index lists agree, and the dataset's ``notes`` say so.
        """
        about = entry.archive
        if about is None:
            raise DataUnavailable(f"{entry.name}: not a dataset of the study; it comes with the package")
        names = file_names(about)
        missing = [name for name in names if name not in self._files]
        if missing:
            raise DataUnavailable(f"{entry.name}: the archive {self.location} has no {' and no '.join(missing)}")
        table, tuning, holdouts = (self._files[name]() for name in names)
        at = [f"{self.location}: {name}" for name in names]
        _verify(tuning, about.tuning_sha256, at[1])
        _verify(holdouts, about.holdouts_sha256, at[2])
        verbatim = hashlib.sha256(table).hexdigest() == about.table_sha256
        if not verbatim and about.table_sha256 and not about.rebuilt:
            _verify(table, about.table_sha256, at[0])
        X, y = read_table(table, entry.rows, entry.features, entry.classes, at[0])
        splits = Splits(
            name="published",
            tuning=read_divisions(tuning, entry.rows, 1, at[1])[0],
            holdouts=read_divisions(holdouts, entry.rows, HOLDOUTS, at[2]),
        )
        notes: tuple[str, ...] = ()
        if not verbatim:
            _verify_stratified(y, splits, at[0])
            notes = ("the dataset's checksum is not the registry's; its sizes, labels and index lists agree",)
        # As the study's methods saw it: the published procedure must not scale a second time, nor scale the few
        # tables that the study left as they were.
        return Dataset(
            entry.name,
            X,
            y,
            entry.classes,
            self.name,
            standardised=True,
            published=splits,
            notes=notes,
            nominal=entry.nominal_columns,
        )

    @property
    def checksum(self) -> str:
        """sha256 over names and contents of the registry's files in it: the same for a folder and a tar file of them.

        Raises :class:`SourceError` if a file cannot be read.
        """
        digest = hashlib.sha256()
        for name in sorted(self._files):
            held = self._set.checksums[name] if self._set else hashlib.sha256(self._files[name]()).hexdigest()
            digest.update(name.encode() + bytes.fromhex(held))
        return digest.hexdigest()

    def keep(self) -> Path:
        """Have the files in the cache, where :meth:`fetched` finds them; returns the folder. Raises SourceError."""
        files = self._files
        if self._set is None:
            folder = sets_folder() / self.checksum[:32]
            self._set = FileSet(folder, lambda: ((name, files[name]()) for name in sorted(files)))
        remember(FETCHED, self._set.folder, self._origin)
        return self._set.folder

    @property
    def origin(self) -> str:
        """The path or URL that the files came from, also if they are in the cache now."""
        return self._origin

    def drop(self) -> None:
        """If this is a URL, have it downloaded anew next time."""
        drop(self.location)

    @cached_property
    def _files(self) -> Files:
        path = home_expanded(self.location)
        if self._set is None and is_url(self.location):
            self._set = self._from_url()
        elif self._set is None and path.is_file():
            self._set = self._from_tar(path)
        if self._set is not None:
            files: Files = {name: partial(self._set.read, name) for name in self._set.checksums}
        elif path.is_dir():
            files = _folder_files(path, self._wanted)
        else:
            raise SourceError(f"no archive at {path}: neither a folder nor a file")
        if not files:
            raise SourceError(
                f"{self.location}: none of the registry's datasets in it; expected the layout "
                "[anything/]<name>/<name>_R.dat"
            )
        return files

    def _from_url(self) -> FileSet:
        if (found := recall(self.location)) is not None:
            return FileSet(found[0])
        if self._offline:
            raise SourceError(f"{self.location}: not in the cache, and downloads are not allowed here")
        path = downloaded(self.location)
        download(self.location, path, say=self._say)  # it is there if a call was stopped before the unpacking
        try:
            files = self._from_tar(path)
        except SourceError as error:
            path.unlink(missing_ok=True)
            raise SourceError(str(error).replace(str(path), self.location)) from error
        remember(self.location, files.folder, self.location)
        path.unlink(missing_ok=True)
        return files

    def _from_tar(self, path: Path) -> FileSet:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        except OSError as error:
            raise SourceError(f"{path}: cannot read the archive: {error.strerror or error}") from error
        digest.update("\n".join(sorted(self._wanted)).encode())  # a registry that asks for more unpacks anew
        return FileSet(sets_folder() / digest.hexdigest()[:32], partial(read_members, path, self._key))

    def _key(self, member: str) -> str | None:
        key = "/".join(PurePosixPath(member).parts[-2:])
        return key if key in self._wanted else None


def file_names(files: ArchiveFiles) -> tuple[str, str, str]:
    """(table, tuning halves, test folds) in the archive."""
    return f"{files.folder}/{files.table}", f"{files.folder}/{TUNING_FILE}", f"{files.folder}/{HOLDOUTS_FILE}"


def _folder_files(path: Path, wanted: frozenset[str]) -> Files:
    """Files under ``path`` or one of its sub-folders. Raises :class:`SourceError` for a file that is there twice."""
    found: dict[str, Path] = {}
    try:
        bases = [path, *sorted(child for child in path.iterdir() if child.is_dir())]
        for base in bases:
            for key in wanted:
                file = base / key
                if file.is_file():
                    if key in found:
                        raise SourceError(f"{path}: {key} is there twice: {found[key]} and {file}")
                    found[key] = file
    except OSError as error:
        raise SourceError(f"{path}: cannot read the folder: {error.strerror or error}") from error
    return {key: partial(_read_file, file) for key, file in found.items()}


def _read_file(path: Path) -> bytes:
    limit = Limits().member_bytes
    try:
        if path.stat().st_size > limit:
            raise SourceError(f"{path}: larger than {limit} bytes; refused")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot read it: {error.strerror or error}") from error


def _verify(content: bytes, expected: str, where: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataInvalid(f"{where}: SHA-256 is {found}, the registry expects {expected}: not the study's file")


def _verify_stratified(y: IntArray, splits: Splits, where: str) -> None:
    """Labels and index lists belong together only if every list has the study's number of rows of every class."""
    counts = np.bincount(y)
    for division, share in [(splits.tuning, TUNING_SHARE), *((holdout, TRAIN_SHARE) for holdout in splits.holdouts)]:
        if not np.array_equal(np.bincount(y[division.train], minlength=len(counts)), first_part_counts(counts, share)):
            raise DataInvalid(f"{where}: the labels do not match the study's index lists: not the study's dataset")
