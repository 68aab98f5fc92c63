"""A small drawing layer: scales, axes, marks with hover titles, as SVG text styled by CSS classes.

Plain SVG rather than a plotting library's: marks carry ``<title>`` and links, colours come from the page's variables
(so that light and dark both work), a figure takes a few kilobytes, and equal data give equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

COLOURS, MARKERS, DASHES = 10, 7, 8
"""How many of each there are. Series beyond them start again; every second round of markers is hollow, so that marker
and dash together tell 56 series apart without their colours."""


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element; ``content`` is markup already. Attribute values are escaped; ``_`` stands for ``-``."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(coordinate(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{shown}>{content}</{name}>" if content else f"<{name}{shown}/>"


def coordinate(value: object) -> str:
    """Numbers to a tenth of a pixel, everything else as it is."""
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"
    return str(value)


def label(x: float, y: float, words: str, *, anchor: str = "start", class_: str = "", rotate: float = 0.0) -> str:
    turn = f"rotate({rotate:g} {coordinate(x)} {coordinate(y)})" if rotate else None
    return tag("text", escape(words), x=x, y=y, text_anchor=anchor, class_=class_ or None, transform=turn)


def titled(element: str, words: str, href: str = "") -> str:
    """``element`` with a hover title, linked to ``href`` if given.

    The link is no tab stop: a figure has one a dataset, and the tables beside it have the same ones.
    """
    inner = tag("title", escape(words)) + element
    return tag("a", inner, href=href, tabindex=-1) if href else tag("g", inner)


def fitted(words: str, width: float, size: float = 13.0) -> str:
    """``words``, cut with an ellipsis where they would be wider than ``width`` pixels at a font of ``size`` pixels."""
    room = max(int(width / (0.56 * size)), 2)  # 0.56 em: a common letter's width in the sans-serif faces named
    return words if len(words) <= room else words[: room - 1].rstrip() + "\u2026"


def series_class(kind: str, series: int) -> str:
    """The classes of a line: its kind, the series' colour and its dash."""
    return f"{kind} s{series % COLOURS} d{series % DASHES}"


def marker(x: float, y: float, series: int, size: float = 4.5) -> str:
    """The series' shape: circle, square, triangle, diamond, inverted triangle, cross, hexagon; then hollow ones."""
    s, shape = size, series % MARKERS
    class_ = f"m s{series % COLOURS}" + (" hollow" if series // MARKERS % 2 else "")
    if shape == 0:
        return tag("circle", cx=x, cy=y, r=s, class_=class_)
    if shape == 1:
        return tag("rect", x=x - 0.88 * s, y=y - 0.88 * s, width=1.76 * s, height=1.76 * s, class_=class_)
    t, u = 0.35 * s, 0.95 * s
    points = {
        2: [(0, -1.15 * s), (1.1 * s, 0.8 * s), (-1.1 * s, 0.8 * s)],
        3: [(0, -1.25 * s), (1.25 * s, 0), (0, 1.25 * s), (-1.25 * s, 0)],
        4: [(0, 1.15 * s), (1.1 * s, -0.8 * s), (-1.1 * s, -0.8 * s)],
        5: [(-t, -u), (t, -u), (t, -t), (u, -t), (u, t), (t, t), (t, u), (-t, u), (-t, t), (-u, t), (-u, -t), (-t, -t)],
        6: [(s * math.cos(a * math.pi / 3), s * math.sin(a * math.pi / 3)) for a in range(6)],
    }[shape]
    return polygon([(x + dx, y + dy) for dx, dy in points], class_)


def polyline(points: Sequence[tuple[float, float]], class_: str) -> str:
    return tag("polyline", points=_listed(points), class_=class_)


def polygon(points: Sequence[tuple[float, float]], class_: str) -> str:
    return tag("polygon", points=_listed(points), class_=class_)


def _listed(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


@dataclass(frozen=True)
class Scale:
    """Maps ``low..high`` (logarithmic if ``log``) to ``start..end`` pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, v = (
            (math.log10(x) for x in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (v - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int = 6) -> list[float]:
        if not self.log:
            return nice_ticks(self.low, self.high, count)
        decades = math.log10(self.high / self.low)
        steps = (1,) if decades > 3 else (1, 3) if decades > 1.5 else (1, 2, 5)
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found = [step * 10.0**e for e in exponents for step in steps]
        return [t for t in found if self.low * 0.999 <= t <= self.high * 1.001]


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """At most about ``count`` round values within ``low..high``."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def padded(values: Sequence[float], *, zero: bool = False, log: bool = False) -> tuple[float, float]:
    """Limits a little wider than the values; never empty."""
    low, high = min(values), max(values)
    if log:
        room = max((high / low) ** 0.05, 1.1)
        return low / room, high * room
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.06 or max(abs(high) * 0.05, 0.5)
    return low - room, high + room


def tick_text(value: float) -> str:
    shown = f"{value:,.10g}" if abs(value) >= 1000 else f"{value:g}"
    return shown.replace("-", "\u2212")


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decade_text(value: float) -> str:
    """A tick of a logarithmic axis: whole powers of ten beyond 0.01 to 100 as such, all else as it is."""
    power = round(math.log10(value))
    whole = abs(value / 10.0**power - 1) < 1e-9
    return f"10{str(power).translate(_RAISED)}" if whole and abs(power) > 2 else tick_text(value)


@dataclass
class Canvas:
    """A drawing in the making. ``width`` and ``height`` in pixels of the viewBox."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def add(self, *elements: str) -> None:
        self.parts.extend(elements)

    def line(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        self.add(tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_))

    def x_axis(self, scale: Scale, y: float, words: str, *, top: float | None = None, count: int = 6) -> None:
        """Ticks below ``y``, grid lines up to ``top``, the title (if any) under them."""
        for value in scale.ticks(count):
            x = scale(value)
            if top is not None:
                self.line(x, top, x, y, "zero" if value == 0 and not scale.log else "grid")
            self.add(label(x, y + 16, tick_text(value), anchor="middle", class_="tick"))
        self.line(scale.start, y, scale.end, y, "axis")
        if words:
            self.add(label((scale.start + scale.end) / 2, y + 36, words, anchor="middle", class_="axis-title"))

    def y_axis(self, scale: Scale, x: float, words: str, *, right: float | None = None, count: int = 6) -> None:
        """Ticks left of ``x``, grid lines up to ``right``, the title beside them."""
        shown, room = (decade_text, 50) if scale.log else (tick_text, 44)
        for value in scale.ticks(count):
            y = scale(value)
            if right is not None:
                self.line(x, y, right, y, "zero" if value == 0 else "grid")
            self.add(label(x - 7, y + 4, shown(value), anchor="end", class_="tick"))
        middle = (scale.start + scale.end) / 2
        self.add(label(x - room, middle, words, anchor="middle", class_="axis-title", rotate=-90))

    def svg(self, words: str, class_: str = "plot") -> str:
        """The drawing, with ``words`` as what a screen reader says."""
        box = f"0 0 {coordinate(float(self.width))} {coordinate(float(self.height))}"
        return tag(
            "svg",
            "".join(self.parts),
            xmlns="http://www.w3.org/2000/svg",
            viewBox=box,
            width=float(self.width),
            height=float(self.height),
            role="img",
            aria_label=words,
            class_=class_,
        )
