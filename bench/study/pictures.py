"""Figures of small images and of matrices as heat maps, in rows with titles, magnified without smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bench.report.blocks import Figure
from bench.report.figures.drawing import figure
from bench.report.figures.style import decade_text, tick_text
from bench.study.panels import Key, Pixels, Row, Span, draw

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
IMAGE, MATRIX = (72.0, 140.0), (150.0, 300.0)
"""The smallest and the largest side of an image and of a matrix, in pixels of the sheet."""
MOST_FIELDS = 192
"""Along a side of a heat map: more could not be seen, and would fill the page."""


@dataclass(frozen=True)
class Panels:
    """A row of panels, (title, array) each, with a title of its own unless there is one row.

    An array is a picture, (h, w, 3) or (h, w, 1) whole numbers from 0 to 255, or (h, w) numbers drawn as colours.
    """

    title: str
    panels: Sequence[tuple[str, ArrayLike]]


def image_grid(name: str, title: str, caption: str, rows: Sequence[Panels], *, common: bool = False) -> Figure:
    """Small images side by side, row by row.

    The colours of each array of numbers go from its smallest to its largest value; with ``common`` all have one scale,
    whose numbers are shown.
    """
    shown = [Row(row.title, [(words, _array(pixels)) for words, pixels in row.panels]) for row in rows]
    numbers = [pixels for row in shown for _, pixels in row.panels if pixels.ndim == 2]
    scale = _Scale(SEQUENTIAL, _span(numbers) if common and numbers else None)
    key = _key_of(scale) if numbers else None
    return _figure(name, title, caption, shown, IMAGE, scale, key)


def paired_heat_maps(
    name: str,
    title: str,
    caption: str,
    rows: Sequence[Panels],
    *,
    diverging: bool | None = None,
    share: float = 1.0,
) -> Figure:
    """Matrices as heat maps, those to be compared side by side, all of them on one scale, which is shown.

    The scale has its middle at 0 if ``diverging``, by default if there are negative values; else it begins at the
    smallest value, or at 0 if that is above. Where a few large values would leave all others in one colour, a ``share``
    below 1 ends the scale at that quantile of the absolute values. Of a matrix with more than :data:`MOST_FIELDS` rows
    or columns the means of blocks are drawn, as the caption then says.
    """
    whole = [[(words, _array(matrix)) for words, matrix in row.panels] for row in rows]
    for pixels in (pixels for panels in whole for _, pixels in panels):
        if pixels.ndim != 2:
            raise ValueError(f"figure {name!r}: an array {pixels.shape} is no matrix")
    blocks = {-(-max(pixels.shape) // MOST_FIELDS) for panels in whole for _, pixels in panels}
    shown = [
        Row(row.title, [(words, pooled(pixels, -(-max(pixels.shape) // MOST_FIELDS))) for words, pixels in panels])
        for row, panels in zip(rows, whole, strict=True)
    ]
    matrices = [pixels for row in shown for _, pixels in row.panels]
    low, high = _span(matrices)
    both = low < 0 if diverging is None else diverging
    values = np.abs(np.concatenate([pixels[np.isfinite(pixels)] for pixels in matrices]))
    end = float(np.quantile(values, share)) if share < 1 and values.size else max(abs(low), abs(high))
    scale = _Scale(DIVERGING, (-end, end)) if both else _Scale(SEQUENTIAL, (min(low, 0.0), min(high, end)))
    if (block := max(blocks)) > 1:
        each = "Each field" if len(blocks) == 1 else f"A field of matrices with over {MOST_FIELDS} rows or columns"
        caption = f"{caption} {each} is the mean of {'' if len(blocks) == 1 else 'up to '}{block} × {block} entries."
    return _figure(name, title, caption, shown, MATRIX, scale, _key_of(scale, low, high))


def pooled(matrix: NDArray[Any], block: int) -> NDArray[np.float64]:
    """Means of blocks of ``block`` x ``block`` entries; the last ones are smaller where it does not divide a side."""
    if block == 1:
        return np.asarray(matrix, dtype=np.float64)
    starts = [np.arange(0, side, block) for side in matrix.shape]
    sums = np.add.reduceat(np.add.reduceat(matrix, starts[0], axis=0), starts[1], axis=1)
    heights, widths = (np.diff([*start, side]) for start, side in zip(starts, matrix.shape, strict=True))
    return np.asarray(sums / np.outer(heights, widths), dtype=np.float64)


@dataclass(frozen=True)
class _Scale:
    """A map of colours, and the values at its ends; without them each array has its own."""

    colours: str
    span: Span | None

    def painted(self, pixels: Pixels) -> NDArray[np.uint8]:
        """(h, w, 4) bytes; what is no number is transparent."""
        import matplotlib

        if pixels.ndim == 3:
            opaque = np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)
            return np.concatenate([np.broadcast_to(pixels, (*pixels.shape[:2], 3)), opaque], axis=2)
        low, high = self.span or _span([pixels])
        shares = np.clip((np.ma.masked_invalid(pixels) - low) / (high - low or 1.0), 0.0, 1.0)
        colours: NDArray[np.uint8] = matplotlib.colormaps[self.colours](shares, bytes=True)
        return colours


def _array(pixels: ArrayLike) -> Pixels:
    """A picture of bytes, or numbers. Raises ``ValueError`` for anything else."""
    found = np.asarray(pixels)
    coloured = found.ndim == 3 and found.shape[2] in (1, 3) and found.dtype.kind in "iu" and found.size
    if coloured and 0 <= found.min() <= found.max() <= 255:
        return found.astype(np.uint8)
    if found.ndim == 2 and found.dtype.kind in "biuf" and found.size:
        return found.astype(np.float64)
    raise ValueError(f"an array {found.shape} {found.dtype}: expected (h, w) numbers, or (h, w, 1 or 3) bytes")


def _span(arrays: Sequence[Pixels]) -> Span:
    """The smallest and the largest finite value."""
    finite = [pixels[np.isfinite(pixels)] for pixels in arrays]
    values = np.concatenate([part for part in finite if part.size] or [np.zeros(1)])
    return float(values.min()), float(values.max())


def _key_of(scale: _Scale, low: float = -np.inf, high: float = np.inf) -> Key:
    """With signs where values beyond ``low`` and ``high`` have the colours of the ends."""
    if scale.span is None:
        return Key(scale.colours, [(0.0, "smallest"), (1.0, "largest value of each")])
    first, last = scale.span
    below, above = "\u2264 " * (-np.inf < low < first), "\u2265 " * (last < high < np.inf)
    marks = [(0.0, below + _figures(first)), (1.0, above + _figures(last))]
    if first < 0 < last:
        marks.insert(1, (-first / (last - first), "0"))
    return Key(scale.colours, marks)


def _figures(value: float) -> str:
    """Two significant digits, with a power of ten where zeros would be many."""
    mantissa, _, power = f"{value:.1e}".partition("e")
    if value and not -4 < int(power) < 6:
        return f"{tick_text(float(mantissa))} × {decade_text(10.0 ** int(power))}"
    return tick_text(float(f"{value:.2g}"))


def _figure(
    name: str, title: str, caption: str, rows: Sequence[Row], sides: Span, scale: _Scale, key: Key | None
) -> Figure:
    data = pd.DataFrame(
        [
            (row.title, words, *pixels.shape[:2], *(f"{value:.6g}" for value in (*_span([pixels]), _mean(pixels))))
            for row in rows
            for words, pixels in row.panels
        ],
        columns=["row", "panel", "height", "width", "smallest", "largest", "mean"],
    )
    more = "; ".join(": ".join(filter(None, (row.title, ", ".join(words for words, _ in row.panels)))) for row in rows)
    return figure(
        name, title, caption, data, lambda sheet: draw(sheet, rows, sides, scale.painted, key), more=f"Panels: {more}."
    )


def _mean(pixels: Pixels) -> float:
    finite = pixels[np.isfinite(pixels)]
    return float(finite.mean()) if finite.size else float("nan")
