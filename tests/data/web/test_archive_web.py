"""The archive from a server: downloaded once, resumed, and never used unless it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, Page, broken_off, status, web_page
from refusals import refused

from bench.data import archive
from bench.data.archive import ArchiveSource
from bench.errors import SourceError


def left_behind(cache: Path) -> list[str]:
    """Files in the cache's folders for downloads and unpacked archives."""
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def test_a_url_is_downloaded_once(tiny: Any, web: Loopback, own_cache: Path) -> None:
    registry = tiny.registry()
    web.pages["/data.tar.gz"] = Page(tiny.tar(mode="w:gz").read_bytes())
    url = f"{web.url}/data.tar.gz"
    refused(SourceError, "downloads are not allowed here", ArchiveSource(url, registry, offline=True).open)
    first = ArchiveSource(url, registry).load(registry.entry("alpha"))
    again = ArchiveSource(url, registry, offline=True)
    assert again.load(registry.entry("alpha")).sha256 == first.sha256
    assert len(web.requests) == 1
    assert list((own_cache / "downloads").iterdir()) == []  # only the tables are kept
    again.drop()
    assert ArchiveSource(url, registry).has(registry.entry("alpha"))
    assert len(web.requests) == 2


def test_what_is_broken_on_the_server_is_not_kept(tiny: Any, web: Loopback, own_cache: Path) -> None:
    registry = tiny.registry()
    whole = tiny.tar(mode="w:gz").read_bytes()
    url = f"{web.url}/a"
    web.pages["/a"] = Page(whole[:100])
    line = refused(SourceError, f"{url}: broken or truncated archive", ArchiveSource(url, registry).open)
    assert str(own_cache) not in line
    assert left_behind(own_cache) == []
    web.pages["/a"] = Page(whole)
    assert ArchiveSource(url, registry).has(registry.entry("beta"))


def test_faults_on_the_way(tiny: Any, web: Loopback, own_cache: Path) -> None:
    registry = tiny.registry()
    url = f"{web.url}/a"
    web.pages["/a"] = Page(tiny.tar(mode="w:gz").read_bytes())
    web.faults["/a"] = [status(404), web_page, *[broken_off(100, reset=True)] * 3]
    for message in ("404 Not Found", "a web page", "it broke off|reset"):
        refused(SourceError, message, ArchiveSource(url, registry).open)
        refused(SourceError, "not in the cache", ArchiveSource(url, registry, offline=True).open)
    assert all(name.startswith("downloads/") and ".part" in name for name in left_behind(own_cache))
    assert ArchiveSource(url, registry).has(registry.entry("alpha"))
    assert web.requests[-1][1]["Range"].startswith("bytes=")  # resumed


def test_a_stop_between_download_and_unpacking_costs_no_second_download(
    tiny: Any, web: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = tiny.registry()
    web.pages["/a"] = Page(tiny.tar().read_bytes())

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive, "read_members", stop)
        with pytest.raises(KeyboardInterrupt):
            ArchiveSource(f"{web.url}/a", registry).open()
    assert ArchiveSource(f"{web.url}/a", registry).has(registry.entry("alpha"))
    assert len(web.requests) == 1
