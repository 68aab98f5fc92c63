"""The report as Markdown, with its figures as files beside it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from bench.report.blocks import (
    Block,
    Cell,
    Choice,
    Code,
    Document,
    Figure,
    Items,
    Link,
    Notice,
    Paragraph,
    Section,
    Span,
    Strong,
    Table,
)
from bench.report.wording import slug

FIGURES = "figures"
DETAILS = "datasets.md"


def figure_path(figure: Figure) -> str:
    """Where the figure's files are, seen from the report; without ``.svg`` or ``.csv``."""
    return f"{FIGURES}/{slug(figure.name)}"


def render_markdown(document: Document) -> str:
    """``report.md``: everything but the folded sections, which stand in :data:`DETAILS` and are linked there."""
    facts = " · ".join(f"**{escaped(figure)}** {escaped(words)}" for figure, words in document.facts)
    parts = [f"# {escaped(document.title)}", *_note(document), escaped(document.kicker), facts]
    for position, section in enumerate(document.sections):
        parts += _section(section, 2, heading=position > 0)
    folded = {s.anchor for section in document.sections for s in section.all_sections() if s.detail}
    moved = re.compile(r"(?<=\]\()#([^)]+)(?=\))")  # text has no "](": it is escaped
    return moved.sub(lambda m: f"{DETAILS}{m[0]}" if m[1] in folded else m[0], _joined(parts))


def render_details(document: Document) -> str:
    """``datasets.md``: the folded sections, dataset by dataset; empty if there are none."""
    parts: list[str] = []
    for section in (inner for top in document.sections for inner in top.all_sections()):
        children = [child for child in section.children if child.detail]
        if children:
            parts += [f"# {escaped(section.title)}", *_blocks(section.blocks)]
            parts += [part for child in children for part in _section(child, 2)]
    return _joined([*_note(document), *parts]) if parts else ""


def _note(document: Document) -> list[str]:
    return [f"> **Note.** {escaped(document.note)}"] if document.note else []


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _section(section: Section, level: int, *, heading: bool = True) -> Iterator[str]:
    """Its paragraphs, those of its children included. Tabs are sections one after the other."""
    if section.tabs:
        for child in section.children:
            yield from _section(child, level)
        return
    if heading:
        tag = f" ({escaped(section.tag)})" if section.tag and not section.detail else ""
        yield f'<a id="{html.escape(section.anchor)}"></a>'
        yield f"{'#' * level} {escaped(section.title)}{tag}"
    yield from _blocks(section.blocks)
    if any(child.detail for child in section.children):
        yield f"Every dataset has its section in [{DETAILS}]({DETAILS})."
    for child in section.children:
        if not child.detail:
            yield from _section(child, level + 1)


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph():
                yield _spans(block.spans)
            case Notice():
                yield f"> {'**Warning.** ' if block.level == 'warning' else ''}{_spans(block.spans)}"
            case Items():
                yield "\n".join(f"- {_spans(line)}" for line in block.lines)
            case Table():
                yield from _table(block)
            case Choice():
                yield from _table(block.options[0][1])
            case _:
                title, file = escaped(block.title), figure_path(block)
                data = f" Data: [{slug(block.name)}.csv]({file}.csv)." if block.data else ""
                yield from (f"**{title}**", f"![{title}]({file}.svg)", f"{escaped(block.caption)}{data}")


def _table(table: Table) -> Iterator[str]:
    yield f"**{escaped(table.caption)}**"
    rows = [[escaped(column.title) for column in table.columns], *([_cell(cell) for cell in row] for row in table.rows)]
    head, *lines = (f"| {' | '.join(row)} |" for row in rows)
    sides = "|".join("---:" if column.kind == "number" else ":---" for column in table.columns)
    yield "\n".join((head, f"|{sides}|", *lines))
    if table.note:
        yield escaped(table.note)


def _cell(cell: Cell) -> str:
    words = escaped(cell.text)
    if cell.href:
        return f"[{words}]({cell.href})"
    return f"**{words}**" if cell.strong and words else words


def _spans(spans: Iterable[Span]) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    match span:
        case Strong():
            return f"**{escaped(span.text)}**"
        case Code():
            return f"`{span.text.replace('`', ' ')}`"
        case Link():
            return f"[{escaped(span.text)}]({span.href})"
        case _:
            return escaped(span)


def escaped(words: str) -> str:
    """``words`` on one line with everything that Markdown or HTML would read as markup made literal."""
    flat = " ".join(words.split()) if "\n" in words else words
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", flat)
