"""Where a file is: a path, or a web address."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def is_url(location: str) -> bool:
    """Whether ``location`` is a web address rather than a path."""
    try:
        return urlsplit(location).scheme.lower() in ("http", "https")
    except ValueError:  # a bracket that begins no address of version 6
        return False


def home_expanded(path: str | Path) -> Path:
    """``path`` with the home folder in place of its ``~``; one of a user who is not known stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (pathlib's raises RuntimeError there)


def host_of(address: str) -> str:
    """The host of a web address as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(address).netloc.rpartition("@")[2])


def public_location(location: str) -> str:
    """A path or URL without what is private to a machine or a person.

    Paths below the current folder become relative to it, others their last part; URLs lose user, password and query.
    """
    if is_url(location):
        parts = urlsplit(location)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    here = Path.cwd()
    path = Path(os.path.normpath(here / home_expanded(location)))  # as it was named: no links resolved
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name
