"""Reading tars: all compressions, every kind of damage, and archives made to do harm."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import refused

from bench.data.tar import Limits, read_members
from bench.errors import SourceError

MIB = 1 << 20
MEMBERS = [("data/a/one.dat", b"one" * 400), ("data/a/other.txt", b"unwanted"), ("data/b/two.dat", b"two" * 700)]
SMALL = Limits(member_bytes=4096, total_bytes=MIB, members=20, header_bytes=1 << 16)


def wanted(name: str) -> str | None:
    """The last two parts of a name that ends in .dat."""
    return "/".join(name.split("/")[-2:]) if name.endswith(".dat") else None


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """A member's header, without the content."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info.tobuf(tarfile.GNU_FORMAT)


def plain(name: str, content: bytes) -> bytes:
    """A whole member."""
    return header(name, len(content)) + content + bytes(-len(content) % 512)


def tar_bytes(members: list[tuple[str, bytes]]) -> bytes:
    return b"".join(plain(*member) for member in members) + bytes(1024)


def read(tmp_path: Path, content: bytes, limits: Limits = SMALL) -> dict[str, bytes]:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    return dict(read_members(path, wanted, limits))


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_compressions_and_formats(tmp_path: Path, mode: str, form: int) -> None:
    long = "x" * 90 + "/b/three.dat"
    for name, content in [*MEMBERS, (long, b"3")]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "a.tar"
    with tarfile.open(path, mode, format=form) as tar:
        for name in ("data", long):
            tar.add(tmp_path / name, name)
    found = dict(read_members(path, wanted, SMALL))
    assert found == {"a/one.dat": b"one" * 400, "b/two.dat": b"two" * 700, "b/three.dat": b"3"}


@pytest.mark.parametrize("name", ["/data/a/one.dat", "data/b/../a/one.dat", "./data/a/one.dat"])
def test_names_of_the_same_place_are_one(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, tar_bytes([(name, b"1")])) == {"a/one.dat": b"1"}
    refused(SourceError, r"'a/one.dat' comes twice", read, tmp_path, tar_bytes([(name, b"evil"), MEMBERS[0]]))


def table_of_holes() -> bytes:
    first = bytearray(header("data/a/one.dat", kind=tarfile.GNUTYPE_SPARSE))
    first[482] = 1  # one more block of holes follows, and says the same
    first[148:156] = b"%06o\0 " % (sum(first) - sum(first[148:156]) + 8 * 32)
    return bytes(first) + (b"00000000001\0" * 42 + b"\1" + bytes(7)) * 1000


BROKEN = "broken or truncated"
LONG = tarfile.TarInfo("x")
LONG.pax_headers = {"comment": "c" * 500_000}
LINKS = (header("././@LongLink", 1, tarfile.GNUTYPE_LONGNAME) + b"a" + bytes(511)) * 2000
DAMAGED = tar_bytes(MEMBERS).replace(b"data/a/other.txt", b"Data/a/other.txt")
"""A header in the middle, which is not to be taken for the end."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(tar_bytes([(f"d/a/{i}.txt", b"") for i in range(21)])), "more than 20 members"),
        (gzip.compress(tar_bytes([(f"d/{i}", bytes(400_000)) for i in range(3)])), "more than 1048576 bytes when unp"),
        (LONG.tobuf(tarfile.PAX_FORMAT) + bytes(1024), "a header larger than 65536 bytes"),
        (gzip.compress(LINKS), rf"{BROKEN} archive: maximum recursion|a header larger"),
        (table_of_holes(), "a header larger than 65536 bytes"),
        (header("data/a/one.txt", -512) + bytes(2048), rf"backwards; refused|{BROKEN}"),
        (header("data/a/one.txt", -(1 << 40)) + bytes(2048), rf"backwards; refused|{BROKEN}"),
        (tar_bytes([("d/a/big.dat", bytes(5000))]), r"'d/a/big.dat' is too large \(5000 bytes\)"),
        (tar_bytes(MEMBERS[:1]) + tar_bytes(MEMBERS[1:]), "unreadable before"),
        (header("data/a/one.dat", 4000) + bytes(600), BROKEN),
        (DAMAGED, f"{BROKEN} archive: unreadable before byte 2560"),
        *[(junk, f"{BROKEN} archive") for junk in (b"", b"not a tar at all", bytes(10))],
        *[(junk, f"{BROKEN} archive") for junk in (b"\x1f\x8b\x08junk", b"\xfd7zXZ\x00junk", b"BZh9junk")],
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_what_is_broken_or_asks_for_too_much_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    limits = replace(SMALL, header_bytes=4 << 20) if "recursion" in message else SMALL
    refused(SourceError, message, read, tmp_path, content, limits)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    refused(SourceError, "nowhere", lambda: dict(read_members(tmp_path / "nowhere.tar", wanted)))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_every_truncation_is_noticed(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    content = compress(tar_bytes(MEMBERS))
    assert len(read(tmp_path, content)) == 2
    plain_end = len(content) - 1024 if compress is bytes else len(content)
    for cut in range(0, plain_end, max(1, len(content) // 60)):
        with pytest.raises(SourceError):
            read(tmp_path, content[:cut])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_end_in_content_or_a_source_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(tar_bytes(MEMBERS))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        members = read(tmp_path, bytes(content))
    except SourceError:
        return
    assert all(key.count("/") <= 1 and ".." not in key for key in members)


def with_the_tables(tiny: Any, before: bytes) -> Any:
    """The study's archive, read from a tar that begins with the members ``before`` its own."""
    path = tiny.tar("a.tar", "w:")
    path.write_bytes(before + path.read_bytes())
    return tiny.source(path)


