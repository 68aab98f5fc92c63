"""Matplotlib's SVG made fit for the page: classes, hover titles, links, and the page's own colours.

Figures are drawn in the light palette's colours; :class:`_Tidy` turns these into the page's variables, so that light
and dark both work. This package loads Matplotlib only when a figure is drawn.
"""

from __future__ import annotations

import io
import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from bench.report.figures.style import NAME, TEXT, fitted, marked, themed

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.path import Path

GAP = 9.0
"""Pixels between a sample in a legend and its name."""


class Sheet:
    """A Matplotlib figure of ``width`` x ``height`` pixels in the making, and what the page adds to its artists.

    ``name`` keeps the ids of a page's figures apart. Places are in pixels from the upper left corner.
    """

    def __init__(self, name: str, width: float, height: float) -> None:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self.name, self.width, self.height = name, width, height
        self.figure = Figure((width / 72, height / 72), dpi=72)
        self.figure.patch.set_visible(False)
        FigureCanvasSVG(self.figure)
        self._marks: dict[str, _Mark] = {}

    def axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """Axes between these edges."""
        box = (left / self.width, 1 - bottom / self.height, (right - left) / self.width, (bottom - top) / self.height)
        axes = self.figure.add_axes(box)
        axes.patch.set_visible(False)
        return axes

    def text(self, x: float, y: float, words: str, size: float = TEXT, **style: Any) -> Artist:
        """``words`` with their baseline at ``y``."""
        return self.figure.text(x / self.width, 1 - y / self.height, words, fontsize=size, **style)

    def legend(
        self, left: float, top: float, names: Sequence[str], looks: Sequence[dict[str, Any]], columns: int, room: float
    ) -> None:
        """Names with a sample of how they look, in columns that share ``room`` pixels.

        Labels at the marks would cover one another where values are close.
        """
        from matplotlib.lines import Line2D

        sample = 34.0 if any(look.get("linestyle") != "" for look in looks) else 10.0
        handles = [Line2D([], [], **look) for look in looks]
        place = room / columns - sample - GAP - (GAP if columns > 1 else 0)
        made = self.figure.legend(
            handles,
            [fitted(name, place) for name in names],
            loc="upper left",
            bbox_to_anchor=(left / self.width, 1 - top / self.height),
            ncols=columns,
            fontsize=NAME,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=sample / NAME,
            handletextpad=GAP / NAME,
            columnspacing=GAP / NAME,
            labelspacing=0.42,
        )
        for words, name in zip(made.get_texts(), names, strict=True):
            if words.get_text() != name:
                self.mark(words, titles=[name])

    def mark(self, artist: Artist, class_: str = "", titles: Sequence[str] = (), links: Sequence[str] = ()) -> None:
        """Give an artist a class, and hover titles: one for all of it, or (a collection's) one for each element.

        ``links`` likewise. They are no tab stops: a figure has one a dataset, and the tables beside it have the same.
        """
        from matplotlib.collections import Collection

        gid, each = f"mark{len(self._marks)}", isinstance(artist, Collection)
        artist.set_gid(gid)
        self._marks[gid] = _Mark(class_, tuple(titles), each)
        if isinstance(artist, Collection):
            artist.set_urls([link or None for link in links] or [None])
        elif any(links):
            artist.set_url(links[0])

    def svg(self, words: str, class_: str = "plot") -> str:
        """The drawing for the page, with ``words`` as what a screen reader says."""
        import matplotlib

        buffer = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": f"{self.name} {class_}"}):
            self.figure.canvas.print_svg(buffer, metadata={"Date": None})  # type: ignore[attr-defined]
        inner = _Tidy(self._marks).all(ET.fromstring(buffer.getvalue()))
        size = f' width="{self.width:g}" height="{self.height:g}" xmlns="http://www.w3.org/2000/svg"'
        return svg_element(inner, self.width, self.height, words, class_, size)


def svg_element(inner: str, width: float, height: float, words: str, class_: str, more: str = "") -> str:
    """The outermost element, with ``words`` as what a screen reader says."""
    start = f'<svg viewBox="0 0 {width:g} {height:g}"{more} role="img"'
    return f'{start} aria-label="{escape(words)}" class="{class_}">{inner}</svg>'


def outline(path: Path) -> str:
    """SVG's words for a path at its own coordinates, outside any figure."""
    from matplotlib.backends.backend_svg import RendererSVG
    from matplotlib.transforms import Affine2D

    buffer = io.StringIO()
    renderer = RendererSVG(0, 0, buffer, metadata={"Date": None})
    renderer.draw_path(renderer.new_gc(), path, Affine2D().scale(1, -1), (0, 0, 0))  # filled ones are not clipped
    found = re.search(r' d="([^"]*)"', buffer.getvalue())
    return _packed(found[1]) if found else ""


