"""The archive from a server: downloaded once, resumed, and never used unless it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, Page
from refusals import refused

from bench.data import archive
from bench.errors import SourceError


@pytest.fixture
def url(tiny: Any, web: Loopback) -> str:
    """Where the archive is."""
    web.pages["/a"] = Page(tiny.tar(mode="w:gz").read_bytes())
    return f"{web.url}/a"


def left_behind(cache: Path) -> list[str]:
    """Files in the cache's folders for downloads and unpacked archives."""
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def test_a_url_is_downloaded_once(tiny: Any, web: Loopback, url: str, own_cache: Path) -> None:
    refused(SourceError, "downloads are not allowed here", tiny.source(url, offline=True).open)
    first = tiny.source(url).load(tiny.entry())
    again = tiny.source(url, offline=True)
    assert again.load(tiny.entry()).sha256 == first.sha256
    assert len(web.requests) == 1
    assert list((own_cache / "downloads").iterdir()) == []  # only the tables are kept
    again.drop()
    assert tiny.source(url).has(tiny.entry())
    assert len(web.requests) == 2


def test_what_is_broken_on_the_server_is_not_kept(tiny: Any, web: Loopback, url: str, own_cache: Path) -> None:
    whole = web.pages["/a"]
    web.pages["/a"] = Page(whole.content[:100])
    line = refused(SourceError, f"{url}: broken or truncated archive", tiny.source(url).open)
    assert str(own_cache) not in line
    assert left_behind(own_cache) == []
    web.pages["/a"] = whole
    assert tiny.source(url).has(tiny.entry("beta"))


def test_a_stop_between_download_and_unpacking_costs_no_second_download(
    tiny: Any, web: Loopback, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive, "read_members", stop)
        with pytest.raises(KeyboardInterrupt):
            tiny.source(url).open()
    assert tiny.source(url).has(tiny.entry())
    assert len(web.requests) == 1
