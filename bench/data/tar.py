"""Reading selected members of a tar file that may be broken or hostile."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from bench.errors import SourceError, one_line

_OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}


@dataclass(frozen=True)
class Limits:
    """What an archive may ask for before it is refused, in bytes and members. The study's own stays far below.

    Beyond ``free_bytes`` an archive may be ``growth`` times as large unpacked as it is packed: tables of numbers shrink
    by a factor of ten or so, bombs by thousands.
    """

    member_bytes: int = 256 << 20
    total_bytes: int = 4 << 30
    members: int = 50_000
    header_bytes: int = 1 << 20
    free_bytes: int = 64 << 20
    growth: int = 100


def read_members(
    path: Path, wanted: Callable[[str], str | None], limits: Limits | None = None
) -> Iterator[tuple[str, bytes]]:
    """(key, content) of each member of the tar at ``path`` (plain, .gz, .bz2 or .xz) that ``wanted`` gives a key for.

    Nothing is written to disk. Raises :class:`SourceError`, naming the file and the member, for a broken or truncated
    archive, a wanted member that is not a plain file, comes twice or lies outside (:func:`tarfile.data_filter`), and
    what exceeds ``limits``. As the end is checked last, content is to be trusted only once the iterator is exhausted.
    """
    if not hasattr(tarfile, "data_filter"):
        raise SourceError(f"{path}: Python's tarfile has no data filter before 3.11.4; unpack it and name the folder")
    bounds = limits or Limits()
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        opener = next((opener for start, opener in _OPENERS.items() if magic.startswith(start)), open)
        with opener(path, "rb") as raw:
            yield from _members(_Bounded(raw, bounds, path.stat().st_size), wanted, bounds)
    except (SourceError, tarfile.FilterError) as error:
        raise SourceError(f"{path}: {one_line(error)}; refused") from error
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path}: broken or truncated archive: {one_line(error) or type(error).__name__}") from error


def _members(stream: _Bounded, wanted: Callable[[str], str | None], bounds: Limits) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    count = 0
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as tar:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # else it keeps every header that it has read
            count += 1
            if count > bounds.members:
                raise SourceError(f"more than {bounds.members} members")
            key = wanted(member.name)
            if key is None:
                stream.allow(member.size)
                continue
            if not member.isreg() or member.issparse():
                raise SourceError(f"{member.name!r} is not a plain file")
            tarfile.data_filter(member, "")
            if key in seen:
                raise SourceError(f"{key!r} comes twice ({member.name!r})")
            if member.size > bounds.member_bytes:
                raise SourceError(f"{member.name!r} is too large ({member.size} bytes)")
            seen.add(key)
            stream.allow(member.size)
            yield key, cast(IO[bytes], tar.extractfile(member)).read()
    # tarfile takes a damaged header and a missing one for the end of the archive. The real end is a block of zeros and
    # nothing after it; reading on also has a compressed stream check itself.
    rest = iter(lambda: stream.read(tarfile.RECORDSIZE), b"")
    if stream.last != bytes(tarfile.BLOCKSIZE) or any(chunk.strip(b"\0") for chunk in rest):
        raise tarfile.ReadError(f"unreadable before byte {stream.tell()}")


class _Bounded:
    """A stream that is read forwards, and not far beyond what the headers seen so far account for.

    tarfile reads an extended header of any declared size into memory, and tables of sparse files without end.
    """

    def __init__(self, raw: IO[bytes], bounds: Limits, packed: int) -> None:
        self._raw = raw
        self._headers = bounds.header_bytes
        self._most = min(bounds.total_bytes, max(bounds.free_bytes, bounds.growth * packed))
        self._position = 0
        self.last = b""
        self.allow(0)

    def allow(self, size: int) -> None:
        """Let a member of ``size`` bytes and the next header pass."""
        self._end = self._position + size + self._headers

    def read(self, size: int) -> bytes:
        self._check(self._position + size)
        self.last = self._raw.read(size)
        self._position += len(self.last)
        return self.last

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        self._check(position)
        while self._position < position and self.read(min(position - self._position, 1 << 16)):
            pass

    def _check(self, position: int) -> None:
        if position > self._end or position < self._position:
            raise SourceError(f"a header larger than {self._headers} bytes, or one that points backwards")
        if position > self._most:
            raise SourceError(f"it becomes more than {self._most} bytes when unpacked")
