"""Downloading a file to a place where nothing sees it before it is complete."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from bench import __version__
from bench.errors import SourceError

MAX_BYTES = 4 << 30
TIMEOUT_SECONDS = 60.0
_CHUNK = 1 << 20


def is_url(location: str) -> bool:
    """Whether ``location`` is a web address rather than a path."""
    return urllib.parse.urlsplit(location).scheme.lower() in ("http", "https")


def download(url: str, to: Path, max_bytes: int = MAX_BYTES) -> None:
    """Write the content of ``url`` (http or https) to the file ``to``, which the caller moves or deletes.

    Raises :class:`SourceError` if the server cannot be reached, answers with an error, sends more than ``max_bytes`` or
    less than it announced. ``to`` may then hold a part.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"rfmbench/{__version__}"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response, to.open("wb") as file:
            announced = response.headers.get("Content-Length", "")
            received = 0
            while chunk := response.read(_CHUNK):
                received += len(chunk)
                if received > max_bytes:
                    raise SourceError(f"{url}: more than {max_bytes} bytes; refused")
                file.write(chunk)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise SourceError(f"{url}: download failed: {reason}") from error
    if announced.isdigit() and received != int(announced):
        raise SourceError(f"{url}: the download broke off after {received} of {announced} bytes; try again")
