"""The cache: sets of files unpacked once, found again by what they are, and checked whenever they are read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import platformdirs

from bench.data.location import home_expanded
from bench.errors import SourceError
from bench.files import write_atomically

_INDEX = "index.json"

Build = Callable[[], Iterable[tuple[str, bytes]]]

_chosen: ContextVar[str | None] = ContextVar("cache folder", default=None)


def cache_folder() -> Path:
    """Where tables are kept between runs. Not created here.

    The folder given to :func:`using_cache`, else ``BENCH_CACHE``, else the platform's cache folder.
    """
    chosen = _chosen.get() or os.environ.get("BENCH_CACHE")
    return home_expanded(chosen) if chosen else platformdirs.user_cache_path("rfmbench", appauthor=False)


@contextmanager
def using_cache(folder: str | None) -> Iterator[None]:
    """Within it :func:`cache_folder` is ``folder``; None changes nothing."""
    token = _chosen.set(folder or _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)


class FileSet:
    """Named contents in a folder, which counts once its ``index.json`` with the SHA-256 of each is there.

    ``build()`` gives the (name, content) pairs anew when the folder is not there or turns out to be damaged; None for a
    set that must already be there.
    """

    def __init__(self, folder: Path, build: Build | None = None) -> None:
        """Open the set at ``folder`` or make it. Raises :class:`SourceError` if the cache cannot be used, and whatever
        ``build`` raises: then nothing is left behind."""
        self.folder = folder
        self._build = build
        self.checksums = self._index() or self._make()

    def read(self, name: str) -> bytes:
        """The content of ``name``, checked against its checksum. ``KeyError`` if the set has no such name."""
        content = self._content(self.checksums[name])
        if content is None:  # deleted or damaged since
            self.checksums = self._make()
            content = self._content(self.checksums[name])
        if content is None:
            raise SourceError(f"{self.folder}: the cached copy of {name} cannot be read back")
        return content

    def _index(self) -> dict[str, str]:
        try:
            index = json.loads((self.folder / _INDEX).read_text())
        except (OSError, ValueError):
            return {}
        whole = isinstance(index, dict) and all(isinstance(checksum, str) for checksum in index.values())
        return index if whole else {}

    def _content(self, checksum: str) -> bytes | None:
        return undamaged(self.folder / checksum[:32], checksum)

    def _make(self) -> dict[str, str]:
        if self._build is None:
            raise SourceError(f"{self.folder}: the cached datasets are missing or damaged; fetch them again")
        import filelock

        with writing(self.folder.parent):
            self.folder.mkdir(exist_ok=True)
            try:
                with filelock.FileLock(self.folder / ".lock"):
                    checksums = self._index()
                    if checksums and all(self._content(checksum) is not None for checksum in checksums.values()):
                        return checksums  # another process was faster
                    checksums = {}
                    for name, content in self._build():
                        checksums[name] = hashlib.sha256(content).hexdigest()
                        (self.folder / checksums[name][:32]).write_bytes(content)
                    write_atomically(self.folder / _INDEX, json.dumps(checksums))
            finally:
                if not is_kept(self.folder):
                    shutil.rmtree(self.folder, ignore_errors=True)
        return checksums


def is_kept(folder: Path) -> bool:
    """Whether a set stands in ``folder`` (not whether its files are undamaged)."""
    return (folder / _INDEX).is_file()


def undamaged(path: Path, sha256: str) -> bytes | None:
    """The content of ``path``, None if it is not there or another."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def remember(label: str, folder: Path, location: str) -> None:
    """Note under ``label`` that the set in ``folder`` came from ``location``. Raises :class:`SourceError`."""
    with writing(sets_folder()):
        write_atomically(_note(label), json.dumps({"folder": folder.name, "location": location}))


def recall(label: str) -> tuple[Path, str] | None:
    """(folder, location) last noted under ``label``, if the set is still there."""
    note = _note(label)
    try:
        content = json.loads(note.read_text())
        folder = note.parent / Path(content["folder"]).name
        location = str(content["location"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (folder, location) if is_kept(folder) else None


def drop(label: str) -> None:
    """Drop the note under ``label``, so that what it names is fetched anew."""
    _note(label).unlink(missing_ok=True)


def sets_folder() -> Path:
    """Where file sets stand in the cache."""
    return cache_folder() / "archives"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make the ``folder`` of the cache; what cannot be written in the block is a :class:`SourceError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or error
        raise SourceError(
            f"{folder}: cannot write the cache: {reason}; name another folder with --cache or BENCH_CACHE"
        ) from error


def _note(label: str) -> Path:
    return sets_folder() / f"{hashlib.sha256(label.encode()).hexdigest()[:32]}.json"
