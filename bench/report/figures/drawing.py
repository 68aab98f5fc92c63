"""Matplotlib's SVG made fit for the page: two sizes, classes, hover titles, links, and the page's own colours.

Figures are drawn in the light palette's colours, which then become the page's variables, so that light and dark both
work. Matplotlib's constrained layout finds room for labels and legends. It is loaded only when a figure is drawn.
"""

from __future__ import annotations

import io
import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from bench.report.blocks import Figure
from bench.report.figures.raster import settle_image
from bench.report.figures.style import NAME, decade_text, fitted, marked, styled, themed, tick_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axis import XAxis, YAxis
    from matplotlib.ticker import Locator

WIDTH, PHONE = 760.0, 360.0
"""Pixels of the viewBox of a full-width figure, and of one drawn for a phone: there about as wide as the screen's."""
GAP, ROW = 9.0, 21.0
"""Pixels between a sample in a legend and its name, and from one of its lines to the next."""


def figure(
    name: str,
    title: str,
    caption: str,
    data: pd.DataFrame,
    draw: Callable[[Sheet], None],
    *,
    width: float = WIDTH,
    class_: str = "plot",
    more: str = "",
) -> Figure:
    """What ``draw`` puts on a sheet, once for a screen and once for a phone; ``data`` are the numbers drawn.

    A screen reader says the title, the caption, and ``more``: what else a sighted reader sees.
    """
    drawings = []
    with styled():
        for sheet, how in ((Sheet(name, width), class_), (Sheet(name, PHONE), f"{class_} phone")):
            draw(sheet)
            drawings.append(sheet.svg(f"{title}. {caption} {more}".strip(), how))
    return Figure(name, title, caption, drawings[0], data.to_csv(index=False, lineterminator="\n"), drawings[1])


