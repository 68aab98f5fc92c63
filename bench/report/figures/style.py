"""How all figures look: colours, markers, dashes, sizes of text, and Matplotlib's settings while one is drawn."""

from __future__ import annotations

import functools
import math
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHAPES = ("o", "s", "^", "D", "v", "P", "h")
DASHES = ((), (8, 3), (2, 2.5), (9, 3, 2, 3), (4.5, 2), (14, 3.5), (3, 5), (9, 3, 2, 3, 2, 3))
COLOURS = 10
"""How many of each there are. Series beyond them start again; every second round of markers is hollow, so that marker
and dash together tell 56 series apart without their colours."""
TEXT, TICK, NAME = 12.5, 11.5, 13.0
"""Pixels: of an axis' title, of its ticks, of a name in a legend."""
FAMILY = "DejaVu Sans"
"""What texts are measured in: it comes with Matplotlib and is wider than the faces that a page is shown in."""

_LOCK = threading.RLock()


@functools.cache
def palette() -> dict[str, str]:
    """The colours of the light page by name, from the first rule of ``palette.css``."""
    css = resources.files("bench.report").joinpath("templates", "palette.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-fA-F]+);", css.partition("}")[0]))


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever the user's matplotlibrc says; one thread at a time has them."""
    import matplotlib.style

    colour = palette()
    ticks = {"labelsize": TICK, "major.size": 0.0, "minor.size": 0.0, "major.pad": 6.0, "color": colour["muted"]}
    ours = {
        "font.family": FAMILY,
        "font.size": TEXT,
        "text.color": colour["ink"],
        "text.parse_math": False,  # a dollar sign in a dataset's name is one
        "axes.labelcolor": colour["muted"],
        "axes.labelsize": TEXT,
        "axes.edgecolor": colour["muted"],
        "axes.facecolor": "none",
        "axes.linewidth": 1.0,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.xmargin": 0.06,
        "axes.ymargin": 0.06,
        "axes.titlelocation": "left",
        "axes.titlesize": NAME,
        "grid.color": colour["soft"],
        "grid.linewidth": 1.0,
        "lines.scale_dashes": False,
        "lines.solid_capstyle": "butt",
        "svg.fonttype": "none",
        **{f"{axis}tick.{key}": value for axis in "xy" for key, value in ticks.items()},
    }
    with _LOCK, warnings.catch_warnings(), matplotlib.style.context(["default", ours]):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the page's faces may have it
        yield


def tick_text(value: float) -> str:
    shown = f"{value + 0.0:,.10g}" if abs(value) >= 1000 else f"{value + 0.0:.10g}"
    return shown.replace("-", "\u2212")


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decade_text(value: float) -> str:
    """A tick of a logarithmic axis: whole powers of ten beyond 0.01 to 100 as such, all else as it is."""
    power = round(math.log10(value))
    whole = abs(value / 10.0**power - 1) < 1e-9
    return f"10{str(power).translate(_RAISED)}" if whole and abs(power) > 2 else tick_text(value)


def zero_line(axes: Axes, *, upright: bool = False) -> None:
    """Zero is on the axis, and a line stands there."""
    (axes.axvline if upright else axes.axhline)(0.0, color=palette()["muted"], linewidth=1.25, zorder=1)


def hue(series: int) -> str:
    return palette()[f"s{series % COLOURS}"]


def marked(series: int, size: float = 8.5) -> dict[str, Any]:
    """The series' marker, as arguments of :meth:`Axes.plot`."""
    shape, paper = series % len(SHAPES), palette()["paper"]
    hollow = series // len(SHAPES) % 2
    return {
        "marker": SHAPES[shape],
        "markersize": size * (0.9 if SHAPES[shape] in "sD" else 1.1),
        "markerfacecolor": paper if hollow else hue(series),
        "markeredgecolor": hue(series) if hollow else paper,
        "markeredgewidth": 2.0 if hollow else 0.75,
    }


def spotted(series: int) -> dict[str, Any]:
    """The same as arguments of :meth:`Axes.scatter`, where each mark has its own title."""
    look = marked(series)
    return {
        "marker": look["marker"],
        "s": look["markersize"] ** 2,
        "facecolor": look["markerfacecolor"],
        "edgecolor": look["markeredgecolor"],
        "linewidth": look["markeredgewidth"],
    }


def dashed(series: int) -> dict[str, Any]:
    """The series' line, as arguments of :meth:`Axes.plot`."""
    dash = DASHES[series % len(DASHES)]
    return {"color": hue(series), "linewidth": 2.0, "linestyle": (0, dash) if dash else "-"}


@functools.lru_cache(4096)
def text_width(words: str, size: float) -> float:
    """Pixels."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    face = FontProperties(family=FAMILY, size=size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        return float(text_to_path.get_text_width_height_descent(words, face, ismath=False)[0])


def fitted(words: str, width: float, size: float = NAME) -> str:
    """``words``, their middle cut out where they are wider than ``width`` pixels: names often differ at the end."""
    if text_width(words, size) <= width:
        return words
    kept = len(words)
    while kept > 2:
        kept -= 1
        short = words[: kept - kept // 2].rstrip() + "\u2026" + words[len(words) - kept // 2 :].lstrip()
        if text_width(short, size) <= width:
            return short
    return "\u2026"


def themed(style: str) -> str:
    """The palette's colours as the page's variables."""
    names = {value: f"var(--{name})" for name, value in palette().items()}
    return re.sub(r"#[0-9a-f]{6}", lambda found: names.get(found[0], found[0]), style)
