"""Downloading a file to a place where nothing sees it before it is complete and checked.

Written on urllib: of the libraries looked at, none does what the study's archive needs, hundreds of megabytes from a
university's server. pooch starts again from the first byte after every break; requests would need all of this on top.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import __version__
from bench.data.location import is_url
from bench.data.partial_download import Checksum, PartialDownload
from bench.errors import SourceError, one_line

MAX_BYTES = 4 << 30
_CHUNK = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""HTTP answers after which another try may succeed."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long a server is waited for.

    ``attempts`` in all, pauses between them doubling from ``pause_seconds``; ``timeout_seconds`` for any one answer;
    given up as too slow if over ``stall_seconds`` fewer than ``slowest_bytes_per_second`` came on average.
    """

    attempts: int = 4
    pause_seconds: float = 1.0
    timeout_seconds: float = 60.0
    stall_seconds: float = 30.0
    slowest_bytes_per_second: float = 1000.0


RETRY_POLICY = RetryPolicy()


def download(
    url: str,
    to: Path,
    *,
    max_bytes: int = MAX_BYTES,
    checksum: Checksum | None = None,
    retry_policy: RetryPolicy | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Have the content of ``url`` (http or https) in the file ``to``, whole, or not at all.

    It is collected in ``<to>.part``. What a broken connection left there is resumed, also by a later call, if the
    server vouches (by ETag or date, with ``If-Range``) that it is still the same file. ``say`` gets a line when a try
    failed and another one follows. Raises :class:`SourceError`, in one line with the address, if the server cannot be
    reached, answers with an error or a web page, redirects in circles, sends more than ``max_bytes``, less than it
    announced or too slowly, if the content is not that of ``checksum``, and if the file cannot be written.
    """
    policy = retry_policy or RETRY_POLICY
    with PartialDownload(url, to) as partial:
        for attempt in range(1, policy.attempts + 1):
            try:
                _fetch(url, partial, max_bytes, policy)
                break
            except _BrokenOff as fault:
                if attempt == policy.attempts:
                    tries = f" ({attempt} tries)" if attempt > 1 else ""
                    raise SourceError(f"{url}: download failed: {fault}{tries}; try again later") from fault
                pause = policy.pause_seconds * 2 ** (attempt - 1)
                say(f"{url}: {fault}; trying again in {pause:g} s")
                time.sleep(pause)
        _refuse_web_page(partial, url)
        partial.finish(checksum)


def read_url(url: str, max_bytes: int, folder: Path, **more: Any) -> bytes:
    """The content of ``url``, as :func:`download` gets it; ``folder`` holds it meanwhile."""
    to = folder / hashlib.sha256(url.encode()).hexdigest()[:32]
    download(url, to, max_bytes=max_bytes, **more)
    try:
        return to.read_bytes()
    finally:
        to.unlink(missing_ok=True)


class _BrokenOff(Exception):
    """A try that failed in a way that another one may not."""


def _fetch(url: str, partial: PartialDownload, max_bytes: int, policy: RetryPolicy) -> None:
    """One try. Raises :class:`_BrokenOff` or, where no other try would help, :class:`SourceError`."""
    validator = partial.validator()
    headers = {"User-Agent": f"rfmbench/{__version__}"}
    if validator:
        headers |= {"Range": f"bytes={partial.size}-", "If-Range": validator}
    with (
        _answered(url, partial),
        _open(urllib.request.Request(url, headers=headers), policy.timeout_seconds) as response,
    ):
        total = _align(response, partial, validator)
        pace = _Pace(policy)
        while chunk := response.read1(_CHUNK):
            partial.add(chunk)
            if partial.size > max_bytes:
                partial.begin("")
                raise SourceError(f"{url}: more than {max_bytes} bytes; refused")
            pace.came(len(chunk))
    if total is not None and partial.size != total:
        raise _BrokenOff(f"it broke off after {partial.size} of {total} bytes")


def _align(response: Any, partial: PartialDownload, validator: str) -> int | None:
    """Have ``partial`` end where the answer begins; the whole file's size in bytes if the server says it."""
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if not validator or found is None or int(found[1]) != partial.size:
            partial.begin("")
            raise _BrokenOff("the server sent another part than the one asked for")
        return int(found[2])
    partial.begin(_validator(response.headers))
    announced = response.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() else None


def _validator(headers: Any) -> str:
    """A strong ETag, else the date of the last change, else nothing."""
    tag = str(headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(headers.get("Last-Modified", ""))


class _Pace:
    """Notices a server that keeps sending, but next to nothing."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._since = time.monotonic()
        self._bytes = 0

    def came(self, size: int) -> None:
        """Count ``size`` bytes. Raises :class:`_BrokenOff`."""
        self._bytes += size
        seconds = time.monotonic() - self._since
        if seconds >= self._policy.stall_seconds:
            if self._bytes < self._policy.slowest_bytes_per_second * seconds:
                raise _BrokenOff(f"only {self._bytes} bytes came in {seconds:.0f} s")
            self._since, self._bytes = time.monotonic(), 0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to other web addresses only, and never from an encrypted one to a plain one."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not is_url(newurl) or (req.full_url.startswith("https:") and not newurl.startswith("https:")):
            raise urllib.error.HTTPError(req.full_url, code, f"refused to be redirected to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request: urllib.request.Request, timeout: float) -> Any:
    opener = urllib.request.OpenerDirector()  # build_opener's would follow to ftp: and file:
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener.open(request, timeout=timeout)


@contextlib.contextmanager
def _answered(url: str, partial: PartialDownload) -> Iterator[None]:
    """What the network raises, sorted into what may pass and what will not."""
    try:
        yield
    except urllib.error.HTTPError as error:
        with error:
            message = one_line(f"{error.code} {error.reason}")
        if error.code == 416 and partial.size:  # the file has become shorter than what is here
            partial.begin("")
            raise _BrokenOff(f"the server answered {message}") from error
        if error.code in _PASSING:
            raise _BrokenOff(f"the server answered {message}") from error
        raise SourceError(f"{url}: download failed: the server answered {message}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        reason = one_line(cause) or type(cause).__name__
        lasting = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError, ValueError, str)
        if isinstance(cause, lasting) and not isinstance(cause, http.client.HTTPException):
            raise SourceError(f"{url}: download failed: {reason}") from error
        raise _BrokenOff(reason) from error


def _refuse_web_page(partial: PartialDownload, url: str) -> None:
    """Servers explain their troubles, and captive portals their terms, in web pages that say 200 OK."""
    start = partial.start(4096)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        partial.begin("")
        title = re.search(rb"<title[^>]*>([^<]{1,200})", start, re.IGNORECASE)
        named = f" ({one_line(title[1].decode('utf-8', 'replace'))!r})" if title else ""
        raise SourceError(f"{url}: the server answered with a web page{named}, not with a file")
