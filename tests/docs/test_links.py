"""What the pages point to in the repository is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|#")


def targets(text: str) -> list[str]:
    """Relative targets of Markdown links, without anchors; code blocks are left out."""
    prose = re.sub(r"^(?: {4}|\t)[^\n]*$|```.*?```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [link.partition("#")[0] for link in _LINK.findall(prose) if not _ELSEWHERE.match(link)]


def missing(page: Path) -> list[str]:
    return [target for target in targets(page.read_text()) if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_point_to_what_exists(page: Path) -> None:
    assert missing(page) == []


def test_links_are_found_and_missed(tmp_path: Path) -> None:
    (tmp_path / "here.md").touch()
    page = tmp_path / "page.md"
    page.write_text(
        "[a](here.md#part) [b](https://x.org/y) [c](gone.md) and\n\n    [e](code.md)\n\n[f](#g) [d](../gone/)\n"
    )
    assert missing(page) == ["gone.md", "../gone/"]