def key(series: int) -> str:
    """The series' marker around the origin, for a table's cell."""
    from matplotlib.markers import MarkerStyle
    from matplotlib.transforms import Affine2D

    look = marked(series, 9.0)
    shape = MarkerStyle(look["marker"])
    size = Affine2D().scale(look["markersize"], -look["markersize"])
    path = shape.get_path().transformed(shape.get_transform() + size)
    style = f"fill:{look['markerfacecolor']};stroke:{look['markeredgecolor']};stroke-width:{look['markeredgewidth']}"
    return f'<path d="{outline(path)}" style="{themed(style)}"/>'


@dataclass(frozen=True)
class _Mark:
    class_: str
    titles: tuple[str, ...]
    each: bool


_XLINK = "{http://www.w3.org/1999/xlink}href"
_USUAL = re.compile(
    "stroke-linejoin: miter|stroke-linecap: butt|stroke-(width: 1|dashoffset: 0)|text-anchor: start|font-family: .*"
)
"""What SVG takes for granted, and what the page's style says."""


class _Tidy:
    """Matplotlib's drawing without its wrapping and metadata, with the page's colours, classes and titles."""

    def __init__(self, marks: dict[str, _Mark]) -> None:
        self._marks = marks

    def all(self, root: ET.Element) -> str:
        """Neighbours of one style have it once, from a group around them."""
        text = ""
        for style, nodes in itertools.groupby(self._opened(root), lambda node: node.get("style", "")):
            run = list(nodes)
            if len(run) > 2 and style:
                text += f"<g{self._style(style)}>{''.join(self._element(node, style) for node in run)}</g>"
            else:
                text += "".join(self._part(node) for node in run)
        return text

    def _opened(self, node: ET.Element) -> Iterator[ET.Element]:
        """What a node holds; groups that are not marked are opened."""
        for child in node:
            name = _tag(child)
            if name == "g" and child.get("id") not in self._marks:
                yield from self._opened(child)
            elif name not in ("metadata", "style", "clipPath") and (name != "defs" or child.find("*[@d]") is not None):
                yield child

    def _part(self, node: ET.Element) -> str:
        return self._group(node, self._marks[node.attrib["id"]]) if _tag(node) == "g" else self._element(node)

    def _group(self, node: ET.Element, mark: _Mark) -> str:
        """A marked artist. The style that its elements share stands once."""
        parts = list(self._opened(node))
        drawn = [
            e for part in parts for e in (self._opened(part) if _tag(part) == "a" else [part]) if _tag(e) != "defs"
        ]
        shared = {e.get("style", "") for e in drawn} if mark.each else set()
        style = shared.pop() if len(shared) == 1 else ""
        titles = iter(mark.titles if mark.each else ())
        inner = [self._element(p, style, next(titles, "") if _tag(p) != "defs" else "") for p in parts]
        title = "" if mark.each else _title(*mark.titles[:1])
        attributes = (f' class="{mark.class_}"' if mark.class_ else "") + self._style(style)
        return f"<g{attributes}>{title}{''.join(inner)}</g>"

    def _element(self, node: ET.Element, shared: str = "", title: str = "") -> str:
        name, found, shown = _tag(node), node.attrib, ""
        inner = (
            escape(node.text or "") if name == "text" else "".join(self._element(e, shared) for e in self._opened(node))
        )
        if name == "path" and "id" in found:  # what ``use`` shows
            shown += f' id="{found["id"]}"'
        if _XLINK in found:
            shown += f' href="{escape(found[_XLINK])}"' + (' tabindex="-1"' if name == "a" else "")
        for key in ("d", "x", "y", "transform"):
            if key in found and not found[key].startswith("rotate(-0 "):
                shown += f' {key}="{_packed(found[key]) if key == "d" else _short(found[key])}"'
        if found.get("style", "") != shared:
            shown += self._style(found.get("style", ""))
        if title and name != "a":
            return f"<g>{_title(title)}<{name}{shown}/></g>"
        inner = _title(title) + inner
        return f"<{name}{shown}>{inner}</{name}>" if inner else f"<{name}{shown}/>"

    def _style(self, found: str) -> str:
        found = re.sub(r"font: ([\d.]+px) [^;]*", r"font-size: \1", themed(found))
        parts = [part.replace(": ", ":") for part in found.split("; ") if part and not _USUAL.fullmatch(part)]
        return f' style="{";".join(parts)}"' if parts else ""


def _tag(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _title(words: str = "") -> str:
    return f"<title>{escape(words)}</title>" if words else ""


def _short(numbers: str) -> str:
    """Numbers to a tenth of a pixel."""
    return re.sub(r"-?\d+\.\d+", lambda m: f"{round(float(m[0]), 1) + 0.0:g}", numbers)


def _packed(path: str) -> str:
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", " ".join(_short(path).split()))
