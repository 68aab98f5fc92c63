"""Reading chosen members of a tar file that may be broken or hostile, in one pass and without trusting a header."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from bench.errors import SourceError

_BLOCK = 512


@dataclass(frozen=True)
class Limits:
    """What an archive may ask for before it is refused, in bytes and members. The study's own stays far below.

    Beyond ``free_bytes`` an archive may be ``growth`` times as large unpacked as it is packed: tables of numbers shrink
    by a factor of ten or so, bombs by thousands.
    """

    member_bytes: int = 256 << 20
    wanted_bytes: int = 2 << 30
    total_bytes: int = 16 << 30
    members: int = 50_000
    header_bytes: int = 1 << 20
    free_bytes: int = 64 << 20
    growth: int = 100


def read_members(
    path: Path, wanted: Callable[[str], str | None], limits: Limits | None = None
) -> Iterator[tuple[str, bytes]]:
    """(key, content) of each member of the tar at ``path`` (plain, .gz, .bz2 or .xz) that ``wanted`` gives a key for.

    ``wanted`` sees the member's name with ``/`` between folders; names that are absolute or climb with ``..`` are never
    offered to it. Nothing is written to disk. Raises :class:`SourceError`, naming the file and the member, for a broken
    or truncated archive, a wanted member that is not a plain file or comes twice, and what exceeds ``limits``. As the
    end of the archive is checked last, content is to be trusted only once the iterator is exhausted.
    """
    bounds = limits or Limits()
    try:
        with _decompressed(path) as raw:
            yield from _members(path, _Metered(raw, path, bounds), wanted, bounds)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError, OverflowError) as error:
        raise SourceError(f"{path}: broken or truncated archive: {error or type(error).__name__}") from error


def _members(
    path: Path, stream: _Metered, wanted: Callable[[str], str | None], bounds: Limits
) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    wanted_bytes = count = end = 0
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", bufsize=16 * _BLOCK) as tar:
        for member in tar:
            count += 1
            if count > bounds.members:
                raise SourceError(f"{path}: more than {bounds.members} members; refused")
            stream.allow(max(member.size, 0))
            has_data = member.isreg() or member.type not in tarfile.SUPPORTED_TYPES
            end = member.offset_data + (_whole_blocks(member.size) if has_data else 0)
            key = wanted(member.name) if _plain(member.name) else None
            if key is None:
                continue
            if not member.isreg() or member.issparse():
                raise SourceError(f"{path}: {member.name!r} is not a plain file; refused")
            if key in seen:
                raise SourceError(f"{path}: {key!r} comes twice ({member.name!r}); refused")
            seen.add(key)
            wanted_bytes += member.size
            if member.size > bounds.member_bytes or wanted_bytes > bounds.wanted_bytes:
                raise SourceError(f"{path}: {member.name!r} is too large ({member.size} bytes); refused")
            content = cast(IO[bytes], tar.extractfile(member)).read()
            if len(content) != member.size:
                raise SourceError(f"{path}: {member.name!r} ends after {len(content)} of {member.size} bytes")
            yield key, content
    stream.drain()
    # tarfile takes a damaged header for the end of the archive. The real end is a block of zeros, and nothing after it.
    if stream.nonzero_end > end:
        raise SourceError(f"{path}: broken archive: unreadable after byte {end}")
    if stream.position < end + _BLOCK:
        raise SourceError(f"{path}: truncated archive: its end mark is missing")


def _plain(name: str) -> bool:
    return not name.startswith("/") and ".." not in PurePosixPath(name).parts


def _whole_blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if magic.startswith(b"\xfd7zXZ\x00"):
        return cast(IO[bytes], lzma.open(path, "rb"))
    if magic.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(path, "rb"))
    return path.open("rb")


class _Metered(io.RawIOBase):
    """A stream that stops when more is read than the headers seen so far account for.

    tarfile reads an extended header of any declared size into memory; the allowance, ``header_bytes`` beyond the
    members announced, keeps such a header from filling it.
    """

    def __init__(self, raw: IO[bytes], path: Path, bounds: Limits) -> None:
        self._raw = raw
        self._path = path
        self._bounds = bounds
        self._allowed = bounds.header_bytes
        self._packed = path.stat().st_size
        self.position = 0
        self.nonzero_end = 0

    def allow(self, size: int) -> None:
        """Let a member of ``size`` bytes and the next header pass."""
        self._allowed = self.position + _whole_blocks(size) + self._bounds.header_bytes

    def read(self, size: int = -1) -> bytes:
        chunk = self._raw.read(size)
        if chunk:
            kept = chunk.rstrip(b"\0")
            if kept:
                self.nonzero_end = self.position + len(kept)
            self.position += len(chunk)
        if self.position > min(self._allowed, self._bounds.total_bytes):
            raise SourceError(
                f"{self._path}: refused: a header larger than {self._bounds.header_bytes} bytes, or more than "
                f"{self._bounds.total_bytes} bytes in all"
            )
        if self.position > max(self._bounds.free_bytes, self._bounds.growth * self._packed):
            raise SourceError(
                f"{self._path}: refused: {self._packed} bytes that become more than {self.position} when unpacked"
            )
        return chunk

    def drain(self) -> None:
        """Read what is left, so that the compressed stream's own check of its end is made."""
        while self.read(1 << 16):
            if self.nonzero_end == self.position:
                break  # content after the end mark: the caller refuses it
