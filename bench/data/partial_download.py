"""A partial download: what has arrived of a file, kept until it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.errors import SourceError


@dataclass(frozen=True)
class Checksum:
    """What a file must hash to: the ``algorithm`` by hashlib's name and the ``digest`` in hexadecimal."""

    algorithm: str
    digest: str


class PartialDownload:
    """What has arrived of a file: ``<to>.part``, and ``<to>.part.json`` about the server's version of it."""

    def __init__(self, url: str, to: Path) -> None:
        self._url = url
        self._to = to
        self._path = to.with_name(f"{to.name}.part")
        self._note = to.with_name(f"{to.name}.part.json")
        self._file: IO[bytes] | None = None
        self._moved = False
        self.size = 0
        """Bytes that have arrived."""

    def __enter__(self) -> PartialDownload:
        with self._writing():
            self._file = self._path.open("ab")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                here = os.fstat(self._file.fileno())
                if here.st_ino != self._path.stat().st_ino:  # moved to its place between opening and locking
                    raise BlockingIOError
            except (BlockingIOError, FileNotFoundError) as error:
                self._file.close()
                raise SourceError(f"{self._url}: is being downloaded by another process at the moment") from error
            self.size = here.st_size
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        with self._writing():
            if self.size == 0 and not self._moved:
                self._path.unlink(missing_ok=True)
                self._note.unlink(missing_ok=True)
            self._file.close()

    def validator(self) -> str:
        """ETag or date by which the server tells whether this is the start of its file; empty to start anew."""
        if self.size == 0:
            return ""
        try:
            note = json.loads(self._note.read_text())
            known = str(note["validator"]) if note["url"] == self._url else ""
        except (OSError, ValueError, KeyError, TypeError):
            known = ""
        return known

    def begin(self, validator: str) -> None:
        """Drop what is there and start a version of the file that ``validator`` will tell from others."""
        with self._writing():
            assert self._file is not None
            self._file.truncate(0)
            self.size = 0
            self._note.write_text(json.dumps({"url": self._url, "validator": validator}))

    def add(self, chunk: bytes) -> None:
        """Append ``chunk``."""
        with self._writing():
            assert self._file is not None
            self._file.write(chunk)
            self.size += len(chunk)

    def start(self, count: int) -> bytes:
        """The first ``count`` bytes, or what has arrived of them."""
        with self._writing():
            assert self._file is not None
            self._file.flush()
            with self._path.open("rb") as file:
                return file.read(count)

    def finish(self, checksum: Checksum | None) -> None:
        """Check the whole and move it to its place; drop what fails the check."""
        with self._writing():
            assert self._file is not None
            self._file.flush()
            os.fsync(self._file.fileno())
            if checksum is not None:
                with self._path.open("rb") as file:
                    found = hashlib.file_digest(file, checksum.algorithm).hexdigest()
                if found != checksum.digest:
                    self.begin("")
                    raise SourceError(
                        f"{self._url}: {checksum.algorithm.upper()} is {found}, expected {checksum.digest}: damaged, "
                        "or another file than the one meant"
                    )
            self._path.replace(self._to)
            self._moved = True
            self._note.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(
                f"{self._to.parent}: cannot write the download: {error.strerror or error}; name another folder with "
                "--cache or BENCH_CACHE"
            ) from error
