"""Downloads over real HTTP: whole and checked, or an error in one line and nothing that could be taken for the file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from loopback import (
    Fault,
    Loopback,
    Page,
    another_part,
    broken_off,
    drip,
    no_length,
    page_by_bytes,
    silence,
    status,
    web_page,
)

from bench.data.download import RetryPolicy, download
from bench.data.partial_download import Checksum, PartialDownload
from bench.errors import SourceError

CONTENT = hashlib.shake_256(b"a file").digest(300_000)
SHA256 = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def url(web: Loopback) -> str:
    web.pages["/file"] = Page(CONTENT)
    return f"{web.url}/file"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder / "file"


def ranges(web: Loopback) -> list[str | None]:
    return [headers.get("Range") for _, headers in web.requests]


def test_a_good_server(web: Loopback, url: str, to: Path) -> None:
    download(url, to, checksum=SHA256)
    assert to.read_bytes() == CONTENT
    assert list(to.parent.iterdir()) == [to]
    assert ranges(web) == [None]


@pytest.mark.parametrize(
    "fault", [broken_off(100_000), broken_off(100_000, reset=True), silence], ids=["cut", "reset", "silent"]
)
def test_a_connection_that_breaks_is_gone_on_with(web: Loopback, url: str, to: Path, fault: Fault) -> None:
    web.faults["/file"] = [fault, broken_off(50_000)]
    said: list[str] = []
    download(url, to, say=said.append, retry_policy=RetryPolicy(attempts=3, pause_seconds=0.01, timeout_seconds=0.5))
    assert to.read_bytes() == CONTENT
    assert len(said) == 2
    assert all("trying again in" in line for line in said)
    sizes = [0 if asked is None else int(asked[6:-1]) for asked in ranges(web)]
    assert sizes == sorted(sizes)
    assert sizes[2] >= 50_000
    assert [headers.get("If-Range") for _, headers in web.requests][2] == web.pages["/file"].etag


def test_a_later_call_goes_on_where_this_one_stopped(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [broken_off(70_000)] * 3
    with pytest.raises(SourceError, match=r"it broke off after 210000 of 300000 bytes \(3 tries\); try again later"):
        download(url, to)
    assert not to.exists()
    download(url, to)
    assert to.read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=70000-", "bytes=140000-", "bytes=210000-"]
    assert list(to.parent.iterdir()) == [to]


def test_a_file_that_changed_meanwhile_is_taken_from_the_start(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [broken_off(70_000)] * 3
    with pytest.raises(SourceError):
        download(url, to)
    web.pages["/file"] = Page(CONTENT[::-1])
    download(url, to)
    assert to.read_bytes() == CONTENT[::-1]


def test_a_file_that_became_shorter(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [broken_off(70_000), status(416)]
    download(url, to)
    assert to.read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=70000-", None]


def test_without_a_validator_nothing_is_pieced_together(web: Loopback, url: str, to: Path) -> None:
    web.pages["/file"] = Page(CONTENT, tag=False)
    web.faults["/file"] = [broken_off(70_000)]
    download(url, to)
    assert to.read_bytes() == CONTENT
    assert ranges(web) == [None, None]


def test_another_part_than_the_one_asked_for(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [broken_off(70_000), another_part]
    download(url, to)
    assert to.read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=70000-", None]


def test_a_part_of_another_address_is_not_gone_on_with(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [broken_off(70_000)] * 3
    with pytest.raises(SourceError):
        download(url, to)
    web.pages["/other"] = Page(CONTENT)
    download(f"{web.url}/other", to)
    assert web.requests[-1][1].get("Range") is None


def test_the_end_of_the_connection_as_the_end_of_the_file(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [no_length]
    download(url, to, checksum=SHA256)
    assert to.read_bytes() == CONTENT


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_troubles_of_the_server_may_pass(web: Loopback, url: str, to: Path, code: int) -> None:
    web.faults["/file"] = [status(code)]
    download(url, to)
    assert to.read_bytes() == CONTENT
    web.faults["/file"] = [status(code)] * 3
    with pytest.raises(SourceError, match=rf"/file: download failed: the server answered {code} .* \(3 tries\)"):
        download(url, to.with_name("again"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (status(404), "the server answered 404 Not Found"),
        (status(403), "the server answered 403 Forbidden"),
        (web_page, "the server answered with a web page ('Service unavailable'), not with a file"),
        (page_by_bytes, "the server answered with a web page ('Sorry'), not with a file"),
    ],
)
def test_what_no_other_try_would_mend(web: Loopback, url: str, to: Path, fault: Fault, message: str) -> None:
    web.faults["/file"] = [fault]
    with pytest.raises(SourceError, match=re.escape(message)) as error:
        download(url, to)
    assert "\n" not in str(error.value)
    assert url in str(error.value)
    assert len(web.requests) == 1
    assert list(to.parent.iterdir()) == []


def test_a_slow_drip_is_given_up(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [drip] * 2
    policy = RetryPolicy(attempts=2, pause_seconds=0.01, stall_seconds=0.2)
    with pytest.raises(SourceError, match=r"only \d+ bytes came in 0 s \(2 tries\)"):
        download(url, to, retry_policy=policy)
    assert not to.exists()


def test_redirects(web: Loopback, url: str, to: Path) -> None:
    web.pages["/old"] = Page(b"", status=302, location="/file")
    download(f"{web.url}/old", to)
    assert to.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/round", "infinite loop"),
        ("file:///etc/passwd", "Redirection to url 'file:///etc/passwd' is not allowed"),
        ("ftp://127.0.0.1/file", "refused to be redirected to ftp:"),
    ],
)
def test_redirects_that_lead_nowhere(web: Loopback, to: Path, location: str, message: str) -> None:
    web.pages["/round"] = Page(b"", status=302, location=location)
    with pytest.raises(SourceError, match=message) as error:
        download(f"{web.url}/round", to)
    assert "\n" not in str(error.value)
    assert len(web.requests) <= 11


def test_a_wrong_checksum_names_both_and_leaves_nothing(web: Loopback, url: str, to: Path) -> None:
    wrong = Checksum("md5", "0" * 32)
    found = hashlib.md5(CONTENT).hexdigest()
    with pytest.raises(SourceError, match=f"MD5 is {found}, expected {'0' * 32}"):
        download(url, to, checksum=wrong)
    assert list(to.parent.iterdir()) == []


def test_a_damaged_piece_is_found_by_the_checksum(web: Loopback, url: str, to: Path) -> None:
    web.faults["/file"] = [broken_off(70_000)] * 3
    with pytest.raises(SourceError):
        download(url, to)
    part = to.with_name("file.part")
    part.write_bytes(b"x" + part.read_bytes()[1:])
    with pytest.raises(SourceError, match="SHA256 is"):
        download(url, to, checksum=SHA256)
    download(url, to, checksum=SHA256)
    assert to.read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [no_length, None], ids=["unannounced", "announced"])
def test_more_than_is_wanted(web: Loopback, url: str, to: Path, fault: Fault | None) -> None:
    web.faults["/file"] = [fault] if fault else []
    with pytest.raises(SourceError, match="more than 1000 bytes; refused"):
        download(url, to, max_bytes=1000)
    assert list(to.parent.iterdir()) == []


def test_two_at_a_time(url: str, to: Path) -> None:
    with PartialDownload(url, to), pytest.raises(SourceError, match="is being downloaded by another process"):
        download(url, to)
    download(url, to)
    assert to.read_bytes() == CONTENT


def test_a_place_that_cannot_be_written(url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: cannot write the download: No such file.*--cache or BENCH_CACHE"):
        download(url, tmp_path / "nowhere" / "file")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x", "http://[::1", "https://127.0.0.1:1/x"])
def test_nobody_there(to: Path, address: str) -> None:
    with pytest.raises(SourceError) as error:
        download(address, to)
    assert str(error.value).startswith(f"{address}: download failed: ")
    assert list(to.parent.iterdir()) == []
