"""Downloads over real HTTP: whole and checked, or an error in one line and nothing that could be taken for the file."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest
import requests
from loopback import (
    Fault,
    Loopback,
    Page,
    Request,
    another_part,
    answer,
    broken_off,
    drip,
    endless,
    no_length,
    page_by_bytes,
    silence,
    status,
    web_page,
)
from refusals import refused

from bench.data import download as download_module
from bench.data.download import RetryPolicy, download, refuse_downgrade
from bench.errors import SourceError

CONTENT = hashlib.shake_256(b"a file").digest(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def url(web: Loopback) -> str:
    web.pages["/file"] = Page(CONTENT)
    return f"{web.url}/file"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder / "file"


Policy = Callable[..., None]


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Policy:
    """Has downloads wait as its arguments say."""

    def follow(**given: float) -> None:
        known = {"pause_seconds": 0.01, "timeout_seconds": 5.0}
        monkeypatch.setattr(download_module, "RETRY_POLICY", RetryPolicy(**(known | given)))

    return follow


def arrives(url: str, to: Path, content: bytes = CONTENT, **more: Any) -> None:
    """The download, which is whole."""
    download(url, to, **more)
    assert to.read_bytes() == content


def stops_after(size: int, web: Loopback, url: str, to: Path) -> None:
    """A call that leaves three pieces of ``size`` bytes."""
    web.faults["/file"] = [broken_off(size)] * 3
    says = rf"it broke off after {3 * size} of 300000 bytes \(3 tries\); try again later"
    refused(SourceError, says, download, url, to)
    assert not to.exists()


def ranges(web: Loopback) -> list[str | None]:
    return [headers.get("Range") for _, headers in web.requests]


@pytest.mark.parametrize("fault", [answer, no_length], ids=["announced", "ended by the connection"])
def test_a_good_server(web: Loopback, url: str, to: Path, fault: Fault) -> None:
    web.faults["/file"] = [fault]
    arrives(url, to, known_hash=SHA256)
    assert list(to.parent.iterdir()) == [to]
    assert ranges(web) == [None]


@pytest.mark.parametrize(
    "fault", [broken_off(100_000), broken_off(100_000, reset=True), silence], ids=["cut", "reset", "silent"]
)
def test_a_connection_that_breaks_is_gone_on_with(
    web: Loopback, url: str, to: Path, fault: Fault, policy: Policy
) -> None:
    policy(attempts=3, timeout_seconds=0.5)
    web.faults["/file"] = [fault, broken_off(50_000)]
    said: list[str] = []
    arrives(url, to, say=said.append)
    assert ["trying again in" in line for line in said] == [True, True]
    sizes = [0 if asked is None else int(asked[6:-1]) for asked in ranges(web)]
    assert sizes == sorted(sizes)
    assert sizes[2] >= 50_000
    assert [headers.get("If-Range") for _, headers in web.requests][2] == web.pages["/file"].etag


def test_a_later_call_goes_on_where_this_one_stopped(web: Loopback, url: str, to: Path) -> None:
    stops_after(70_000, web, url, to)
    arrives(url, to)
    assert ranges(web) == [None, "bytes=70000-", "bytes=140000-", "bytes=210000-"]
    assert list(to.parent.iterdir()) == [to]


def test_what_is_not_a_piece_of_this_file_is_not_gone_on_with(web: Loopback, url: str, to: Path) -> None:
    stops_after(70_000, web, url, to)
    part = to.with_name("file.part")
    part.write_bytes(b"x" + part.read_bytes()[1:])
    refused(SourceError, "SHA256 hash", download, url, to, known_hash=SHA256)
    stops_after(70_000, web, url, to)
    web.pages["/file"] = Page(CONTENT[::-1])  # it changed meanwhile
    arrives(url, to, CONTENT[::-1])
    to.unlink()
    stops_after(70_000, web, url, to)
    web.pages["/other"] = Page(CONTENT)
    arrives(f"{web.url}/other", to)
    assert ranges(web)[-1] is None


@pytest.mark.parametrize("note", [None, b"", b"\xff\n\0"])
def test_what_nothing_is_known_of_is_not_gone_on_with(web: Loopback, url: str, to: Path, note: bytes | None) -> None:
    to.with_name("file.part").write_bytes(b"something")
    if note is not None:
        to.with_name("file.part.of").write_bytes(note)
    arrives(url, to)
    assert ranges(web) == [None]


@pytest.mark.parametrize(
    ("tag", "faults", "asked"),
    [
        (False, [], [None, None]),  # nothing would tell whether it is still the same file
        (True, [status(416)], [None, "bytes=70000-", None]),  # it became shorter
        (True, [another_part], [None, "bytes=70000-", None]),
    ],
    ids=["no validator", "416", "another part"],
)
def test_what_does_not_go_together_is_not_pieced_together(
    web: Loopback, url: str, to: Path, tag: bool, faults: list[Fault], asked: list[str | None]
) -> None:
    web.pages["/file"] = Page(CONTENT, tag=tag)
    web.faults["/file"] = [broken_off(70_000), *faults]
    arrives(url, to)
    assert ranges(web) == asked


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_troubles_of_the_server_may_pass(web: Loopback, url: str, to: Path, code: int) -> None:
    web.faults["/file"] = [status(code)]
    arrives(url, to)
    web.faults["/file"] = [status(code)] * 3
    says = rf"/file: download failed: the server answered {code} .* \(3 tries\)"
    refused(SourceError, says, download, url, to.with_name("again"))


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
    line = refused(SourceError, re.escape(message), download, url, to)
    assert url in line
    assert len(web.requests) == 1
    assert list(to.parent.iterdir()) == []


def test_a_slow_drip_is_given_up(web: Loopback, url: str, to: Path, policy: Policy) -> None:
    policy(attempts=2, stall_seconds=0.2)
    web.faults["/file"] = [drip] * 2
    refused(SourceError, r"only \d\d? bytes came in 0.2 s \(2 tries\)", download, url, to)
    assert not to.exists()


def test_a_server_that_thinks_is_waited_for(web: Loopback, url: str, to: Path, policy: Policy) -> None:
    def late(request: Request, page: Page) -> None:
        time.sleep(0.5)
        answer(request, page)

    policy(attempts=1, stall_seconds=0.2)
    web.faults["/file"] = [late]
    arrives(url, to)


def test_the_end_of_an_earlier_try_is_no_answer_to_the_next(web: Loopback, url: str, to: Path, policy: Policy) -> None:
    given_up = threading.Event()

    def stops_once_given_up(request: Request, page: Page) -> None:
        request.head(page, len(page.content))
        given_up.wait(10)

    def nothing(request: Request, page: Page) -> None:
        given_up.set()
        request.server.closing.wait(10)

    policy(attempts=2, timeout_seconds=1.0, stall_seconds=0.1)
    web.faults["/file"] = [stops_once_given_up, nothing]
    refused(SourceError, r"no answer came in 1 s \(2 tries\)", download, url, to)


@pytest.mark.parametrize(
    "fault",
    [
        endless("HTTP/1.1 100 Continue\r\n\r\n", pause=0.0),
        endless("HTTP/1.1 200 OK\r\nX: ", "a", pause=0.25),
        endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a", pause=0.05),
        endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "x: y\r\n", pause=0.0),
        endless("HTTP/1.1 302 Found\r\nLocation: /file\r\n\r\n", "a", pause=0.05),
    ],
    ids=["100 Continue", "4 bytes a second", "chunk header", "trailer", "redirect"],
)
def test_an_answer_without_end_holds_nobody(web: Loopback, url: str, to: Path, fault: Fault, policy: Policy) -> None:
    """Nor does anything go on reading it."""
    policy(attempts=2, timeout_seconds=0.5, stall_seconds=0.5)
    web.faults["/file"] = [fault] * 2
    begun = time.monotonic()
    refused(SourceError, r"(no answer|only 0 bytes) came in 0\.5 s \(2 tries\); try again", download, url, to)
    assert time.monotonic() - begun < 5
    assert list(to.parent.iterdir()) == []

    def receivers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if "receive" in thread.name]

    until = time.monotonic() + 5
    while receivers() and time.monotonic() < until:
        time.sleep(0.02)
    assert receivers() == []
    arrives(url, to)


def test_no_try_lasts_longer_than_its_deadline(web: Loopback, url: str, to: Path, policy: Policy) -> None:
    """However fast the content comes; and the next try takes it up."""
    policy(attempts=2, deadline_seconds=1, stall_seconds=0.5, slowest_bytes_per_second=2)
    web.faults["/file"] = [drip]
    said: list[str] = []
    arrives(url, to, say=said.append)
    assert "it was not complete after 1 s" in said[0]
    assert int((ranges(web)[1] or "")[6:-1]) > 5


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/round", "Exceeded 10 redirects"),
        ("file:///etc/passwd", "No connection adapters were found for 'file:///etc/passwd'"),
        ("ftp://127.0.0.1/file", "No connection adapters were found for 'ftp:"),
    ],
)
def test_redirects_lead_to_web_addresses_only(web: Loopback, url: str, to: Path, location: str, message: str) -> None:
    web.pages["/round"] = Page(b"", status=302, location=location)
    refused(SourceError, message, download, f"{web.url}/round", to)
    assert len(web.requests) <= 11
    web.pages["/old"] = Page(b"", status=302, location="/file")
    arrives(f"{web.url}/old", to)


@pytest.mark.parametrize("location", ["http://example.org/file", "HTTP://example.org/file", "ftp://example.org/file"])
def test_no_redirect_gives_up_encryption(location: str) -> None:
    response = requests.Response()
    response.url, response.status_code, response.headers["Location"] = "https://example.org/", 302, location
    with pytest.raises(requests.exceptions.InvalidURL, match="refused to be redirected to"):
        refuse_downgrade(response)
    for fine in ("/file", "https://example.com/file", "//example.com/file"):
        response.headers["Location"] = fine
        refuse_downgrade(response)


def test_a_wrong_checksum_names_both_and_leaves_nothing(web: Loopback, url: str, to: Path) -> None:
    wrong = f"md5:{'0' * 32}"
    found = hashlib.md5(CONTENT).hexdigest()
    refused(SourceError, rf"{url}: MD5 hash .* expected {wrong} but got {found}", download, url, to, known_hash=wrong)
    assert list(to.parent.iterdir()) == []


@pytest.mark.parametrize("fault", [no_length, None], ids=["unannounced", "announced"])
def test_more_than_is_wanted(web: Loopback, url: str, to: Path, fault: Fault | None) -> None:
    web.faults["/file"] = [fault] if fault else []
    refused(SourceError, "more than 1000 bytes; refused", download, url, to, max_bytes=1000)
    assert list(to.parent.iterdir()) == []


def test_two_at_a_time(url: str, to: Path) -> None:
    with filelock.FileLock(to.with_name("file.part.lock")):
        refused(SourceError, f"{url}: is being downloaded by another process", download, url, to)
    arrives(url, to)


def test_what_is_there_is_not_downloaded_again(web: Loopback, url: str, to: Path) -> None:
    to.write_bytes(CONTENT)
    arrives(url, to)
    arrives(url, to, known_hash=SHA256)
    assert web.requests == []
    to.write_bytes(b"damaged")
    arrives(url, to, known_hash=SHA256)


@pytest.mark.parametrize("place", ["nowhere", "file/place"])
def test_a_place_that_cannot_be_written(url: str, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "nowhere").symlink_to("/proc/nowhere")
    says = rf"{place}: cannot write the cache: .*--cache or BENCH_CACHE"
    refused(SourceError, says, download, url, tmp_path / place / "file")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x", "http://[::1", "https://127.0.0.1:1/x"])
def test_nobody_there(to: Path, address: str) -> None:
    refused(SourceError, f"^{re.escape(address)}: download failed: ", download, address, to)
    assert list(to.parent.iterdir()) == []
