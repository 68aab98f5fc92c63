"""Axes whose labels have room: what an axis shows, its ticks, and frames with a legend."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.report.figures import PHONE, WIDTH
from bench.report.figures.drawing import GAP, Sheet
from bench.report.figures.style import NAME, TEXT, TICK, palette, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAD = 6.0
"""Pixels from an axis to its ticks' labels."""
ROW = 21.0
"""Pixels from one line of a legend to the next."""
FOOT = 44.0
"""Pixels below an axis for its ticks' labels and its title."""


@dataclass(frozen=True)
class Range:
    """What an axis shows: its title and its limits."""

    low: float
    high: float
    words: str = ""
    log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis ``value`` is, 0 to 1."""
        low, high, at = (
            (math.log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return (at - low) / (high - low)

    def ticks(
        self, room: float, need: Callable[[str], float], shown: Callable[[float], str]
    ) -> list[tuple[float, str]]:
        """Round values with their labels, as many of them as fit into ``room`` pixels where each needs ``need``."""
        for values in self._candidates():
            found = [(value, shown(value)) for value in values if -1e-9 <= self.share(value) <= 1 + 1e-9]
            ends = [(self.share(v) * room - need(s) / 2, self.share(v) * room + need(s) / 2) for v, s in found]
            if all(a[1] <= b[0] for a, b in itertools.pairwise(ends)):
                return found
        return found[:1]

    def _candidates(self) -> Iterator[list[float]]:
        from matplotlib.ticker import MaxNLocator

        if not self.log:
            for count in (6, 5, 4, 3, 2, 1):
                values = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
                yield [float(value) + 0.0 for value in values]
            return
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        decades = math.log10(self.high / self.low)
        for steps in [(1, 2, 5)] * (decades <= 1.5) + [(1, 3)] * (decades <= 3) + [(1,)]:
            yield [step * 10.0**e for e in exponents for step in steps]
        for every in range(2, len(exponents) + 1):
            yield [10.0**e for e in exponents if e % every == 0]


def padded(values: Sequence[float], words: str = "", *, zero: bool = False, log: bool = False) -> Range:
    """A range a little wider than the values; never empty."""
    low, high = min(values), max(values)
    if log:
        room = max((high / low) ** 0.05, 1.1)
        return Range(low / room, high * room, words, log)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.06 or max(abs(high) * 0.05, 0.5)
    return Range(low - room, high + room, words)


def tick_text(value: float) -> str:
    shown = f"{value:,.10g}" if abs(value) >= 1000 else f"{value:.10g}"
    return shown.replace("-", "\u2212")


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decade_text(value: float) -> str:
    """A tick of a logarithmic axis: whole powers of ten beyond 0.01 to 100 as such, all else as it is."""
    power = round(math.log10(value))
    whole = abs(value / 10.0**power - 1) < 1e-9
    return f"10{str(power).translate(_RAISED)}" if whole and abs(power) > 2 else tick_text(value)


def y_ticks(y: Range, height: float) -> list[tuple[float, str]]:
    return y.ticks(height, lambda _: 1.6 * TICK, decade_text if y.log else tick_text)


def margin(y: Range, height: float) -> float:
    """Pixels that the y axis needs on its left: for its title and its widest label."""
    widest = max((text_width(words, TICK) for _, words in y_ticks(y, height)), default=0.0)
    return math.ceil(widest + PAD + (TEXT * 1.5 if y.words else 0.0) + 4)


def overhang(x: Range, width: float, least: float = 12.0) -> float:
    """Pixels that the x axis needs on its right, where its last label may stand out."""
    ends = [x.share(v) * width + text_width(s, TICK) / 2 + 2 - width for v, s in x_ticks(x, width)]
    return math.ceil(max([least, *ends]))


def x_ticks(x: Range, width: float) -> list[tuple[float, str]]:
    return x.ticks(width, lambda words: text_width(words, TICK) + 10, tick_text)


def set_x(axes: Axes, x: Range) -> None:
    """The x axis shows ``x``, with grid lines, its labels and its title below."""
    axes.set_xscale("log" if x.log else "linear")
    axes.set_xlim(x.low, x.high)
    found = x_ticks(x, axes.bbox.width)
    axes.set_xticks([v for v, _ in found], [words for _, words in found])
    axes.minorticks_off()
    if x.words:
        axes.set_xlabel(x.words, labelpad=5)


def set_y(axes: Axes, y: Range) -> None:
    """The y axis shows ``y``, with grid lines, its labels and its title on the left."""
    axes.set_yscale("log" if y.log else "linear")
    axes.set_ylim(y.low, y.high)
    found = y_ticks(y, axes.bbox.height)
    axes.set_yticks([v for v, _ in found], [words for _, words in found])
    axes.minorticks_off()
    if y.words:
        axes.set_ylabel(y.words, labelpad=5)


def zero_line(axes: Axes, *, upright: bool = False) -> None:
    draw = axes.axvline if upright else axes.axhline
    draw(0.0, color=palette()["muted"], linewidth=1.25, zorder=1)


@dataclass(frozen=True)
class Frame:
    """Axes with room for a legend of ``count`` names: on the right, or on a phone below."""

    sheet: Sheet
    axes: Axes
    legend_at: tuple[float, float, int, float]

    def legend(self, names: Sequence[str], looks: Sequence[dict[str, Any]]) -> None:
        left, top, columns, room = self.legend_at
        self.sheet.legend(left, top, names, looks, columns, room)


def framed(name: str, x: Range, y: Range, names: Sequence[str], sample: float, *, phone: bool) -> Frame:
    """A frame for ``names``, each of them with a sample of ``sample`` pixels."""
    top, bottom = 14.0, 270.0 if phone else 310.0
    left = margin(y, bottom - top)
    widest = sample + GAP + max(text_width(n, NAME) for n in names) + 4
    if phone:
        right = PHONE - overhang(x, PHONE - left - 12)
        columns = 2 if 2 * widest + GAP <= PHONE - 4 else 1
        height = bottom + FOOT + 14 + ROW * -(-len(names) // columns)
        sheet = Sheet(name, PHONE, height)
        place = (4.0, bottom + FOOT + 10, columns, PHONE - 4)
    else:
        right = WIDTH - min(widest, 0.4 * WIDTH) - 20
        right = min(right, WIDTH - overhang(x, right - left))
        sheet = Sheet(name, WIDTH, max(bottom + FOOT, top + ROW * len(names) + 6))
        place = (right + 18, top, 1, WIDTH - right - 18)
    axes = sheet.axes(left, top, right, bottom)
    set_x(axes, x)
    set_y(axes, y)
    return Frame(sheet, axes, place)
