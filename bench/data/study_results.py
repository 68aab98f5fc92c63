"""The 2014 study's own results, kept in the cache: ``bench report --published`` reads them there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from bench.data.cache import cache_folder, made
from bench.data.download import download
from bench.data.entry import Study
from bench.errors import DataUnavailable

MAX_BYTES = 16 << 20


def results_file() -> Path:
    """Where the study's results are in the cache. Raises :class:`DataUnavailable` if they have not been fetched."""
    path = _place()
    if not path.is_file():
        raise DataUnavailable(
            f"{path}: the study's results have not been fetched; `python -m bench fetch --published` gets them, "
            "or name a file: --published FILE"
        )
    return path


def fetch_results(study: Study, *, offline: bool, say: Callable[[str], None]) -> tuple[Path, bool]:
    """Download the results unless they are in the cache; also, whether they are the file of the registry's checksum.

    Its content is for the caller to check. Raises :class:`SourceError` as :func:`bench.data.download.download` does,
    :class:`DataUnavailable` if ``offline`` and they are not in the cache.
    """
    path = _place()
    if not path.is_file() and not offline:
        made(path.parent)
        download(study.results_url, path, max_bytes=MAX_BYTES, say=say)
    path = results_file()
    return path, hashlib.sha256(path.read_bytes()).hexdigest() == study.results_sha256


def forget_results() -> None:
    """Drop the cached file, so that it is fetched anew."""
    _place().unlink(missing_ok=True)


def _place() -> Path:
    return cache_folder() / "study" / "results.txt"
