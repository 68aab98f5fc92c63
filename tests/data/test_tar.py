"""Reading tars: all compressions, every kind of damage, and archives made to do harm."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import refused

from bench.data.tar import Limits, read_members
from bench.errors import SourceError

MEMBERS = [("data/a/one.dat", b"one" * 400), ("data/a/other.txt", b"unwanted"), ("data/b/two.dat", b"two" * 700)]
SMALL = Limits(member_bytes=4096, total_bytes=1 << 20, members=20, header_bytes=1 << 16)


def wanted(name: str) -> str | None:
    """The last two parts of a name that ends in .dat."""
    return "/".join(name.split("/")[-2:]) if name.endswith(".dat") else None


def tar_bytes(members: list[tuple[str, bytes]], edit: Callable[[tarfile.TarInfo], None] = lambda info: None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            edit(info)
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return buffer.getvalue()


def read(tmp_path: Path, content: bytes, limits: Limits = SMALL) -> dict[str, bytes]:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    return dict(read_members(path, wanted, limits))


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_compressions_and_formats(tmp_path: Path, mode: str, form: int) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, mode, format=form) as tar:
        folder = tarfile.TarInfo("data/a")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in [*MEMBERS, ("x" * 90 + "/b/three.dat", b"3")]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert dict(read_members(path, wanted, SMALL)) == {
        "a/one.dat": b"one" * 400,
        "b/two.dat": b"two" * 700,
        "b/three.dat": b"3",
    }


@pytest.mark.parametrize("name", ["../a/one.dat", "data/../../a/one.dat", "/../a/one.dat"])
def test_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    refused(SourceError, "outside the destination; refused", read, tmp_path, tar_bytes([(name, b"evil"), MEMBERS[0]]))
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]  # nothing is written anywhere


@pytest.mark.parametrize("name", ["/data/a/one.dat", "data/b/../a/one.dat", "./data/a/one.dat"])
def test_names_of_the_same_place_are_one(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, tar_bytes([(name, b"1")])) == {"a/one.dat": b"1"}
    refused(SourceError, r"'a/one.dat' comes twice", read, tmp_path, tar_bytes([(name, b"evil"), MEMBERS[0]]))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_a_wanted_name_must_be_a_plain_file(tmp_path: Path, kind: bytes) -> None:
    def disguise(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    with pytest.raises(SourceError, match=r"'data/a/one.dat' is not a plain file; refused"):
        read(tmp_path, tar_bytes(MEMBERS[:1], disguise))


def test_a_member_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"'a/one.dat' comes twice"):
        read(tmp_path, tar_bytes([*MEMBERS, ("elsewhere/a/one.dat", b"another")]))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("d/a/big.dat", bytes(5000))], "too large"),
        ([(f"d/a/{i}.txt", b"") for i in range(21)], "more than 20 members"),
        ([(f"d/a/{i}.txt", bytes(400_000)) for i in range(3)], "more than 1048576 bytes when unpacked"),
    ],
)
def test_what_asks_for_too_much_is_refused(tmp_path: Path, members: list[tuple[str, bytes]], message: str) -> None:
    refused(SourceError, message, read, tmp_path, gzip.compress(tar_bytes(members)))


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "c" * 500_000}
    header = info.tobuf(tarfile.PAX_FORMAT)
    assert len(header) > 500_000
    refused(SourceError, "a header larger than 65536 bytes", read, tmp_path, header + bytes(1024))


def test_a_chain_of_headers_without_end(tmp_path: Path) -> None:
    link = tarfile.TarInfo("././@LongLink")
    link.type, link.size = tarfile.GNUTYPE_LONGNAME, 1
    with pytest.raises(SourceError, match=r"broken or truncated archive: maximum recursion|a header larger"):
        read(tmp_path, gzip.compress((link.tobuf() + b"a" + bytes(511)) * 2000), Limits(header_bytes=4 << 20))


def test_a_table_of_holes_without_end(tmp_path: Path) -> None:
    sparse = tarfile.TarInfo("data/a/one.dat")
    sparse.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1  # one more block of holes follows, and says the same
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    more = b"00000000001\0" * 42
    with pytest.raises(SourceError, match="a header larger than 65536 bytes"):
        read(tmp_path, bytes(header) + (more + b"\1" + bytes(7)) * 1000)


@pytest.mark.parametrize("size", [-512, -(1 << 40)])
def test_a_header_that_points_backwards(tmp_path: Path, size: int) -> None:
    info = tarfile.TarInfo("data/a/one.txt")
    info.size = size
    with pytest.raises(SourceError, match=r"backwards; refused|broken or truncated"):
        read(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))


def test_content_behind_the_end_mark(tmp_path: Path) -> None:
    refused(SourceError, "unreadable before", read, tmp_path, tar_bytes(MEMBERS[:1]) + tar_bytes(MEMBERS[1:]))


def test_a_member_that_claims_more_than_there_is(tmp_path: Path) -> None:
    info = tarfile.TarInfo("data/a/one.dat")
    info.size = 4000
    refused(SourceError, "broken or truncated", read, tmp_path, info.tobuf() + bytes(600))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_every_truncation_is_noticed(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    content = compress(tar_bytes(MEMBERS).rstrip(b"\0") + bytes(1024))
    whole = read(tmp_path, content)
    assert len(whole) == 2
    step = max(1, len(content) // 60)
    plain_end = len(content) - 1024 if compress is bytes else len(content)
    for cut in range(0, plain_end, step):
        with pytest.raises(SourceError):
            read(tmp_path, content[:cut])


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    content = bytearray(tar_bytes(MEMBERS))
    second = content.index(b"data/a/other.txt")
    content[second] ^= 0xFF
    refused(SourceError, "broken or truncated archive: unreadable before byte 2560", read, tmp_path, bytes(content))


@pytest.mark.parametrize(
    "content", [b"", b"not a tar at all", bytes(10), b"\x1f\x8b\x08junk", b"\xfd7zXZ\x00junk", b"BZh9junk"]
)
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    refused(SourceError, "broken or truncated archive", read, tmp_path, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        dict(read_members(tmp_path / "nowhere.tar", wanted))


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