class Sheet:
    """A Matplotlib figure of ``width`` x ``height`` pixels in the making, and what the page adds to its artists.

    ``name`` keeps the ids of a page's figures apart.
    """

    def __init__(self, name: str, width: float, height: float = 350.0) -> None:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure as Drawing

        self.name, self.width, self.height = name, width, height
        self.figure = Drawing((width / 72, height / 72), dpi=72, layout="constrained")
        self.figure.patch.set_visible(False)
        FigureCanvasSVG(self.figure)
        self._marks: dict[str, _Mark] = {}

    @property
    def phone(self) -> bool:
        return self.width == PHONE

    def resize(self, height: float) -> None:
        self.height = height
        self.figure.set_size_inches(self.width / 72, height / 72)

    def legend(self, names: Sequence[str], looks: Sequence[dict[str, Any]]) -> None:
        """Names with a sample of how they look: on the right, or on a phone below, which makes the sheet higher.

        Labels at the marks would cover one another where values are close.
        """
        from matplotlib.lines import Line2D

        sample = 34.0 if any(look.get("linestyle") != "" for look in looks) else 10.0
        columns = 2 if self.phone and max(map(len, names)) <= 14 else 1
        room = (self.width if self.phone else 0.45 * self.width) / columns - sample - 2 * GAP
        rows = -(-len(names) // columns)
        self.resize(self.height + rows * ROW if self.phone else max(self.height, rows * ROW + 8))
        made = self.figure.legend(
            [Line2D([], [], **look) for look in looks],
            [fitted(name, room) for name in names],
            loc="outside lower left" if self.phone else "outside right upper",
            ncols=columns,
            fontsize=NAME,
            frameon=False,
            handlelength=sample / NAME,
            handletextpad=GAP / NAME,
        )
        for words, name in zip(made.get_texts(), names, strict=True):
            if words.get_text() != name:
                self.mark(words, titles=[name])

    def mark(self, artist: Artist, class_: str = "", titles: Sequence[str] = (), links: Sequence[str] = ()) -> None:
        """Give an artist a class, and hover titles: one for all of it, or (a collection's) one for each element.

        ``links`` likewise. They are no tab stops: a figure has one a dataset, and the tables beside it have the same.
        """
        from matplotlib.collections import Collection

        each = isinstance(artist, Collection)
        artist.set_gid(f"mark{len(self._marks)}")
        self._marks[f"mark{len(self._marks)}"] = _Mark(class_, tuple(titles), each)
        if isinstance(artist, Collection):
            artist.set_urls([link or None for link in links] or [None])

    def svg(self, words: str, class_: str = "plot") -> str:
        """The drawing for the page, with ``words`` as what a screen reader says."""
        import matplotlib

        self._settle_ticks()
        buffer = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": f"{self.name} {class_}"}):
            self.figure.canvas.print_svg(buffer, metadata={"Date": None})  # type: ignore[attr-defined]
        size = f' width="{self.width:g}" height="{self.height:g}" xmlns="http://www.w3.org/2000/svg"'
        return svg_element(_tidied(buffer.getvalue(), self._marks), self.width, self.height, words, class_, size)

    def _settle_ticks(self) -> None:
        """As many round values on each axis as have room for their labels, unless the drawing has set its own.

        Of axes that share one, the outermost have labels. Labels change the room for others: hence the rounds.
        """
        from matplotlib.ticker import FixedLocator, NullLocator

        both = [axis for axes in self.figure.axes for axis in (axes.xaxis, axes.yaxis)]
        ours = [axis for axis in both if not isinstance(axis.get_major_locator(), FixedLocator)]
        for axis in ours:
            axis.set_minor_locator(NullLocator())
        free = [axis for axis in ours if axis.get_ticklabels()]
        rest = [(axis, _locators(*axis.get_view_interval(), log=axis.get_scale() == "log")) for axis in free]
        for axis in free:
            axis.set_ticks([])
        changed = True
        while changed:
            self.lay_out()
            changed = sum(_thin(axis, locators) for axis, locators in rest) > 0
        self.figure.set_layout_engine("none")  # all is in its place; drawing would only place it again

    def lay_out(self) -> None:
        """Give axes and legends their places, as drawing begins; the rest of it would tell nothing."""
        engine = self.figure.get_layout_engine()
        if engine is not None and self.figure.axes:
            engine.execute(self.figure)


def _thin(axis: XAxis | YAxis, locators: Iterator[Locator]) -> bool:
    """Go on to the next of ``locators`` until labels have room. Whether there was any to do."""
    written = decade_text if axis.get_scale() == "log" and axis.axis_name == "y" else tick_text
    low, high = axis.get_view_interval()
    changed = False
    while not _labels_apart(axis) and (locator := next(locators, None)):
        values = [value for value in locator.tick_values(low, high) if low <= value <= high]
        axis.set_ticks(values, map(written, values))
        changed = True
    return changed


def _locators(low: float, high: float, *, log: bool) -> Iterator[Locator]:
    """Where ticks can stand, many first."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    if not log:
        yield from (MaxNLocator(count, steps=[1, 2, 2.5, 5, 10], min_n_ticks=1) for count in (6, 5, 4, 3, 2, 1))
        return
    for most, steps in ((30, (1, 2, 5)), (1000, (1, 3))):
        if high / low <= most:
            yield LogLocator(subs=steps, numticks=99)
    yield from (LogLocator(numticks=count) for count in (99, 7, 6, 5, 4, 3, 2, 1))


def _labels_apart(axis: XAxis | YAxis) -> bool:
    """Whether there are labels, with room between them."""
    along = "xy".index(axis.axis_name)
    ends = [label.get_window_extent().get_points()[:, along] for label in axis.get_ticklabels()]
    return bool(ends) and all(one[1] + GAP < other[0] for one, other in itertools.pairwise(ends))


def svg_element(inner: str, width: float, height: float, words: str, class_: str, more: str = "") -> str:
    """The outermost element, with ``words`` as what a screen reader says."""
    start = f'<svg viewBox="0 0 {width:g} {height:g}"{more} role="img"'
    return f'{start} aria-label="{escape(words)}" class="{class_}">{inner}</svg>'


def key(series: int) -> str:
    """The series' marker around the origin, for a table's cell."""
    from matplotlib.backends.backend_svg import RendererSVG
    from matplotlib.markers import MarkerStyle
    from matplotlib.transforms import Affine2D

    look, buffer = marked(series, 9.0), io.StringIO()
    shape, size = MarkerStyle(look["marker"]), look["markersize"]
    renderer = RendererSVG(0, 0, buffer, metadata={"Date": None})
    placed = shape.get_transform() + Affine2D().scale(size)
    renderer.draw_path(renderer.new_gc(), shape.get_path(), placed, (0, 0, 0))
    outline = re.search(r' d="([^"]*)"', buffer.getvalue())
    style = f"fill:{look['markerfacecolor']};stroke:{look['markeredgecolor']};stroke-width:{look['markeredgewidth']}"
    return f'<path d="{_short(outline[1]) if outline else ""}" style="{themed(style)}"/>'


@dataclass(frozen=True)
class _Mark:
    class_: str
    titles: tuple[str, ...]
    each: bool


_USUAL = re.compile(
    "stroke-linejoin: miter|stroke-linecap: butt|stroke-(width: 1|dashoffset: 0)|text-anchor: start|font-family: .*"
)
"""What SVG takes for granted, and what the page's style says."""
_KEPT = ("class", "style", "d", "x", "y", "transform", "href")
_OF_IMAGES = ("width", "height", "preserveAspectRatio")


def _tidied(drawing: str, marks: dict[str, _Mark]) -> str:
    """Matplotlib's drawing without metadata, clipping and ids, with the page's colours, classes and titles."""
    root = ET.fromstring(drawing)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
        node.attrib = {name.rpartition("}")[2]: value for name, value in node.attrib.items()}
        node.text = node.text if node.tag == "text" else None
        node.tail = None
    for node in list(root.iter()):
        node[:] = [part for part in node if part.tag not in ("metadata", "style", "clipPath")]
        mark = marks.get(node.get("id", ""))
        if mark is not None:
            _add_mark(node, mark)
        kept = (*_KEPT, *(_OF_IMAGES if node.tag == "image" else ()), *(("id",) if node.tag == "path" else ()))
        if node.tag == "image":
            settle_image(node)
        for name in [name for name in node.attrib if name not in kept]:
            del node.attrib[name]
        if node.tag == "a":
            node.set("tabindex", "-1")
        if node.get("transform", "").startswith("rotate(-0 "):
            del node.attrib["transform"]
        if node.get("style"):
            node.set("style", _style(node.attrib["style"]))
        for name in ("d", "x", "y", "transform"):
            if name in node.attrib:
                node.set(name, _short(node.attrib[name]))
    inner = "".join(ET.tostring(part, encoding="unicode") for part in root)
    inner = re.sub(">[^<]+<", lambda text: text[0].replace('"', "&quot;"), inner)
    for empty in ("<defs />", "<g />", ' style=""', " />"):
        inner = inner.replace(empty, "/>" if empty == " />" else "")
    return inner


def _add_mark(node: ET.Element, mark: _Mark) -> None:
    """A marked artist. The style that a collection's elements share stands once."""
    if mark.class_:
        node.set("class", mark.class_)
    shapes = [part for part in node.iter() if part.tag in ("path", "use") and "id" not in part.attrib]
    styles = {shape.get("style", "") for shape in shapes}
    if mark.each and len(styles) == 1:
        node.set("style", styles.pop())
        for shape in shapes:
            del shape.attrib["style"]
    for target, words in zip(shapes if mark.each else [node], mark.titles, strict=False):
        title = ET.Element("title")
        title.text = words
        target.insert(0, title)


def _style(found: str) -> str:
    found = re.sub(r"font: ([\d.]+px) [^;]*", r"font-size: \1", themed(found))
    return ";".join(part.replace(": ", ":") for part in found.split("; ") if part and not _USUAL.fullmatch(part))


def _short(numbers: str) -> str:
    """Numbers to a tenth of a pixel, and no space that a path can do without."""
    rounded = re.sub(r"-?\d+\.\d+", lambda m: f"{round(float(m[0]), 1) + 0.0:g}", " ".join(numbers.split()))
    return re.sub(r" ?([A-Z]) ?", r"\1", rounded)