def written(folder: Path) -> set[str]:
    """What is in ``folder`` besides the archive and its registry."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "tiny" not in path.parts}


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..\\alpha\\alpha_R.dat", "data\n/alpha\n/x", "data/alpha/alpha_R.dat\n", "x" * 5000],
)
def test_odd_names_are_passed_over(tiny: Any, tmp_path: Path, own_cache: Path, name: str) -> None:
    assert with_the_tables(tiny, plain(name, b"evil")).load(tiny.entry()).X.shape == (24, 3)
    assert all(name.startswith("cache") for name in written(tmp_path))
    contents = [file.read_bytes() for file in own_cache.rglob("*") if file.is_file()]
    assert contents
    assert b"evil" not in contents


WANTED = "data/alpha/alpha_R.dat"
KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
OUTSIDE = ("../../alpha/alpha_R.dat", "data/../../alpha/alpha_R.dat", "/../alpha/alpha_R.dat")
TWICE = ("/etc/alpha/alpha_R.dat", "once/alpha/alpha_R.dat", "a\nb/alpha/alpha_R.dat")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *[(header(WANTED, kind=kind, link="/etc/passwd"), "is not a plain file; refused") for kind in KINDS],
        *[(plain(name, b"1"), "which is outside the destination; refused") for name in OUTSIDE],
        *[(plain(name, b"1"), "'alpha/alpha_R.dat' comes twice") for name in TWICE],
        (header(WANTED, size=10 << 30), "is too large .10737418240 bytes.; refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_what_would_do_harm_is_refused_and_leaves_no_trace(
    tiny: Any, tmp_path: Path, own_cache: Path, content: bytes, message: str
) -> None:
    refused(SourceError, message, with_the_tables(tiny, content).open)
    assert written(tmp_path) <= {"cache", "cache/archives"}
    assert not list((own_cache / "archives").iterdir())


def test_ten_gigabytes_in_a_megabyte(tiny: Any, tmp_path: Path, own_cache: Path) -> None:
    """xz packs a hundred megabytes of zeros into fifteen kilobytes, and concatenated files are one."""
    hundred = lzma.compress(bytes(100 * MIB), preset=0)
    path = tmp_path / "bomb.tar.xz"
    path.write_bytes(lzma.compress(header("data/padding", size=100 * 100 * MIB)) + 100 * hundred)
    assert path.stat().st_size < 2 * MIB
    source = tiny.source(path)
    tracemalloc.start()
    refused(SourceError, r"it becomes more than \d+ bytes when unpacked; refused", source.open)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * MIB
    assert not list((own_cache / "archives").iterdir())
