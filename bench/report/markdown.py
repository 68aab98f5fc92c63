"""The report as Markdown, with its figures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.report.blocks import (
    Block,
    Cell,
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

FIGURES = "figures"
DETAILS = "datasets.md"


def render_markdown(document: Document) -> str:
    """``report.md``: everything but the folded sections, which stand in :data:`DETAILS`."""
    lines = [f"# {escaped(document.title)}", "", escaped(document.kicker), ""]
    lines += [" · ".join(f"**{escaped(figure)}** {escaped(words)}" for figure, words in document.facts), ""]
    folded = _folded_anchors(document)
    for position, section in enumerate(document.sections):
        lines += _section(section, 2, folded, heading=position > 0)
    return _joined(lines)


def render_details(document: Document) -> str:
    """``datasets.md``: the folded sections, dataset by dataset; empty if there are none."""
    lines: list[str] = []
    for section in document.sections:
        children = [child for child in section.children if child.detail]
        if children:
            lines += [f"# {escaped(section.title)}", "", *_blocks(section.blocks, {})]
            for child in children:
                lines += _section(child, 2, {})
    return _joined(lines) if lines else ""


def _folded_anchors(document: Document) -> dict[str, str]:
    """Anchors of folded sections, and where they are in the Markdown."""
    return {
        f"#{child.anchor}": f"{DETAILS}#{child.anchor}"
        for section in document.sections
        for child in section.children
        if child.detail
    }


def _section(section: Section, level: int, folded: dict[str, str], *, heading: bool = True) -> list[str]:
    lines: list[str] = []
    if heading:
        tag = f" ({escaped(section.tag)})" if section.tag and not section.detail else ""
        lines += [f'<a id="{section.anchor}"></a>', "", f"{'#' * level} {escaped(section.title)}{tag}", ""]
    lines += _blocks(section.blocks, folded)
    children = [child for child in section.children if not child.detail]
    if len(children) < len(section.children):
        lines += [f"Every dataset has its section in [{DETAILS}]({DETAILS}).", ""]
    for child in children:
        lines += _section(child, level + 1, folded)
    return lines


def _blocks(blocks: Iterable[Block], folded: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        match block:
            case Paragraph():
                lines += [_spans(block.spans, folded), ""]
            case Notice():
                word = "**Warning.** " if block.level == "warning" else ""
                lines += [f"> {word}{_spans(block.spans, folded)}", ""]
            case Items():
                lines += [*(f"- {_spans(line, folded)}" for line in block.lines), ""]
            case Table():
                lines += _table(block, folded)
            case Figure():
                lines += [
                    f"**{escaped(block.title)}**",
                    "",
                    f"![{escaped(block.title)}]({FIGURES}/{block.name}.svg)",
                    "",
                ]
                data = f" Data: [{block.name}.csv]({FIGURES}/{block.name}.csv)." if block.data else ""
                lines += [f"{escaped(block.caption)}{data}", ""]
    return lines


def _table(table: Table, folded: dict[str, str]) -> list[str]:
    lines = [f"**{escaped(table.caption)}**", ""]
    lines.append("| " + " | ".join(escaped(c.title) for c in table.columns) + " |")
    lines.append("|" + "|".join("---:" if c.kind == "number" else ":---" for c in table.columns) + "|")
    lines += ["| " + " | ".join(_cell(cell, folded) for cell in row) + " |" for row in table.rows]
    lines.append("")
    if table.note:
        lines += [escaped(table.note), ""]
    return lines


def _cell(cell: Cell, folded: dict[str, str]) -> str:
    words = escaped(cell.text)
    if cell.href:
        return f"[{words}]({folded.get(cell.href, cell.href)})"
    return f"**{words}**" if cell.strong and words else words


def _spans(spans: Iterable[Span], folded: dict[str, str]) -> str:
    parts = []
    for span in spans:
        match span:
            case Strong():
                parts.append(f"**{escaped(span.text)}**")
            case Code():
                parts.append(f"`{span.text.replace('`', ' ')}`")
            case Link():
                parts.append(f"[{escaped(span.text)}]({folded.get(span.href, span.href)})")
            case _:
                parts.append(escaped(span))
    return "".join(parts)


def escaped(words: str) -> str:
    """``words`` on one line with everything that Markdown or HTML would read as markup made literal."""
    flat = " ".join(words.split()) if "\n" in words else words
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", flat)


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
