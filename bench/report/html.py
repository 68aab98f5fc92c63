"""The report as one HTML file: inline style, script and drawings; no request leaves it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

import jinja2
from markupsafe import Markup

from bench.report.blocks import Document, Table
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
    blocks = [block for section in document.sections for block in section.all_blocks()]
    cells = [cell for block in blocks if isinstance(block, Table) for row in block.rows for cell in row]
    script = asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        document=document,
        keys=sorted({cell.series for cell in cells if cell.series is not None}),
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
    columns = zip(table.columns, zip(*table.rows, strict=True), strict=False)
    lacking = [_lacking([cell.text for cell in cells], number=column.kind == "number") for column, cells in columns]
    return tuple(zip(*lacking, strict=True))


def _lacking(texts: Sequence[str], *, number: bool) -> list[str]:
    found = [PLAIN_NUMBER.fullmatch(text) if number else None for text in texts]
    tails = ["" if match is None else match[1] or "" for match in found]
    longest = max(map(len, tails))
    blank = POINT_SPACE + FIGURE_SPACE * (longest - 1) if longest else ""
    return [blank[len(tail) :] if match else "" for match, tail in zip(found, tails, strict=True)]


def hints(tables: Iterable[Table]) -> list[tuple[str, str]]:
    """(title, explanation) of the tables' columns that have one, each once, in order."""
    return list(dict.fromkeys((c.title, c.hint) for table in tables for c in table.columns if c.hint))
