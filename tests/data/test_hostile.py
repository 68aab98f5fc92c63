"""Archives made to do harm, all the way from the file to the cache: refused in one line, and no trace left."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from refusals import refused

from bench.data.archive import ArchiveSource
from bench.errors import SourceError

MIB = 1 << 20


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """A header, without the content."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info.tobuf(tarfile.GNU_FORMAT)


def plain(name: str, content: bytes) -> bytes:
    """A whole member."""
    return member(name, len(content)) + content + bytes(-len(content) % 512)


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def archive(tiny: Any, tmp_path: Path) -> Any:
    """Writes an archive of the tables and of what is put before them."""

    def write(*before: bytes) -> Path:
        path = tmp_path / "archive.tar"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in tiny.members():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        path.write_bytes(b"".join(before) + buffer.getvalue())
        return path

    return write


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\alpha\\alpha_R.dat",
        "data\n/alpha\n/x",
        "data/alpha/alpha_R.dat\n",
        "data/alpha/\x1b[2Jx",
        "x" * 5000,
    ],
)
def test_odd_names_are_passed_over(tiny: Any, archive: Any, tmp_path: Path, own_cache: Path, name: str) -> None:
    registry = tiny.registry()
    path = archive(plain(name, b"evil"))
    before = everything(tmp_path)
    source = ArchiveSource(str(path), registry)
    assert source.load(registry.entry("alpha")).X.shape == (24, 3)
    assert all(name.startswith("cache") for name in everything(tmp_path) - before)
    contents = [file.read_bytes() for file in own_cache.rglob("*") if file.is_file()]
    assert contents
    assert b"evil" not in contents


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (member("data/alpha/alpha_R.dat", kind=tarfile.SYMTYPE, link="/etc/passwd"), "is not a plain file; refused"),
        (member("data/alpha/alpha_R.dat", kind=tarfile.LNKTYPE, link="../../x"), "is not a plain file; refused"),
        (member("data/alpha/alpha_R.dat", kind=tarfile.CHRTYPE), "is not a plain file; refused"),
        (member("data/alpha/alpha_R.dat", kind=tarfile.FIFOTYPE), "is not a plain file; refused"),
        (plain("../../alpha/alpha_R.dat", b"1"), "which is outside the destination; refused"),
        (plain("data/../../alpha/alpha_R.dat", b"1"), "which is outside the destination; refused"),
        (plain("/etc/alpha/alpha_R.dat", b"1"), "'alpha/alpha_R.dat' comes twice"),
        (plain("once/alpha/alpha_R.dat", b"1"), "'alpha/alpha_R.dat' comes twice"),
        (plain("a\nb/alpha/alpha_R.dat", b"1"), r"'alpha/alpha_R.dat' comes twice"),
        (member("data/alpha/alpha_R.dat", size=10 << 30), "is too large .10737418240 bytes.; refused"),
    ],
)
def test_what_would_do_harm_is_refused_in_one_line(
    tiny: Any, archive: Any, tmp_path: Path, own_cache: Path, content: bytes, message: str
) -> None:
    path, registry = archive(content), tiny.registry()
    before = everything(tmp_path)
    refused(SourceError, message, ArchiveSource(str(path), registry).open)
    assert everything(tmp_path) - before <= {"cache", "cache/archives"}
    assert not list((own_cache / "archives").iterdir())


def test_ten_gigabytes_in_a_megabyte(tiny: Any, tmp_path: Path, own_cache: Path) -> None:
    """xz packs a hundred megabytes of zeros into fifteen kilobytes, and concatenated files are one."""
    hundred = lzma.compress(bytes(100 * MIB), preset=0)
    path = tmp_path / "bomb.tar.xz"
    path.write_bytes(lzma.compress(member("data/padding", size=100 * 100 * MIB)) + 100 * hundred)
    assert path.stat().st_size < 2 * MIB
    source = ArchiveSource(str(path), tiny.registry())
    tracemalloc.start()
    refused(SourceError, r"it becomes more than \d+ bytes when unpacked; refused", source.open)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * MIB
    assert not list((own_cache / "archives").iterdir())


def test_a_wanted_file_of_zeros(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(member("data/alpha/alpha_R.dat", size=80 * MIB) + bytes(80 * MIB), 1))
    refused(SourceError, "when unpacked", ArchiveSource(str(path), tiny.registry()).open)
