"""The report as one HTML file: inline style, script and drawings; no request leaves it."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

import jinja2
from markupsafe import Markup

from bench.report import svg
from bench.report.blocks import Document


def render_html(document: Document) -> str:
    """The page. Jinja's autoescape covers all text; drawings are SVG that escaped its own text."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(asset), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False
    )
    environment.filters["drawn"] = Markup
    environment.filters["marker"] = lambda series: Markup(svg.marker(0.0, 0.0, series))
    environment.filters["plain"] = lambda value: f"{value:.10g}"
    script = asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        document=document,
        figure_css=asset("palette.css") + asset("figure.css"),
        page_css=asset("page.css"),
        script=script,
        script_hash=f"sha256-{digest}",
    )


def asset(name: str) -> str:
    """A template, style sheet or script that ships with this package."""
    return resources.files("bench.report").joinpath("templates", name).read_text(encoding="utf-8")


def standalone_svg(drawing: str) -> str:
    """The inline drawing as a file of its own: style inside, an opaque ground, links into the page dropped."""
    unlinked = re.sub(r'<a href="[^"]*">', "<g>", drawing).replace("</a>", "</g>")
    style = f"<style>{asset('palette.css')}{asset('figure.css')}</style>"
    ground = '<rect width="100%" height="100%" style="fill: var(--paper)"/>'
    head, _, rest = unlinked.partition(">")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}>{style}{ground}{rest}\n'
