"""The documentation site: public names are in its reference, links lead somewhere, nothing is loaded from afar."""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import bench.methods.base
import rfm

ROOT = Path(__file__).parents[2]
REFERENCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "reference").glob("*.md")))
DOCUMENTED = set(re.findall(r"^::: (\S+)$", REFERENCE, re.MULTILINE))


def test_every_public_name_is_in_the_reference() -> None:
    assert {f"rfm.{name}" for name in rfm.__all__} <= DOCUMENTED
    objects = {name: getattr(bench.methods.base, name) for name in bench.methods.base.__all__}
    classes = {f"{found.__module__}.{name}" for name, found in objects.items() if isinstance(found, type)}
    assert len(classes) >= 8
    assert classes <= DOCUMENTED


class Page(HTMLParser):
    """What a page loads, where it links to, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        if tag == "a":
            self.links += [found.get("href") or ""]
        else:
            self.loads += [value for key in ("src", "href") if (value := found.get(key))]


def test_the_site_loads_nothing_from_elsewhere_and_its_links_lead_to_a_page_and_its_anchor(tmp_path: Path) -> None:
    """Built as ``make docs`` does, with every warning an error."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    paths = sorted(tmp_path.rglob("*.html"))
    found = {path.relative_to(tmp_path).as_posix(): Page(path.read_text(encoding="utf-8")) for path in paths}
    assert [(name, load) for name, page in found.items() for load in page.loads if re.match("(https?:)?//", load)] == []
    found.pop("404.html")  # its links are from the top of wherever the site is
    assert {"index.html", "example.html", "reports/comparison/index.html", "reference/estimators.html"} <= set(found)
    broken = []
    for name, page in found.items():
        for link in page.links:
            path, anchor = urldefrag(unquote(link))
            if re.match(r"[a-z]+:", path) or (not path and not anchor):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            if not (tmp_path / target).exists() or (anchor and target in found and anchor not in found[target].anchors):
                broken.append((name, link))
    assert broken == []
