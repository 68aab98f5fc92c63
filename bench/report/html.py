"""The report as one HTML file: inline style, script and drawings; no request leaves it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources

import jinja2
from markupsafe import Markup

from bench.report.blocks import Document, Section, Table
from bench.report.figures.drawing import key
from bench.report.figures.style import palette

GROUND = '<rect width="100%" height="100%" fill="var(--paper)"/>'
"""The opaque ground of a figure's file."""

PLAIN_NUMBER = re.compile(r"(?:< )?[+\u2212-]?[\d,]+(\.\d+)?")
FIGURE_SPACE, POINT_SPACE = "\u2007", "\u2008"


def render_html(document: Document) -> str:
    """The page. Jinja's autoescape covers all text; drawings are SVG that escaped its own text."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(asset), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False
    )
    environment.filters["drawn"] = Markup
    environment.filters["marker"] = lambda series: Markup(key(series))
    environment.filters["plain"] = lambda value: f"{value:.10g}"
    environment.filters["padding"] = padding
    environment.filters["hints"] = hints
    script = asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        document=document,
        keys=sorted({s for section in document.sections for s in _series(section)}),
        figure_css=asset("palette.css") + asset("figure.css"),
        file_css=file_css(),
        palette=palette(),
        page_css=asset("page.css"),
        script=script,
        script_hash=f"sha256-{digest}",
    )


def asset(name: str) -> str:
    """A template, style sheet or script that ships with this package."""
    return resources.files("bench.report").joinpath("templates", name).read_text(encoding="utf-8")


def file_css() -> str:
    """The figures' style for a file of its own."""
    return "".join(line for line in asset("figure.css").splitlines(keepends=True) if ":hover" not in line)


def standalone_svg(drawing: str) -> str:
    """The inline drawing as a file of its own: style inside, an opaque ground, links into the page dropped.

    The light colours are written out, for renderers that know no variables.
    """
    unlinked = re.sub(r"<a [^>]*>", "<g>", drawing).replace("</a>", "</g>")
    head, _, rest = unlinked.partition(">")
    whole = f"{head}><style>{escape(file_css())}</style>{GROUND}{rest}\n"
    lit = re.sub(r"var\(--([\w-]+)\)", lambda found: palette().get(found[1], found[0]), whole)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{lit}'


def padding(table: Table) -> tuple[tuple[str, ...], ...]:
    """What each cell lacks on the right for its column's decimal points to stand below one another.

    Spaces as wide as a digit or a point, for columns of plain numbers; empty where nothing is lacking.
    """
    lacking = []
    for column, cells in zip(table.columns, zip(*table.rows, strict=True), strict=False):
        places = [PLAIN_NUMBER.fullmatch(cell.text) if column.kind == "number" else None for cell in cells]
        tails = [len(found[1] or "") if found else None for found in places]
        longest = max((tail for tail in tails if tail is not None), default=0)
        lacking.append([_blanks(longest, tail) if tail is not None else "" for tail in tails])
    return tuple(zip(*lacking, strict=True))


def _blanks(longest: int, tail: int) -> str:
    """In place of the point and digits that ``tail`` characters are short of ``longest``."""
    missing = longest - tail
    return (POINT_SPACE + FIGURE_SPACE * (missing - 1) if tail == 0 else FIGURE_SPACE * missing) if missing else ""


def hints(tables: Iterable[Table]) -> list[tuple[str, str]]:
    """(title, explanation) of the tables' columns that have one, each once, in order."""
    return list(dict.fromkeys((c.title, c.hint) for table in tables for c in table.columns if c.hint))


def _series(section: Section) -> Iterator[int]:
    """The series that cells of the section show a marker of."""
    for block in section.blocks:
        if isinstance(block, Table):
            yield from (cell.series for row in block.rows for cell in row if cell.series is not None)
    for child in section.children:
        yield from _series(child)
