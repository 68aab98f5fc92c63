"""Downloads by pooch, which checks a file before it is in its place, with a downloader that resumes.

pooch's own starts again from the first byte after every break, and waits without end for a server that sends next to
nothing; the study's archive has hundreds of megabytes and lies on a university's server.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import bench
from bench.data.cache import cache_folder, writing
from bench.errors import SourceError, one_line

MAX_BYTES = 4 << 30
_CHUNK = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""HTTP answers after which another try may succeed."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class RetryPolicy:
    """How long a server is waited for.

    ``attempts`` in all, pauses between them doubling from ``pause_seconds``; ``timeout_seconds`` for the headers of an
    answer; then given up as too slow if over ``stall_seconds`` fewer than ``slowest_bytes_per_second`` came on average.
    What takes longer than ``deadline_seconds`` is broken off, and resumed by the next attempt.
    """

    attempts: int = 4
    pause_seconds: float = 1.0
    timeout_seconds: float = 60.0
    stall_seconds: float = 30.0
    slowest_bytes_per_second: float = 1000.0
    deadline_seconds: float = 4 * 3600.0


RETRY_POLICY = RetryPolicy()


def download(
    url: str, to: Path, *, max_bytes: int = MAX_BYTES, known_hash: str | None = None, say: Say = lambda line: None
) -> None:
    """Have the content of ``url`` (http or https) in the file ``to``, whole, or not at all.

    Nothing is done if the file is there and has the ``known_hash`` (pooch's: SHA-256 or ``algorithm:digest``) or none
    is known. What a broken connection left in ``<to>.part`` is resumed, also by a later call, if the server vouches (by
    ETag or date, with ``If-Range``) that it is still the same file. ``say`` gets a line when a try failed and another
    one follows. Raises :class:`SourceError`, in one line with the address, for whatever goes wrong.
    """
    import filelock
    import pooch

    pooch.get_logger().setLevel("WARNING")  # it prints to standard error what it does
    lock = to.with_name(f"{to.name}.part.lock")
    with writing(to.parent):
        try:
            with filelock.FileLock(lock, timeout=0):
                try:
                    resuming = Resuming(lock.with_suffix(""), max_bytes, say)
                    pooch.retrieve(url, known_hash, to.name, to.parent, downloader=resuming)
                finally:
                    lock.unlink(missing_ok=True)
        except filelock.Timeout as error:
            raise SourceError(f"{url}: is being downloaded by another process just now; try again later") from error
        except ValueError as error:  # the hash is another
            raise SourceError(f"{url}: {one_line(error, limit=500)}") from error


def downloaded(url: str) -> Path:
    """Where in the cache a download is until its content is in its place."""
    return cache_folder() / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:32]


def read_url(url: str, max_bytes: int, **more: Any) -> bytes:
    """The content of ``url``, as :func:`download` gets it, as it is now."""
    to = downloaded(url)
    with writing(to.parent):  # a call that was killed may have left an earlier version
        to.unlink(missing_ok=True)
    download(url, to, max_bytes=max_bytes, **more)
    try:
        return to.read_bytes()
    finally:
        to.unlink(missing_ok=True)


class _BrokenOff(Exception):
    """A try that failed in a way that another one may not."""


class _GivenUp(BaseException):
    """Raised in a thread that receives what nobody waits for any more."""


class Resuming:
    """A downloader for :func:`pooch.retrieve`: what has arrived is kept in ``part``, what it is in ``<part>.of``."""

    def __init__(self, part: Path, max_bytes: int, say: Say) -> None:
        self._part = part
        self._note = part.with_name(f"{part.name}.of")
        self._max_bytes = max_bytes
        self._say = say

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Raises :class:`SourceError`, and :class:`OSError` where ``part`` cannot be written."""
        try:
            self._collect(url, RETRY_POLICY)
            self._refuse_web_page(url)
            self._part.replace(output_file)
        finally:
            if not self._size():
                self._part.unlink(missing_ok=True)
                self._note.unlink(missing_ok=True)

    def _collect(self, url: str, policy: RetryPolicy) -> None:
        for attempt in range(1, policy.attempts + 1):
            try:
                self._watch(lambda answered: self._fetch(url, policy.timeout_seconds, answered), policy)
                break
            except _BrokenOff as fault:
                if attempt == policy.attempts:
                    tries = f" ({attempt} tries)" if attempt > 1 else ""
                    raise SourceError(f"{url}: download failed: {fault}{tries}; try again later") from fault
                pause = policy.pause_seconds * 2 ** (attempt - 1)
                self._say(f"{url}: {fault}; trying again in {pause:g} s")
                time.sleep(pause)

    def _watch(self, fetch: Callable[[threading.Event], None], policy: RetryPolicy) -> None:
        """Run ``fetch`` and raise what it raises, or :class:`_BrokenOff` when it takes too long.

        It sets its argument when the answer has begun, and each try has one of its own: what still receives an earlier
        try may end only now, and that is no answer to this one.

        It runs in a thread: nothing in the libraries ends headers that come byte by byte, or ``100 Continue`` without
        end, but who waits for a thread can stop waiting at any time.
        """
        faults: list[Exception] = []
        answered = threading.Event()

        def receive() -> None:
            with contextlib.suppress(_GivenUp):
                try:
                    fetch(answered)
                except Exception as error:
                    faults.append(error)
                finally:
                    answered.set()

        receiver = threading.Thread(target=receive, daemon=True)
        receiver.start()
        until = time.monotonic() + policy.deadline_seconds
        try:
            if not answered.wait(policy.timeout_seconds):
                raise _BrokenOff(f"no answer came in {policy.timeout_seconds:g} s")
            while receiver.is_alive():
                before = self._size()
                receiver.join(policy.stall_seconds)
                came = self._size() - before
                if receiver.is_alive() and came < policy.slowest_bytes_per_second * policy.stall_seconds:
                    raise _BrokenOff(f"only {came} bytes came in {policy.stall_seconds:g} s")
                if receiver.is_alive() and time.monotonic() > until:
                    raise _BrokenOff(f"it was not complete after {policy.deadline_seconds:g} s")
        finally:
            if receiver.is_alive():  # it would read on for as long as the server sends: this ends it at its next step
                thread, end = ctypes.c_ulong(receiver.ident or 0), ctypes.py_object(_GivenUp)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, end)
        if faults:
            raise faults[0]

    def _fetch(self, url: str, timeout: float, answered: threading.Event) -> None:
        """One try."""
        import requests
        import urllib3

        note = self._note.read_text(errors="replace") if self._note.is_file() else ""
        about, _, validator = note.partition("\n")
        headers = {"User-Agent": f"rfmbench/{bench.__version__}", "Accept-Encoding": "identity"}
        if resumed := about == url and validator != "" and self._size() > 0:
            headers |= {"Range": f"bytes={self._size()}-", "If-Range": validator}
        try:
            with requests.Session() as session:
                session.max_redirects = 10
                session.hooks["response"] = [refuse_downgrade]
                with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
                    response.raw.enforce_content_length = False  # that is checked here, for what to do about it
                    total = self._align(response, url, resumed)
                    answered.set()
                    self._append(response.raw, url)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _fault(url, error) from error
        if total is not None and self._size() != total:
            raise _BrokenOff(f"it broke off after {self._size()} of {total} bytes")

    def _append(self, content: Any, url: str) -> None:
        with self._part.open("ab", buffering=0) as file:
            while chunk := content.read1(_CHUNK, decode_content=False):
                file.write(chunk)
                if file.tell() > self._max_bytes:
                    file.truncate(0)
                    raise SourceError(f"{url}: more than {self._max_bytes} bytes; refused")

    def _align(self, response: Any, url: str, resumed: bool) -> int | None:
        """Have ``part`` end where the answer begins; the whole file's size in bytes if the server says it."""
        status, headers = response.status_code, response.headers
        answer = one_line(f"the server answered {status} {response.reason}")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", ""))
        if resumed and status == 206 and found and int(found[1]) == self._size():
            return int(found[2])
        if resumed and status in (206, 416):  # another part, or a file that has become shorter
            self._begin(url)
            raise _BrokenOff(f"{answer} to the request for the rest")
        if status in _PASSING:
            raise _BrokenOff(answer)
        if status != 200:
            raise SourceError(f"{url}: download failed: {answer}")
        tag = headers.get("ETag", "")  # a weak one says less than that it is the same file
        self._begin(url, tag if tag.startswith('"') else headers.get("Last-Modified", ""))
        announced = headers.get("Content-Length", "")
        return int(announced) if announced.isdecimal() else None

    def _begin(self, url: str, validator: str = "") -> None:
        """Drop what is there and start a version of the file that ``validator`` will tell from others."""
        self._part.write_bytes(b"")
        self._note.write_text(f"{url}\n{validator}")

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _refuse_web_page(self, url: str) -> None:
        """Servers explain their troubles, and captive portals their terms, in web pages that say 200 OK."""
        with self._part.open("rb") as file:
            start = file.read(4096)
        if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
            self._begin(url)
            title = re.search(rb"<title[^>]*>([^<]{1,200})", start, re.IGNORECASE)
            named = f" ({one_line(title[1].decode('utf-8', 'replace'))!r})" if title else ""
            raise SourceError(f"{url}: the server answered with a web page{named}, not with a file")


def refuse_downgrade(response: Any, **_: Any) -> None:
    """A hook of requests: no redirect from an encrypted address to a plain one. It follows to web addresses only."""
    import requests

    target = urljoin(response.url, response.headers.get("Location", ""))
    if response.is_redirect and response.url.startswith("https:") and not target.lower().startswith("https:"):
        raise requests.exceptions.InvalidURL(f"refused to be redirected to {target}")


def _fault(url: str, error: Exception) -> Exception:
    """What the network raised, as what may pass or as what will not."""
    import requests
    import urllib3

    cause: BaseException = error
    while isinstance(cause, (requests.RequestException, urllib3.exceptions.HTTPError)) and cause.__context__:
        cause = cause.__context__
    reason = one_line(cause) or type(cause).__name__
    lasting = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError, ValueError)
    if isinstance(cause, (*lasting, requests.TooManyRedirects)):
        return SourceError(f"{url}: download failed: {reason}")
    return _BrokenOff(reason)
