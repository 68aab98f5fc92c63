"""Where pictures stand in a figure: rows of panels with titles, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.report.figures.drawing import Sheet
from bench.report.figures.style import NAME, TICK, fitted, palette, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP, LINE, BESIDE, FRAME, KEY = 10.0, 15.0, 120.0, 1.0, 220.0
"""Pixels between panels, of a line of text, of a row's title beside its panels, of a frame, of the bar of colours."""

Pixels: TypeAlias = NDArray[Any]
Span: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Key:
    """What the ends of the colours, and 0 between them, stand for."""

    colours: str
    marks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[tuple[str, Pixels]]


@dataclass(frozen=True)
class _Text:
    """Lines of text whose upper left corner is at ``x``, ``y``, in pixels from the sheet's."""

    lines: Sequence[str]
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class _Picture:
    """Pixels on a rectangle of the sheet, and what a pointer over them is told."""

    pixels: Pixels
    words: str
    x: float
    y: float
    width: float
    height: float


def draw(
    sheet: Sheet, rows: Sequence[Row], sides: Span, paint: Callable[[Pixels], NDArray[np.uint8]], key: Key | None
) -> None:
    """Everything is placed to the pixel, not by Matplotlib's layout: a picture's fields are to be of one size."""
    sheet.figure.set_layout_engine("none")
    parts, height = _laid_out(sheet, rows, *sides)
    sheet.resize(height + (LINE + 16 if key else 0))
    for part in parts:
        if isinstance(part, _Text):
            _write(sheet, part)
            continue
        axes = _axes(sheet, part.x, part.y, part.width, part.height)
        image = axes.imshow(paint(part.pixels), interpolation="none", aspect="auto")
        sheet.mark(image, titles=[part.words])
    if key:
        _draw_key(sheet, key, next(part.x for part in parts if isinstance(part, _Picture)), height)


def _laid_out(
    sheet: Sheet, rows: Sequence[Row], smallest: float, largest: float
) -> tuple[list[_Text | _Picture], float]:
    """The parts from the top down, and the height they take.

    A row's title stands on its left, or on a phone above it. Rows that are too long have several lines.
    """
    left = BESIDE if any(row.title for row in rows) and not sheet.phone else 0.0
    room, most = sheet.width - left - 2 * FRAME, max(len(row.panels) for row in rows)
    largest *= max(1.0, *(pixels.shape[1] / pixels.shape[0] for row in rows for _, pixels in row.panels))
    fitting = max(1, min(most, int((room + GAP) // (smallest + GAP))))
    across = -(-most // -(-most // fitting))  # as many lines, of about the same length
    size = min(largest, (room - GAP * (across - 1)) / across)
    parts: list[_Text | _Picture] = []
    y = 0.0
    for row in rows:
        title = _wrapped(row.title, left - 14 if left else room, NAME)
        if not left and row.title:
            parts.append(_Text(title, 0.0, y, NAME))
            y += LINE * len(title) + 4
        for start in range(0, len(row.panels), across):
            some = row.panels[start : start + across]
            names = [_wrapped(name, size, TICK) for name, _ in some]
            top = y + LINE * max(map(len, names)) + 2
            if left and start == 0:
                parts.append(_Text(title, 0.0, top, NAME))
            heights = [min(2.0, pixels.shape[0] / pixels.shape[1]) * size for _, pixels in some]
            for number, (name, pixels) in enumerate(some):
                x, lines = left + FRAME + number * (size + GAP), names[number]
                parts.append(_Text(lines, x, top - 2 - LINE * len(lines), TICK))
                words = f"{row.title}: {name}" if row.title else name
                parts.append(_Picture(pixels, words, x, top, size, heights[number]))
            y = top + max(heights) + GAP
        y += 6
    return parts, y - 6


def _axes(sheet: Sheet, x: float, y: float, width: float, height: float) -> Axes:
    """Axes on a rectangle, with a thin frame, which tells a dark picture from a dark page."""
    place = (x / sheet.width, 1 - (y + height) / sheet.height, width / sheet.width, height / sheet.height)
    axes = sheet.figure.add_axes(place)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=palette()["rule"])
    return axes


def _write(sheet: Sheet, text: _Text) -> None:
    for number, line in enumerate(text.lines):
        baseline = text.y + (number + 0.8) * LINE
        sheet.figure.text(text.x / sheet.width, 1 - baseline / sheet.height, line, fontsize=text.size, va="baseline")


def _draw_key(sheet: Sheet, key: Key, x: float, y: float) -> None:
    """The map of colours as a bar, from the values of its left end to those of its right end."""
    import matplotlib

    axes = _axes(sheet, x, y, KEY, 10.0)
    colours = matplotlib.colormaps[key.colours](np.linspace(0, 1, 128), bytes=True)[None]
    axes.imshow(colours, interpolation="none", aspect="auto", extent=(0, 1, 0, 1))
    axes.set_xticks([share for share, _ in key.marks], [words for _, words in key.marks])
    for label, (share, _) in zip(axes.get_xticklabels(), key.marks, strict=True):
        label.set_horizontalalignment("left" if share == 0 else "right" if share == 1 else "center")


def _wrapped(words: str, width: float, size: float) -> list[str]:
    """``words`` in lines that are no wider than ``width`` pixels; of a word that is, the middle is cut out."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(fitted(word, width, size))
    return lines or [""]
