"""What a page shows, found by name."""

from __future__ import annotations

from typing import TypeVar

from bench.report.blocks import Cell, Document, Figure, Notice, Section, Table

B = TypeVar("B", Table, Figure)


def sections(document: Document) -> dict[str, Section]:
    return {s.anchor: s for top in document.sections for s in top.all_sections()}


def _named(shown: Document | Section, kind: type[B]) -> dict[str, B]:
    tops = shown.sections if isinstance(shown, Document) else (shown,)
    return {block.name: block for top in tops for block in top.all_blocks() if isinstance(block, kind)}


def tables(shown: Document | Section) -> dict[str, Table]:
    return _named(shown, Table)


def figures(shown: Document | Section) -> dict[str, Figure]:
    return _named(shown, Figure)


def column(table: Table, title: str) -> dict[str, Cell]:
    """By what stands in the first column."""
    at = [head.title for head in table.columns].index(title)
    return {row[0].text: row[at] for row in table.rows}


def titles(table: Table) -> list[str]:
    return [head.title for head in table.columns]


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def words(document: Document, name: str) -> str:
    """All that stands in the table of this name, or outside of tables in the section; nothing if there is neither."""
    if name in (found := tables(document)):
        return str(found[name])
    section = sections(document).get(name)
    return " ".join(str(block) for block in (section.blocks if section else ()) if not isinstance(block, Table))


def notices(section: Section) -> str:
    """The words of a section's own notices."""
    return " ".join(str(b.spans) for b in section.blocks if isinstance(b, Notice))
