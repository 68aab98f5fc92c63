"""What a service gave, kept in the cache by the service's host: file sets, and the table that was just looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.data.cache import Build, FileSet, cache_folder, is_kept
from bench.data.frames import Format, read_frame
from bench.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd


class ServiceCache:
    """The file sets, by label, of the service ``name`` at the address ``location``; ``offline`` none is added.

    ``layout`` is raised when what is kept changes, so that older sets are not read.
    """

    def __init__(self, name: str, location: str, layout: str, *, offline: bool) -> None:
        host = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(location).netloc.rpartition("@")[2]) or name
        self.folder: Path = cache_folder() / name / host / layout
        self._location = location
        self._offline = offline
        self._new: tuple[Path, pd.DataFrame] | None = None

    def has(self, label: str) -> bool:
        """Whether the set is here."""
        return is_kept(self.folder / label)

    def files(self, label: str, build: Build) -> FileSet:
        """The set; made by ``build`` unless it is here. Raises as :class:`FileSet` does, :class:`SourceError` too."""
        return FileSet(self.folder / label, self._refuse if self._offline else build)

    def kept(self, label: str) -> FileSet:
        """The set, which must be here. Raises :class:`SourceError`."""
        return FileSet(self.folder / label, self._refuse)

    def look_at(self, label: str, content: bytes, format: Format, where: str) -> pd.DataFrame:
        """The table that is about to be kept: only what can be read is. :meth:`table` need not read it again."""
        frame = read_frame(content, format, where)
        self._new = self.folder / label, frame
        return frame

    def table(self, files: FileSet, name: str, format: Format, where: str) -> pd.DataFrame:
        """The table in the file ``name`` of a set."""
        new, self._new = self._new, None
        if new is not None and new[0] == files.folder:
            return new[1]
        return read_frame(files.read(name), format, where)

    def _refuse(self) -> Iterable[tuple[str, bytes]]:
        raise SourceError(f"{self._location}: not in the cache, and downloads are not allowed here")
